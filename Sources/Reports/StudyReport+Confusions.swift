import Logits

extension StudyReport {
  /// Edges of smaller shares are not drawn.
  private static let threshold = 0.1

  var confusions: Page.Section? {
    guard let confusions = study.confusions else { return nil }
    let kinds = [("standard networks", confusions.standard), ("AT", confusions.robust)]
    let graphs = kinds.enumerated().map { index, kind in
      ClassGraph(
        "Nearest wrong classes, \(kind.0)", names: classNames,
        edges: kind.1.map { .init(from: $0.label, to: $0.other, share: $0.nearestShare) },
        threshold: Self.threshold, series: index)
    }
    return Page.Section(
      "Class confusions",
      [
        .paragraph(
          "An arrow leads from a true class to the class whose logit is the largest of all others', the wider the larger the"
            + " share of the class's samples for which it is, in means over seeds. Where the network is wrong, that is the class"
            + " that it predicts; the table has the shares of these errors too. class-confusions.csv, at the end, has all shares."
        ),
        .graphs(graphs), .table(confusionTable(confusions)),
      ])
  }

  /// The largest shares of either kind.
  private func confusionTable(_ confusions: Confusions) -> Table {
    let (a, b) = (byCell(confusions.standard), byCell(confusions.robust))
    let shares = Set(a.keys).union(b.keys).map { cell in
      (cell: cell, largest: max(a[cell]?.nearestShare ?? 0, b[cell]?.nearestShare ?? 0))
    }
    let sorted = shares.filter { $0.largest >= Self.threshold }.sorted {
      $0.largest != $1.largest
        ? $0.largest > $1.largest : ($0.cell[0], $0.cell[1]) < ($1.cell[0], $1.cell[1])
    }
    func share(_ value: Double?) -> String { percentText(value ?? 0) }
    return Table(
      "Shares of the true class's samples, the largest first, at most 40",
      columns: [
        .text("True class"), .text("Nearest wrong class"), .number("Standard"), .number("AT"),
        .number("Errors, standard"), .number("Errors, AT"),
      ],
      rows: sorted.prefix(40).map { cell, _ in
        [
          classNames[cell[0]], classNames[cell[1]], share(a[cell]?.nearestShare),
          share(b[cell]?.nearestShare), share(a[cell]?.errorShare), share(b[cell]?.errorShare),
        ]
      })
  }

  private func byCell(_ edges: [Confusions.Edge]) -> [[Int]: Confusions.Edge] {
    Dictionary(uniqueKeysWithValues: edges.map { ([$0.label, $0.other], $0) })
  }

  /// All edges that the study holds, with the classes' numbers and names.
  var confusionsCSV: String {
    func quoted(_ text: String) -> String { "\"" + text.replacing("\"", with: "\"\"") + "\"" }
    let kinds = [("standard", study.confusions?.standard), ("robust", study.confusions?.robust)]
    let rows = kinds.flatMap { kind, edges in
      (edges ?? []).map { edge in
        [
          kind, "\(edge.label)", quoted(classNames[edge.label]), "\(edge.other)",
          quoted(classNames[edge.other]), "\(edge.nearestShare)", "\(edge.errorShare)",
        ].joined(separator: ",") + "\n"
      }
    }
    return "kind,class,class_name,other_class,other_class_name,nearest_share,error_share\n" + rows.joined()
  }
}
