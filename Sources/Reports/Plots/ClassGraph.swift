/// A directed graph of classes on a circle: an edge leads from a true class to a class that its samples come near to, the
/// wider and darker the larger their share. Drawn without gnuplot, as SVG with the page's colours.
public struct ClassGraph: Sendable {
  /// From a class to another one, by their numbers.
  public struct Edge: Sendable, Equatable {
    let from, to: Int
    /// In (0, 1].
    let share: Double

    /// An edge between two different classes, with a share in (0, 1].
    public init(from: Int, to: Int, share: Double) {
      precondition(from != to && share > 0 && share <= 1, "an edge leads elsewhere, with a share in (0, 1]")
      (self.from, self.to, self.share) = (from, to, share)
    }
  }

  let title: String
  /// The edges that are drawn, the thickest last.
  let edges: [Edge]
  /// The classes that are drawn, in order.
  let classes: [Int]
  let names: [String]
  let threshold: Double
  /// The place of the colour in the palette.
  let series: Int
  /// Of more classes only the largest edges, and the classes that they touch, are drawn.
  static let mostClasses = 30

  /// Creates a graph.
  /// - Parameters:
  ///   - names: What the classes are called, by number.
  ///   - edges: At most one for each pair of classes and direction.
  ///   - threshold: Edges of smaller shares are left out.
  ///   - series: Which colour of the palette, from 0.
  public init(_ title: String, names: [String], edges: [Edge], threshold: Double = 0.1, series: Int = 0) {
    precondition(
      edges.allSatisfy { names.indices ~= $0.from && names.indices ~= $0.to }, "an edge has no class")
    precondition(Palette.light.indices ~= series, "the palette has no such colour")
    (self.title, self.names, self.threshold, self.series) = (title, names, threshold, series)
    let large = edges.filter { $0.share >= threshold }.sorted { $0.share > $1.share }
    var touched: Set<Int> = names.count > Self.mostClasses ? [] : Set(names.indices)
    let chosen = large.prefix { edge in
      let more = touched.union([edge.from, edge.to])
      guard more.count <= Self.mostClasses else { return false }
      touched = more
      return true
    }
    self.edges = chosen.reversed()
    classes = touched.sorted()
  }

  /// The main edges in words: the text alternative of the picture.
  var message: String {
    guard !edges.isEmpty else {
      return "No class comes near to one other class for \(percentText(threshold)) of its samples."
    }
    let main = edges.suffix(5).reversed().map {
      "\(names[$0.from]) to \(names[$0.to]) \(percentText($0.share))"
    }
    let rest = edges.count > main.count ? ", and \(edges.count - main.count) more" : ""
    return main.joined(separator: ", ") + rest + "."
  }

  /// What the picture leaves out.
  var remark: String {
    let some = names.count > Self.mostClasses ? ", and of \(names.count) classes those with the largest" : ""
    return "Shares of \(percentText(threshold)) and more\(some)."
  }

  /// The edges that are drawn, the largest share first.
  var table: Table {
    Table(
      title, columns: [.text("True class"), .text("Nearest wrong class"), .number("Share")],
      rows: edges.reversed().map { [names[$0.from], names[$0.to], percentText($0.share)] })
  }

  /// The figure, with its data as a table.
  /// - Parameter prefix: Begins every id.
  func html(prefix: String) -> String {
    """
    <figure>
    <figcaption><b>\(escaped(title)).</b> \(escaped(message)) <span class="muted">\(escaped(remark))</span></figcaption>
    \(svg(prefix: prefix))
    <details><summary>Data of this graph</summary>
    \(table.html)</details>
    </figure>

    """
  }
}
