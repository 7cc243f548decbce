import Foundation

/// A file inside a page, offered for saving.
public struct Download: Sendable {
  let name: String
  let type: String
  let bytes: [UInt8]

  /// Creates a download.
  /// - Parameters:
  ///   - name: The file name that is proposed, without folders.
  ///   - type: The media type, such as `text/csv`.
  ///   - bytes: The content.
  public init(_ name: String, type: String, bytes: [UInt8]) {
    self.name = name
    self.type = type
    self.bytes = bytes
  }

  var html: String {
    let address = escaped(dataAddress(type: type, bytes))
    return """
      <a download="\(escaped(name))" href="\(address)">\(escaped(name))</a> \
      <span class="muted">(\(escaped(type)), \(sizeText))</span>
      """
  }

  private var sizeText: String {
    bytes.count < 1_000 ? "\(bytes.count) bytes" : String(format: "%.1f kB", Double(bytes.count) / 1_000)
  }
}

/// The `data:` address that holds `bytes` itself.
func dataAddress(type: String, _ bytes: [UInt8]) -> String {
  "data:\(type);base64," + Data(bytes).base64EncodedString()
}
