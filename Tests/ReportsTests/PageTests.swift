import FileFormats
import Foundation
import Reports
import TestSupport
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// The page with every block, without and with its plots.
struct PageTests {
  static let pages =
    [samplePage.html(gnuplot: nil)] + (Gnuplot.installed.map { [samplePage.html(gnuplot: $0)] } ?? [])

  /// Written for a look at it, see `tools/screenshot`.
  @Test(.enabled(if: samplePath != nil, "TEMPER_SAMPLE_PAGE names no file")) func theSamplePageCanBeWritten()
    throws
  {
    try AtomicFile.write(Self.pages.last!, to: Self.samplePath!)
  }
  private static let samplePath = ProcessInfo.processInfo.environment["TEMPER_SAMPLE_PAGE"]

  @Test(arguments: pages.indices) func itIsWellFormed(index: Int) throws {
    let page = Self.pages[index]
    let outline = try Outline(page)
    #expect(outline.count("h1") == 1 && outline.count("main") == 1 && outline.count("nav") == 1)
    #expect(outline.count("h3") == 1 && outline.count("h4") == 1)
    let figures = samplePlots.count + sampleGraphs.count
    #expect(outline.count("figure") == figures && outline.count("details") == figures)
    #expect(outline.count("table") == figures + 1)
  }

  @Test(arguments: pages.indices) func idsAreUniqueAndLinksLeadToThem(index: Int) throws {
    let page = Self.pages[index]
    let outline = try Outline(page)
    let ids = outline.values("id")
    #expect(ids.count == Set(ids).count && !ids.isEmpty)
    let targets = outline.values("href").filter { $0.hasPrefix("#") }.map { String($0.dropFirst()) }
    #expect(targets.count > 5 && Set(targets).isSubset(of: ids))
    let names = outline.values("aria-labelledby").flatMap { $0.split(separator: " ").map(String.init) }
    #expect(Set(names).isSubset(of: ids))
  }

  @Test(arguments: pages.indices) func nothingIsFetched(index: Int) throws {
    let page = Self.pages[index]
    let outline = try Outline(page)
    let elsewhere = outline.elements.filter { element in
      ["src", "href", "xlink:href", "data"].contains { name in
        element.attributes[name].map { !$0.hasPrefix("data:") && !$0.hasPrefix("#") } ?? false
      }
    }
    #expect(elsewhere.map(\.name) == ["a"])
    #expect(outline.count("script") == 0 && outline.count("link") == 0)
    for text in ["url(", "@import", "@font-face"] { #expect(!page.contains(text)) }
  }

  @Test(arguments: pages.indices) func textsAppearAsTheyWere(index: Int) throws {
    let page = Self.pages[index]
    let outline = try Outline(page)
    let shown = hostile.replacing("\u{1}", with: "\u{FFFD}")
    #expect(outline.text("h1") == ["Sample \(shown)"] && outline.text("title").first == "Sample \(shown)")
    #expect(outline.text("p").contains("Paragraph \(shown)"))
    #expect(outline.text("li").contains(shown))
    #expect(outline.text("code").first?.contains(shown) == true)
    #expect(outline.text("caption").contains("Networks \(shown)"))
    #expect(outline.values("aria-label").contains("Samples \(shown)"))
    #expect(outline.values("download") == ["values \(shown).csv"])
    #expect(outline.values("alt").first == "sample 1, label Ankle boot")
    #expect(outline.text("th").contains("network 1 \(shown)"))
  }

  @Test func withoutGnuplotANoteStandsForEachPlot() throws {
    let notes = try Outline(Self.pages[0]).text("p").filter {
      $0 == "gnuplot is not installed: plots are left out."
    }
    #expect(notes.count == samplePlots.count - 1)
    #expect(try Outline(Self.pages[0]).text("p").filter { $0 == "No data." }.count == 1)
    #expect(try Outline(Self.pages[0]).count("svg") == sampleGraphs.count)
  }

  @Test func aGnuplotThatFailsIsReported() throws {
    try withFakeGnuplot("echo 'no terminal' >&2; exit 3") { gnuplot in
      let page = Page("Page", summary: [], sections: [Page.Section("Plot", [.plot(samplePlots[0])])])
      let note = try Outline(page.html(gnuplot: gnuplot)).text("p").first ?? ""
      #expect(note.contains("The plot is left out") && note.contains("no terminal"))
      #expect(samplePlots[0].svgFile(gnuplot: gnuplot) == nil)
    }
  }

  @Test func linksThatRunScriptsAreRefused() async {
    await #expect(processExitsWith: .failure) { _ = Page.Link("x", address: "JavaScript:alert(1)") }
    await #expect(processExitsWith: .failure) { _ = Page.Link("x", address: "java\tscript:alert(1)") }
    await #expect(processExitsWith: .success) { _ = Page.Link("x", address: "results.json#a:b") }
  }

  @Test func tablesHaveOneFormInMarkdown() {
    let table = Table("c", columns: [.text("a|b"), .number("n")], rows: [["x\ny", "1"]])
    #expect(table.markdown == "| a\\|b | n |\n|---|--:|\n| x y | 1 |")
  }
}
