/// The header of a `.npy` file: the literal of a Python dict with the keys descr, fortran_order and shape.
struct NpyHeader {
  /// The element type as NumPy writes it, such as `<f4`.
  let descr: String
  /// Whether the first index runs fastest.
  let isColumnMajor: Bool
  let shape: [Int]

  /// Bytes per element, or nil if the type is not supported.
  var itemSize: Int? {
    switch descr {
    case "|u1", "<u1": 1
    case "<f4", "<i4": 4
    case "<f8", "<i8": 8
    default: nil
    }
  }

  init(descr: String, isColumnMajor: Bool, shape: [Int]) {
    (self.descr, self.isColumnMajor, self.shape) = (descr, isColumnMajor, shape)
  }

  /// Reads the text of the header; `file` names the file in errors.
  ///
  /// - Throws: ``TemperError`` of kind `badData` if it is anything else.
  init(_ text: ArraySlice<UInt8>, file: String?) throws {
    var scanner = Scanner(text: text, file: file)
    var (descr, isColumnMajor, shape): (String?, Bool?, [Int]?)
    try scanner.expect("{")
    while !scanner.skip("}") {
      let key = try scanner.quoted()
      try scanner.expect(":")
      switch key {
      case "descr" where descr == nil: descr = try scanner.type()
      case "fortran_order" where isColumnMajor == nil: isColumnMajor = try scanner.truth()
      case "shape" where shape == nil: shape = try scanner.tuple()
      default: throw scanner.fault("has the unknown or repeated key '\(key)'")
      }
      guard scanner.skip(",") else {
        try scanner.expect("}")
        break
      }
    }
    try scanner.expectEnd()
    guard let descr, let isColumnMajor, let shape else {
      throw scanner.fault("lacks one of descr, fortran_order and shape")
    }
    (self.descr, self.isColumnMajor, self.shape) = (descr, isColumnMajor, shape)
  }
}

/// Reads the parts of the dict literal.
private struct Scanner {
  var text: ArraySlice<UInt8>
  let file: String?

  func fault(_ message: String) -> TemperError {
    TemperError(.badData, file: file, field: "header", message + ".")
  }

  mutating func skipSpaces() {
    text = text.drop { $0 == 0x20 || $0 == 0x0a }
  }

  mutating func skip(_ character: Unicode.Scalar) -> Bool {
    skipSpaces()
    guard text.first == UInt8(ascii: character) else { return false }
    text.removeFirst()
    return true
  }

  mutating func expect(_ character: Unicode.Scalar) throws {
    guard skip(character) else { throw fault("lacks '\(character)'") }
  }

  mutating func expectEnd() throws {
    skipSpaces()
    guard text.isEmpty else { throw fault("is followed by other text") }
  }

  /// A text in single or double quotes.
  mutating func quoted() throws -> String {
    let quote: Unicode.Scalar = skip("\"") ? "\"" : "'"
    if quote == "'" { try expect(quote) }
    let content = text.prefix { $0 != UInt8(ascii: quote) }
    text = text.dropFirst(content.count)
    try expect(quote)
    return String(decoding: content, as: UTF8.self)
  }

  /// The element type; a list would be a record of several fields.
  mutating func type() throws -> String {
    skipSpaces()
    guard text.first != UInt8(ascii: "[") else { throw fault("describes records, which are not supported") }
    return try quoted()
  }

  mutating func truth() throws -> Bool {
    skipSpaces()
    for (word, value) in [("True", true), ("False", false)] where text.starts(with: word.utf8) {
      text = text.dropFirst(word.utf8.count)
      return value
    }
    throw fault("has no truth value as fortran_order")
  }

  /// Whole numbers in parentheses, each but the only one optionally followed by a comma.
  mutating func tuple() throws -> [Int] {
    var numbers: [Int] = []
    try expect("(")
    while !skip(")") {
      skipSpaces()
      let digits = text.prefix { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
      guard let number = Int(String(decoding: digits, as: UTF8.self)) else {
        throw fault("has a shape that is no tuple of whole numbers")
      }
      text = text.dropFirst(digits.count)
      numbers.append(number)
      // Python 2 wrote long integers as 3L.
      _ = skip("L")
      guard skip(",") else {
        try expect(")")
        guard numbers.count != 1 else { throw fault("has a shape that is a number, not a tuple") }
        return numbers
      }
    }
    return numbers
  }
}
