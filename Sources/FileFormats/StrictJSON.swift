/// A JSON value as read by ``StrictJSON``.
enum JSONValue {
  case string(String)
  /// A whole number without sign.
  case count(Int)
  case array([JSONValue])
  /// In the order of the text. No name occurs twice.
  case object([(name: String, value: JSONValue)])
  /// A number with sign, fraction or exponent, or beyond Int; true, false, null.
  case other
}

/// A JSON reader that refuses repeated names in an object, which Foundation's readers drop silently.
struct StrictJSON {
  /// What is wrong, and at which byte.
  struct Fault: Error {
    var offset: Int
    var message: String
  }

  private let text: ArraySlice<UInt8>
  private var position: Int
  /// Deeper nesting is refused, so that hostile text cannot exhaust the stack.
  private static let maximumDepth = 32

  /// Reads the one value that `text` holds; spaces may surround it.
  ///
  /// - Throws: ``Fault``.
  static func parse(_ text: ArraySlice<UInt8>) throws -> JSONValue {
    var reader = StrictJSON(text: text, position: text.startIndex)
    let value = try reader.value(depth: 0)
    reader.skipSpaces()
    guard reader.position == text.endIndex else { throw reader.fault("is followed by other text") }
    return value
  }

  private func fault(_ message: String) -> Fault {
    Fault(offset: position - text.startIndex, message: message)
  }

  private var next: UInt8? { position < text.endIndex ? text[position] : nil }

  private mutating func skipSpaces() {
    while let byte = next, [0x20, 0x09, 0x0a, 0x0d].contains(byte) { position += 1 }
  }

  private mutating func skip(_ character: Unicode.Scalar) -> Bool {
    skipSpaces()
    guard next == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ character: Unicode.Scalar) throws {
    guard skip(character) else { throw fault("lacks '\(character)'") }
  }

  private mutating func value(depth: Int) throws -> JSONValue {
    guard depth < Self.maximumDepth else { throw fault("is nested too deeply") }
    skipSpaces()
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    default: return try scalar()
    }
  }

  private mutating func object(depth: Int) throws -> JSONValue {
    try expect("{")
    var members: [(name: String, value: JSONValue)] = []
    var names: Set<String> = []
    if skip("}") { return .object(members) }
    repeat {
      skipSpaces()
      let name = try string()
      guard names.insert(name).inserted else { throw fault("has the name '\(name)' twice") }
      try expect(":")
      members.append((name, try value(depth: depth + 1)))
    } while skip(",")
    try expect("}")
    return .object(members)
  }

  private mutating func array(depth: Int) throws -> JSONValue {
    try expect("[")
    var values: [JSONValue] = []
    if skip("]") { return .array(values) }
    repeat { values.append(try value(depth: depth + 1)) } while skip(",")
    try expect("]")
    return .array(values)
  }

  /// A number, true, false or null.
  private mutating func scalar() throws -> JSONValue {
    let start = position
    while let byte = next, isScalarByte(byte) { position += 1 }
    let word = String(decoding: text[start..<position], as: UTF8.self)
    if ["true", "false", "null"].contains(word) { return .other }
    let isPlain = word.allSatisfy(\.isNumber) && (word == "0" || word.first != "0")
    if isPlain, let count = Int(word) { return .count(count) }
    guard word.wholeMatch(of: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/) != nil else {
      position = start
      throw fault("lacks a value")
    }
    return .other
  }

  private func isScalarByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "E"),
      UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
      true
    default: false
    }
  }

  private mutating func string() throws -> String {
    guard next == UInt8(ascii: "\"") else { throw fault("lacks a quoted name or text") }
    position += 1
    var bytes: [UInt8] = []
    while let byte = next {
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: bytes, as: UTF8.self) else { throw fault("is not valid UTF-8") }
        return string
      case UInt8(ascii: "\\"): bytes += try String(escape()).utf8
      case 0..<0x20: throw fault("has a control character in a text")
      default: bytes.append(byte)
      }
    }
    throw fault("ends inside a text")
  }

  /// The character that the text after a backslash stands for.
  private mutating func escape() throws -> Unicode.Scalar {
    let byte = next
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte!)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): return try unicodeEscape()
    default: throw fault("has an unknown escape")
    }
  }

  private mutating func unicodeEscape() throws -> Unicode.Scalar {
    let first = try hexadecimal()
    if let scalar = Unicode.Scalar(first) { return scalar }
    guard first < 0xdc00, next == UInt8(ascii: "\\") else { throw fault("has half a surrogate pair") }
    position += 1
    guard next == UInt8(ascii: "u") else { throw fault("has half a surrogate pair") }
    position += 1
    let second = try hexadecimal()
    guard 0xdc00...0xdfff ~= second else { throw fault("has half a surrogate pair") }
    return Unicode.Scalar(0x10000 + (first - 0xd800) << 10 + (second - 0xdc00))!
  }

  private mutating func hexadecimal() throws -> UInt32 {
    guard text.endIndex - position >= 4 else { throw fault("ends inside an escape") }
    let digits = String(decoding: text[position..<position + 4], as: UTF8.self)
    guard digits.allSatisfy(\.isHexDigit), let value = UInt32(digits, radix: 16) else {
      throw fault("has an unknown escape")
    }
    position += 4
    return value
  }
}

/// `text` as a JSON string with its quotes.
func quotedJSON(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": result += "\\\""
    case "\\": result += "\\\\"
    case "\u{0}"..<"\u{20}":
      let digits = String(scalar.value, radix: 16)
      result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result + "\""
}
