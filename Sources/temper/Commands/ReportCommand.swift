import ArgumentParser
import FileFormats
import Foundation
import Logits
import Reports

/// `temper report`
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write a report about the logits of standard and adversarially trained runs.",
    discussion: """
      Measures every run on clean and attacked images, compares the two kinds over the seeds, checks what theory says, and
      writes one self-contained HTML page with tables, plots (by gnuplot) and galleries, or its texts and tables as Markdown.
      What was measured is kept in each run's folder `analysis`, so that a stopped report goes on. Networks may also be
      tables of logits, see `temper analyze`; what cannot be measured of them is left out.

      EXAMPLES
        temper report --standard runs/standard --robust runs/at --epsilon 0.1 --out report.html
        temper report --standard runs/standard-{0,1,2} --robust runs/at-{0,1,2} --dose runs/at-0-epsilon-0.05 --out r.html
      """)

  @OptionGroup var options: StudyOptions
  @Option(help: ArgumentHelp("The report, .html or .md.", valueName: "file")) var out: String
  @Flag(help: "Print the figures as JSON, the object of `temper analyze --json`.") var json = false

  func validate() throws {
    guard out.hasSuffix(".html") || out.hasSuffix(".md") else {
      throw ValidationError("--out \(out) ends neither in .html nor in .md.")
    }
  }

  func run() throws {
    try AtomicFile.checkWritable(out)
    let study = try GatheredStudy(options)
    let tables = try study.tables(matched: false)
    let report = StudyReport(
      study.results, standard: tables.standard, robust: tables.robust,
      images: study.images.flatMap { images in
        [1, 3].contains(images.channels)
          ? .init(
            height: images.height, width: images.width, channels: images.channels, bytes: images.images)
          : nil
      },
      classNames: study.classNames, commands: [CommandLine.arguments.map(quoted).joined(separator: " ")])
    let page = report.page
    try AtomicFile.write(out.hasSuffix(".md") ? page.markdown : page.html(), to: out)
    if out.hasSuffix(".html"), Gnuplot.installed == nil {
      Console.note("note: gnuplot is missing; the page comes without plots (apt-get install gnuplot-nox).")
    }
    Console.note(out)
    if json { try Console.json(study.results) }
  }

  /// The program by its name alone; arguments with blanks in quotes.
  private func quoted(_ argument: String) -> String {
    if argument == CommandLine.arguments.first { return "temper" }
    return argument.contains(" ") ? "'\(argument)'" : argument
  }
}
