import FileFormats
import Foundation
import Logits
import Statistics

extension StudyReport {
  var theory: Page.Section? {
    guard let table = StudyText.theory(results) else { return nil }
    func line(_ name: String, _ check: TheoryCheck?) -> Plot.Line? {
      check.map { Plot.Line(name, $0.scale.points.map { .init($0.scale, $0.loss) }) }
    }
    let curves = [
      line("standard", results.standardTheory.first), line("AT", results.robustTheory.first),
    ].compactMap { $0 }
    let limit = StudyText.number(results.standardTheory.first?.scale.lossAtZero)
    return Page.Section(
      "Theory on these networks",
      [
        .paragraph(
          "The adversarial loss is convex in the scale s of the logits and is log K = \(limit) at s = 0. Where it is above"
            + " that at s = 1, the best s is below 1: smaller logits, a smaller gap, the same accuracy. Where training has"
            + " made the loss stationary in s, the mean loss is the mean entropy, less what weight decay takes. Each point"
            + " of a curve is attacked anew. The entropy of a sample caps its gap; how much of the cap gaps reach is the last"
            + " column."),
        .plot(
          .lines(
            "Adversarial loss over the scale of the logits, first pair",
            message: scaleMessage,
            x: Plot.Axis("scale s", isLogarithmic: true),
            y: Plot.Axis("adversarial loss", unit: "nats", isLogarithmic: true),
            series: curves)),
        .table(table),
      ], sections: [linear].compactMap { $0 })
  }

  /// How far networks under attack are locally linear.
  private var linear: Page.Section? {
    guard let linear = results.linear, let table = StudyText.linear(results),
      let flips = StudyText.flips(results)
    else { return nil }
    return Page.Section(
      "Locally linear networks",
      [
        .paragraph(
          "An Linf attack of radius epsilon takes epsilon ||grad m||_1 off a margin m of a linear network, and less where"
            + " pixels cannot leave [0, 1]. This holds exactly for no deep network; here is how far it does at epsilon"
            + " \(StudyText.number(linear.epsilon)), on attacked test images that are classified correctly before the attack."
            + " The median of what the attack took over what was predicted is 1 where the prediction is exact. The loss of a"
            + " linear network under its worst attack lies between log(1 + max_j e^-m'_j) and log(1 + sum_j e^-m'_j) of the"
            + " reduced margins m'_j; it is the attack's, hence a lower bound of the worst one, that is compared."
        ),
        .table(table.withoutEmptyColumns), .table(flips),
      ])
  }

  private var scaleMessage: String {
    let best = [results.standardTheory, results.robustTheory].map { $0.first.map(\.scale.best) }
    return "The smallest loss is at s = \(StudyText.number(best[0])) for the standard network and at s ="
      + " \(StudyText.number(best[1])) with AT."
  }

  var dose: Page.Section? {
    guard let dose = results.dose, let table = StudyText.dose(results) else { return nil }
    let radii = Dictionary(grouping: dose.doses, by: \.epsilon).sorted { $0.key < $1.key }
    func line(_ name: String, _ value: @escaping (DoseResponse.Dose) -> Double) -> Plot.Line {
      Plot.Line(
        name,
        radii.map { epsilon, doses in
          let values = doses.map(value)
          return .init(
            epsilon, values.reduce(0, +) / Double(values.count), interval: values.min()!...values.max()!)
        })
    }
    return Page.Section(
      "Over the radius of training",
      [
        .plot(
          .lines(
            "Logits over the radius of adversarial training",
            message:
              "Means over networks; the bars reach from the lowest to the highest network. Radius 0 is standard training.",
            x: Plot.Axis("radius", unit: "pixel units"), y: Plot.Axis("mean over test images"),
            series: [line("logit gap") { $0.logitGap }, line("max logit minus mean") { $0.centredMax }])),
        .table(table),
      ])
  }

  var networks: Page.Section {
    Page.Section(
      "Networks",
      [
        .paragraph(attackNote + matched),
        .table(StudyText.accuracies(results).withoutEmptyColumns),
      ])
  }

  private var attackNote: String {
    results.attacked == nil
      ? "The networks are given by tables of their logits; they were not attacked."
      : "The accuracy under attack is an upper bound of the robust accuracy: one attack, without a check for masked gradients."
  }

  private var matched: String {
    study.matchedAccuracy.map {
      " The standard networks of equal accuracy are right on \(percentText($0)) of the clean images in the mean."
    } ?? ""
  }

  var methods: Page.Section {
    let rows = results.settings.sorted { $0.key < $1.key }.map { [$0.key, $0.value] }
    var blocks: [Page.Block] = [
      .list([
        "Pixels are in [0, 1]. Logits are the network's outputs before softmax; the max logit depends on a constant that"
          + " may be added to all logits, the gap and the max minus the mean do not.",
        "Differences are AT minus standard, of two networks of one seed, which is the unit of replication. t intervals are"
          + " over seeds; bootstrap intervals are percentiles of 10,000 resamples of seeds and of samples, the same samples for"
          + " all seeds, since all networks see the same images; they are too narrow with few seeds. Claims go by t"
          + " intervals.",
        "p (t) is the paired t test over seeds, corrected by Holm for all measures of a table; p (sign flips) is exact and"
          + " cannot be below 2 to the power of 1 minus the number of seeds.",
        "The ceiling of agreement comes from networks of one kind that differ in their seed: the geometric mean of the two"
          + " kinds' rank correlations, the lower one of their Jaccard indices. Two kinds that rank samples alike up to the"
          + " noise of seeds reach it. Its intervals are by the jackknife over seeds.",
        "By chance means: samples of one network are matched with another's at random. How many the two tenths then share is"
          + " hypergeometric, which gives the mean Jaccard index, the range of 95 % of single pairs, and the probability p of as"
          + " many or more, exactly; p is the largest one over the pairs of a standard and an AT network of different seeds.",
        "Cohen's d is the mean of the samples' differences over their standard deviation; Cliff's delta, the"
          + " Kolmogorov-Smirnov and the Wasserstein distance compare the two distributions.",
      ])
    ]
    if !rows.isEmpty {
      blocks.append(.table(Table("Settings", columns: [.text("Setting"), .text("Value")], rows: rows)))
    }
    if !commands.isEmpty { blocks.append(.code(commands.joined(separator: "\n"))) }
    return Page.Section("Methods", blocks)
  }

  var data: Page.Section {
    let json = (try? results.json()).map { Array($0.utf8) } ?? []
    return Page.Section(
      "Data",
      [
        .downloads([
          Download("study.json", type: "application/json", bytes: json),
          Download("effects.csv", type: "text/csv", bytes: Array(effectsCSV.utf8)),
          Download("class-confusions.csv", type: "text/csv", bytes: Array(confusionsCSV.utf8)),
          Download("claims.csv", type: "text/csv", bytes: Array(claimsCSV.utf8)),
          Download("samples.npz", type: "application/zip", bytes: samplesArchive),
        ])
      ])
  }

  /// The samples' gaps and confidences, (seeds, samples).
  private var samplesArchive: [UInt8] {
    let kinds = [("standard", standard), ("robust", robust)]
    let arrays = kinds.flatMap { name, networks in
      [("logit_gap", Measure.logitGap), ("confidence", .confidence)].map { title, measure in
        let values = networks.flatMap { $0.values(measure)!.map { Float($0) } }
        return (
          name: "\(name)_\(title)",
          array: try! NpyArray(shape: [networks.count, sampleIDs.count], .float32(values))
        )
      }
    }
    let ids = try! NpyArray(shape: [sampleIDs.count], .int64(sampleIDs))
    return NpzArchive.serialized([(name: "sample_ids", array: ids)] + arrays)
  }

  private var effectsCSV: String {
    let head =
      "selection,measure,standard_mean,robust_mean,difference,lower,upper,holm_p,sign_flip_p,share_robust_lower,cohen_dz,"
      + "cliffs_delta\n"
    let rows = LogitStudy.Selection.allCases.flatMap { selection in
      Measure.allCases.compactMap { measure in
        study.effects[selection]?[measure].map { effect in
          let numbers: [Double?] = [
            effect.standardMean, effect.robustMean, effect.difference, effect.bootstrapInterval?.lower,
            effect.bootstrapInterval?.upper, effect.holmP, effect.signFlipP, effect.shareRobustLower,
            effect.cohenDz, effect.cliffsDelta,
          ]
          return ([selection.rawValue, measure.rawValue] + numbers.map { $0.map { "\($0)" } ?? "" })
            .joined(separator: ",")
        }
      }
    }
    return head + rows.joined(separator: "\n") + "\n"
  }

  private var claimsCSV: String {
    let rows = results.claims.map { claim in
      [
        claim.id, claim.verdict.rawValue, claim.value.map { "\($0)" } ?? "",
        claim.interval.map { "\($0.lower)" } ?? "", claim.interval.map { "\($0.upper)" } ?? "",
        claim.pValue.map { "\($0)" } ?? "", "\"\(claim.statement)\"",
      ].joined(separator: ",")
    }
    return "claim,verdict,value,lower,upper,p,statement\n" + rows.joined(separator: "\n") + "\n"
  }
}
