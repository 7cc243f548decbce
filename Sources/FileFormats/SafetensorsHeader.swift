import Foundation

/// The JSON header of a safetensors file, checked.
struct SafetensorsHeader {
  struct Item {
    let name: String
    let type: String
    let shape: [Int]
    let begin: Int
    let end: Int
  }

  private(set) var items: [Item] = []
  private(set) var metadata: [String: String] = [:]

  init(_ bytes: ArraySlice<UInt8>, file: String?) throws {
    func bad(_ field: String?, _ message: String) -> TemperError {
      TemperError(.badData, file: file, field: field ?? "header", message)
    }
    guard bytes.first == UInt8(ascii: "{") else { throw bad(nil, "does not start with {") }
    guard let json = try? JSONSerialization.jsonObject(with: Data(bytes)), let fields = json as? [String: Any] else {
      throw bad(nil, "is no JSON object")
    }
    if let name = JSONKeys.duplicate(in: bytes) { throw bad(name, "appears twice in the header") }
    for (name, value) in fields {
      guard let object = value as? [String: Any] else { throw bad(name, "is no JSON object") }
      if name == "__metadata__" {
        guard let texts = object as? [String: String] else { throw bad(name, "holds something else than text") }
        metadata = texts
      } else {
        items.append(try Self.item(name, object, bad))
      }
    }
    items.sort { ($0.begin, $0.end, $0.name) < ($1.begin, $1.end, $1.name) }
  }

  private static func item(
    _ name: String, _ object: [String: Any], _ bad: (String?, String) -> TemperError
  ) throws -> Item {
    func integers(_ key: String) -> [Int]? {
      (object[key] as? [Any])?.reduce(into: [Int]?([])) { list, value in
        guard let number = value as? NSNumber, let exact = Int(exactly: number.doubleValue), exact >= 0,
          number.doubleValue < 9e15
        else { return list = nil }
        list?.append(exact)
      }
    }
    guard let type = object["dtype"] as? String else { throw bad(name, "has no dtype") }
    guard let shape = integers("shape") else { throw bad(name, "has no shape of whole numbers") }
    guard let offsets = integers("data_offsets"), offsets.count == 2, offsets[0] <= offsets[1] else {
      throw bad(name, "has no data_offsets [begin, end] in order")
    }
    return Item(name: name, type: type, shape: shape, begin: offsets[0], end: offsets[1])
  }

  /// Throws unless the tensors cover the data without holes or overlaps.
  func checkCover(dataCount: Int, file: String?) throws {
    var position = 0
    for item in items {
      guard item.begin == position else {
        throw TemperError(
          .badData, file: file, field: item.name, "starts at byte \(item.begin) of the data instead of \(position)")
      }
      position = item.end
    }
    guard position == dataCount else {
      throw TemperError(
        .badData, file: file, field: "data",
        "has \(dataCount) bytes; the header describes \(position). The file is truncated or has extra bytes",
        remedy: "Fetch or write it again.")
    }
  }
}

/// Looks for keys that a JSON object has twice, which parsers silently merge.
enum JSONKeys {
  /// A key that the outermost object (or one inside it) holds twice, or nil. The bytes are valid JSON.
  static func duplicate(in bytes: ArraySlice<UInt8>) -> String? {
    var seen: [Set<[UInt8]>] = []
    var index = bytes.startIndex
    var expectsKey = false
    while index < bytes.endIndex {
      switch bytes[index] {
      case UInt8(ascii: "{"):
        seen.append([])
        expectsKey = true
      case UInt8(ascii: "["):
        seen.append([])
        expectsKey = false
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        _ = seen.popLast()
      case UInt8(ascii: ":"):
        expectsKey = false
      case UInt8(ascii: ","):
        expectsKey = true
      case UInt8(ascii: "\""):
        let start = index + 1
        index = start
        while index < bytes.endIndex, bytes[index] != UInt8(ascii: "\"") {
          index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        let text = Array(bytes[start..<min(index, bytes.endIndex)])
        let isKey = expectsKey && nextToken(bytes, after: index) == UInt8(ascii: ":")
        if isKey, !seen.isEmpty, !seen[seen.count - 1].insert(text).inserted {
          return String(decoding: text, as: UTF8.self)
        }
      default: break
      }
      index += 1
    }
    return nil
  }

  private static func nextToken(_ bytes: ArraySlice<UInt8>, after index: Int) -> UInt8? {
    bytes[min(index + 1, bytes.endIndex)...].first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
  }
}
