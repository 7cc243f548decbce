extension Page {
  /// The page as Markdown: headings, paragraphs, lists, commands and tables. Plots are named with what they say; galleries
  /// and downloads are left out.
  public var markdown: String {
    let head = ["# \(title)"] + summary
    return (head + sections.flatMap { Self.markdown($0, level: 2) }).joined(separator: "\n\n") + "\n"
  }

  private static func markdown(_ section: Section, level: Int) -> [String] {
    let heading = String(repeating: "#", count: level) + " " + section.title
    let content =
      section.blocks.compactMap(\.markdown) + section.sections.flatMap { markdown($0, level: level + 1) }
    return content.isEmpty ? [] : [heading] + content
  }
}

extension Page.Block {
  /// Nil for what Markdown cannot show.
  var markdown: String? {
    switch self {
    case .paragraph(let text): text
    case .list(let items): items.map { "- \($0)" }.joined(separator: "\n")
    case .code(let text): "```\n\(text)\n```"
    case .table(let table): table.caption + ":\n\n" + table.markdown
    case .plot(let plot): "Plot: \(plot.title). \(plot.message)"
    case .graphs(let graphs):
      graphs.map { "Graph: \($0.title). \($0.message) \($0.remark)" }.joined(separator: "\n\n")
    case .links(let links): links.map { "- [\($0.text)](\($0.address))" }.joined(separator: "\n")
    case .gallery, .downloads: nil
    }
  }
}

extension [Page.Block] {
  /// The blocks as Markdown, as in ``Page/markdown``.
  public var markdown: String { compactMap(\.markdown).joined(separator: "\n\n") + "\n" }
}
