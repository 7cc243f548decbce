import FileFormats
import Foundation

extension Profile {
  /// A table of each part, of the device's kernels, transfers to it and the host: calls, time, share, and rates where the work is known.
  public var table: String {
    let all = totals
    let parts = Part.allCases.compactMap { part in
      Self.table(part.rawValue, all.filter { $0.key.part == part }.map { ($0.key.name, $0.value) })
    }
    return parts.isEmpty ? "profile: nothing ran" : parts.joined(separator: "\n\n")
  }

  private static func table(_ title: String, _ totals: [(name: String, total: Total)]) -> String? {
    guard !totals.isEmpty else { return nil }
    let all = totals.reduce(0) { $0 + $1.total.nanoseconds }
    let header = [title, "calls", "total ms", "mean us", "share", "GFLOP/s", "GB/s"]
    let rows = totals.sorted { ($1.total.nanoseconds, $0.name) < ($0.total.nanoseconds, $1.name) }.map {
      let (name, total) = $0
      let nanoseconds = Double(max(1, total.nanoseconds))
      func rate(_ work: Int?) -> String {
        work.map { String(format: "%.1f", Double($0) / nanoseconds) } ?? ""
      }
      return [
        name, "\(total.calls)", String(format: "%.3f", Double(total.nanoseconds) / 1e6),
        String(format: "%.1f", Double(total.nanoseconds) / 1e3 / Double(total.calls)),
        String(format: "%.1f %%", 100 * Double(total.nanoseconds) / Double(max(1, all))),
        rate(total.work.flops), rate(total.work.bytes),
      ]
    }
    let sum = [
      "all", "\(totals.reduce(0) { $0 + $1.total.calls })", String(format: "%.3f", Double(all) / 1e6),
      "", "", "", "",
    ]
    return aligned([header] + rows + [sum])
  }

  /// Columns padded to equal width, the first to the left.
  private static func aligned(_ rows: [[String]]) -> String {
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max()! }
    return rows.map { row in
      let cells = row.enumerated().map { column, text in
        let space = String(repeating: " ", count: widths[column] - text.count)
        return column == 0 ? text + space : space + text
      }
      return cells.joined(separator: "  ").replacing(/\ +$/, with: "")
    }.joined(separator: "\n")
  }

  /// Writes the spans as a Chrome trace, which Perfetto and chrome://tracing open: an array of complete events with
  /// times in microseconds, one track for each queue and one for each thread of the host.
  /// - Throws: `.io` if the file cannot be written.
  public func writeTrace(to path: String) throws {
    let spans = self.spans
    try AtomicFile.write(to: path) { writer in
      let tracks = Set(spans.map(\.track))
      try writer.write("[" + tracks.map(Self.heading).sorted().joined(separator: ",\n"))
      for span in spans { try writer.write(",\n" + Self.event(span)) }
      try writer.write("]\n")
    }
  }

  private static func heading(_ track: Track) -> String {
    let name =
      switch track {
      case .queue: "device queue"
      case .transfers: "transfers to the device"
      case .host(0): "host"
      case .host: "host, thread \(track.number)"
      }
    return """
      {"name":"thread_name","ph":"M","pid":1,"tid":\(track.number),"args":{"name":"\(name)"}}
      """
  }

  private static func event(_ span: Span) -> String {
    var arguments: [String] = []
    if !span.global.isEmpty { arguments.append("\"global\":\(span.global)") }
    if !span.local.isEmpty { arguments.append("\"local\":\(span.local)") }
    if let flops = span.work.flops { arguments.append("\"flops\":\(flops)") }
    if let bytes = span.work.bytes { arguments.append("\"bytes\":\(bytes)") }
    let kind = span.track.part
    return """
      {"name":"\(span.name)","cat":"\(kind)","ph":"X","pid":1,"tid":\(span.track.number),\
      "ts":\(microseconds(span.start)),"dur":\(microseconds(span.end - span.start)),\
      "args":{\(arguments.joined(separator: ","))}}
      """
  }

  private static func microseconds(_ nanoseconds: Int64) -> String {
    String(format: "%.3f", Double(nanoseconds) / 1000)
  }
}

extension Profile.Track {
  /// The number of the line in the trace: the device's queues are 1 and 2.
  package var number: Int {
    switch self {
    case .queue: 1
    case .transfers: 2
    case .host(let thread): thread + 3
    }
  }

  var part: Profile.Part {
    switch self {
    case .queue: .device
    case .transfers: .transfers
    case .host: .host
    }
  }
}
