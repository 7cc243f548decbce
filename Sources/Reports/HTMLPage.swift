import Foundation

/// One self-contained HTML page from paragraphs and tables in Markdown.
public enum HTMLPage {
  /// The page's text; nothing in it is fetched from elsewhere.
  /// - Parameters:
  ///   - markdown: paragraphs and pipe tables; nothing else of Markdown is understood.
  ///   - picture: the text of an SVG file, shown behind the first table.
  public static func page(title: String, markdown: String, picture: String?) -> String {
    var body = "<h1>\(escape(title))</h1>\n"
    var shown = picture == nil
    for block in markdown.components(separatedBy: "\n\n") where !block.isEmpty {
      let isTable = block.hasPrefix("|")
      body += isTable ? table(block) : "<p>\(escape(block))</p>\n"
      if !isTable, !shown, let picture {
        shown = true
        body += figure(picture)
      }
    }
    return """
      <!doctype html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(escape(title))</title>
      <style>
      :root { color-scheme: light dark; }
      body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
      .wide { overflow-x: auto; }
      table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
      th, td { padding: .35rem .6rem; border-bottom: 1px solid #8886; text-align: right; }
      th:first-child, td:first-child { text-align: left; }
      figure { margin: 1.5rem 0; overflow-x: auto; }
      svg { max-width: 100%; height: auto; background: #fff; border-radius: 6px; }
      </style>
      </head>
      <body>
      \(body)</body>
      </html>

      """
  }

  private static func table(_ block: String) -> String {
    let rows = block.split(separator: "\n").map { line in
      line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
    var html = "<div class=\"wide\"><table>\n<thead><tr>"
    html +=
      (rows.first ?? []).map { "<th scope=\"col\">\(escape($0))</th>" }.joined() + "</tr></thead>\n<tbody>\n"
    for row in rows.dropFirst(2) {
      html += "<tr>" + row.map { "<td>\(escape($0))</td>" }.joined() + "</tr>\n"
    }
    return html + "</tbody></table></div>\n"
  }

  private static func figure(_ svg: String) -> String {
    let start = svg.range(of: "<svg")?.lowerBound ?? svg.startIndex
    return """
      <figure role="img" aria-label="Histograms of the max logit and the logit gap of both networks">
      \(svg[start...])
      <figcaption>Distribution over the test images.</figcaption></figure>

      """
  }

  private static func escape(_ text: String) -> String {
    text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
      .replacingOccurrences(of: ">", with: "&gt;")
  }
}
