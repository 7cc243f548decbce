import Logits

extension StudyReport {
  var confusions: Page.Section? {
    guard let confusions = study.confusions else { return nil }
    let kinds = [("standard networks", confusions.standard), ("AT", confusions.robust)]
    let graphs = kinds.enumerated().map { index, kind in
      ClassGraph(
        "Nearest wrong classes, \(kind.0)", names: classNames,
        edges: kind.1.map { .init(from: $0.label, to: $0.other, share: $0.nearestShare) },
        threshold: StudyText.confusionThreshold, series: index)
    }
    return Page.Section(
      "Class confusions",
      [
        .paragraph(
          "An arrow leads from a true class to the class whose logit is the largest of all others', the wider the larger the"
            + " share of the class's samples for which it is, in means over seeds. Where the network is wrong, that is the class"
            + " that it predicts; the table has the shares of these errors too. class-confusions.csv, at the end, has all shares."
        ),
        .graphs(graphs),
      ] + [StudyText.confusions(study, classNames, most: 40)].compactMap { $0.map { .table($0) } })
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
