import FileFormats

/// A self-contained HTML document: it fetches nothing, needs no scripts, and is well-formed XML as well.
///
/// ```swift
/// let page = Page("Logits", summary: ["What was found."], sections: [
///   Page.Section("Maxima", [.paragraph("…"), .plot(plot), .table(table)])
/// ])
/// try AtomicFile.write(page.html(), to: "index.html")
/// ```
public struct Page: Sendable {
  /// One part of a section.
  public enum Block: Sendable {
    /// A paragraph of plain text.
    case paragraph(String)
    /// A bulleted list of plain texts.
    case list([String])
    /// Commands or other preformatted text.
    case code(String)
    /// A table.
    case table(Table)
    /// A plot with its data.
    case plot(Plot)
    /// Graphs of classes, side by side where there is space.
    case graphs([ClassGraph])
    /// Images with predictions.
    case gallery(Gallery)
    /// Files to save.
    case downloads([Download])
    /// Addresses elsewhere, which the reader may follow.
    case links([Link])
  }

  /// A text that leads to an address.
  public struct Link: Sendable {
    let text: String
    let address: String

    /// Creates a link.
    /// - Parameter address: An address with `http:`, `https:` or `mailto:`, a relative one, or `#id`;
    ///   without spaces.
    public init(_ text: String, address: String) {
      precondition(address.unicodeScalars.allSatisfy { $0 > " " }, "an address contains spaces")
      let scheme = address.prefixMatch(of: /([A-Za-z][A-Za-z0-9+.\-]*):/)?.output.1.lowercased()
      precondition(
        scheme.map { ["http", "https", "mailto"].contains($0) } ?? true, "links do not lead to \(address)")
      self.text = text
      self.address = address
    }
  }

  /// A heading, what follows it, and its parts.
  public struct Section: Sendable {
    let title: String
    let blocks: [Block]
    let sections: [Section]

    /// Creates a section.
    public init(_ title: String, _ blocks: [Block] = [], sections: [Section] = []) {
      self.title = title
      self.blocks = blocks
      self.sections = sections
    }
  }

  let title: String
  let summary: [String]
  let sections: [Section]

  /// Creates a page.
  /// - Parameters:
  ///   - title: The heading of the page and of its window.
  ///   - summary: Paragraphs before the table of contents.
  ///   - sections: Nested at most five deep.
  public init(_ title: String, summary: [String], sections: [Section]) {
    self.title = title
    self.summary = summary
    self.sections = sections
  }

  /// The text of the HTML file.
  /// - Parameter gnuplot: Draws the plots; without it, and where it fails, a note stands in a plot's place, and
  ///   the table of its data remains.
  public func html(gnuplot: Gnuplot? = .installed) -> String {
    var writer = PageWriter(gnuplot: gnuplot)
    for (index, section) in sections.enumerated() { writer.add(section, id: "s\(index + 1)", level: 2) }
    return """
      <!DOCTYPE html>
      <html lang="en" xmlns="http://www.w3.org/1999/xhtml">
      <head>
      <meta charset="utf-8"/>
      <meta name="viewport" content="width=device-width, initial-scale=1"/>
      <title>\(escaped(title))</title>
      <style>
      \(StyleSheet.text)
      </style>
      </head>
      <body>
      <a class="skip" href="#content">Skip to the content</a>
      <header>
      <h1>\(escaped(title))</h1>
      \(summary.map { "<p>\(escaped($0))</p>\n" }.joined())</header>
      \(contents)<main id="content" tabindex="-1">
      \(writer.html)</main>
      </body>
      </html>

      """
  }

  /// The table of contents; nothing for fewer than two sections.
  private var contents: String {
    guard sections.count > 1 else { return "" }
    return """
      <nav aria-labelledby="contents">
      <h2 id="contents">Contents</h2>
      \(Self.list(sections, prefix: "s"))</nav>

      """
  }

  private static func list(_ sections: [Section], prefix: String) -> String {
    let items = sections.enumerated().map { index, section in
      let id = "\(prefix)\(index + 1)"
      let parts = section.sections.isEmpty ? "" : "\n" + list(section.sections, prefix: id + "-")
      return "<li><a href=\"#\(id)\">\(escaped(section.title))</a>\(parts)</li>\n"
    }
    return "<ol>\n\(items.joined())</ol>\n"
  }
}

/// Writes sections one after the other and numbers the figures.
private struct PageWriter {
  let gnuplot: Gnuplot?
  private(set) var html = ""
  private var figures = 0

  init(gnuplot: Gnuplot?) { self.gnuplot = gnuplot }

  mutating func add(_ section: Page.Section, id: String, level: Int) {
    precondition(level <= 6, "sections are nested more than five deep")
    html += "<section id=\"\(id)\" aria-labelledby=\"\(id)-title\">\n"
    html += "<h\(level) id=\"\(id)-title\">\(escaped(section.title))</h\(level)>\n"
    for block in section.blocks { add(block) }
    for (index, part) in section.sections.enumerated() {
      add(part, id: "\(id)-\(index + 1)", level: level + 1)
    }
    html += "</section>\n"
  }

  private mutating func add(_ block: Page.Block) {
    switch block {
    case .paragraph(let text): html += "<p>\(escaped(text))</p>\n"
    case .list(let texts): addList(texts.map(escaped))
    case .code(let text):
      html += """
        <pre class="wide" role="region" tabindex="0" aria-label="Code"><code>\(escaped(text))</code></pre>

        """
    case .table(let table): html += table.html
    case .plot(let plot): add(plot)
    case .graphs(let graphs): add(graphs)
    case .gallery(let gallery): html += gallery.html
    case .downloads(let downloads): addList(downloads.map(\.html))
    case .links(let links):
      addList(links.map { "<a href=\"\(escaped($0.address))\">\(escaped($0.text))</a>" })
    }
  }

  private mutating func addList(_ items: [String]) {
    html += "<ul>\n\(items.map { "<li>\($0)</li>\n" }.joined())</ul>\n"
  }

  private mutating func add(_ graphs: [ClassGraph]) {
    html += "<div class=\"graphs\">\n"
    for graph in graphs {
      figures += 1
      html += graph.html(prefix: "fig\(figures)")
    }
    html += "</div>\n"
  }

  private mutating func add(_ plot: Plot) {
    figures += 1
    let remark = plot.content.remark.map { " <span class=\"muted\">\(escaped($0))</span>" } ?? ""
    html += """
      <figure>
      <figcaption><b>\(escaped(plot.title)).</b> \(escaped(plot.message))\(remark)</figcaption>
      \(picture(plot, "fig\(figures)"))
      <details><summary>Data of this plot</summary>
      \(plot.table.html)</details>
      </figure>

      """
  }

  private func picture(_ plot: Plot, _ prefix: String) -> String {
    func note(_ text: String) -> String { "<p class=\"note\">\(escaped(text))</p>" }
    if plot.content.isEmpty { return note("No data.") }
    guard let gnuplot else { return note("gnuplot is not installed: plots are left out.") }
    do {
      return try plot.inlineSVG(gnuplot: gnuplot, prefix: prefix)
    } catch {
      return note("The plot is left out: \(error)")
    }
  }
}
