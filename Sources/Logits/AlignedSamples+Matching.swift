import FileFormats
import Statistics

extension AlignedSamples {
  /// Matches the samples of networks by their ids. Labels may be missing from some of them.
  ///
  /// - Parameter names: what errors call the networks.
  /// - Throws: ``TemperError`` of kind `badData` if they differ in classes, sample ids, images or labels.
  static func matching(_ networks: [any LogitSamples], names: [String]) throws -> [AlignedSamples] {
    let first = networks[0]
    let ids = try first.readSampleIDs()
    let order = SampleOrder(ids, count: first.sampleCount)
    let places = try networks.enumerated().map { index, network in
      index == 0 ? nil : try order.places(of: network, first, names: (names[0], names[index]))
    }
    var (labels, source): ([Int32]?, String) = (nil, names[0])
    for (name, (network, places)) in zip(names, zip(networks, places)) {
      guard let own = try network.readLabels() else { continue }
      let ordered = places.map { places in
        var ordered = own
        for (row, place) in places.enumerated() { ordered[Int(place)] = own[row] }
        return ordered
      }
      guard let known = labels else {
        (labels, source) = (ordered ?? own, name)
        continue
      }
      try refuseOther(ordered ?? own, than: known, ids, names: (source, name))
    }
    return try zip(networks, places).map { network, places in
      try AlignedSamples(network, places: places, labels: labels).keepingSoftmax()
    }
  }

  private static func refuseOther(
    _ labels: [Int32], than known: [Int32], _ ids: [Int64]?, names: (String, String)
  ) throws {
    guard let place = labels.indices.first(where: { labels[$0] != known[$0] }) else { return }
    throw mismatch(
      "labels",
      "differ for sample id \(ids?[place] ?? Int64(place)): \(known[place]) (\(names.0)), \(labels[place]) (\(names.1))."
    )
  }

  fileprivate static func mismatch(_ field: String, _ message: String) -> TemperError {
    TemperError(
      .badData, field: field, message,
      remedy: "All tables must come from the same samples of one data set.")
  }
}

/// Where each sample id stands in the first network's table.
private struct SampleOrder {
  private let ids: [Int64]?
  private let count: Int
  /// The ids in ascending order and their places; made when they are needed.
  private let index: Index

  private final class Index {
    let ids: [Int64]?
    let count: Int
    lazy var sortedIDs: (values: [Int64], order: [UInt32]) = sorted(ids ?? (0..<Int64(count)).map { $0 })

    init(_ ids: [Int64]?, _ count: Int) { (self.ids, self.count) = (ids, count) }
  }

  init(_ ids: [Int64]?, count: Int) {
    (self.ids, self.count) = (ids, count)
    index = Index(ids, count)
  }

  /// The place of each row of `network`; nil if its rows stand in the same order.
  func places(
    of network: any LogitSamples, _ first: any LogitSamples, names: (String, String)
  ) throws -> [UInt32]? {
    guard first.classCount == network.classCount else {
      throw AlignedSamples.mismatch(
        "logits", "have \(first.classCount) classes (\(names.0)) and \(network.classCount) (\(names.1)).")
    }
    guard count == network.sampleCount else {
      throw AlignedSamples.mismatch(
        "sample_ids", "are \(count) (\(names.0)) and \(network.sampleCount) (\(names.1)).")
    }
    let key = LogitTable.ProvenanceKey.imagesSHA256
    if let a = first.provenance[key], let b = network.provenance[key], a != b {
      throw AlignedSamples.mismatch(
        key, "differ: the logits of \(names.0) and of \(names.1) are of different images.")
    }
    let others = try network.readSampleIDs()
    if ids == nil && others == nil { return nil }
    let own = others ?? (0..<Int64(count)).map { $0 }
    if let ids, ids == own { return nil }
    // Both in ascending order: the same ids stand side by side.
    let (values, rows) = sorted(own)
    let known = index.sortedIDs
    if let place = values.indices.first(where: { values[$0] != known.values[$0] }) {
      throw AlignedSamples.mismatch(
        "sample_ids", "differ: \(names.1) lacks \(lacking(known, values, place)), which \(names.0) has.")
    }
    var places = [UInt32](repeating: 0, count: count)
    for place in rows.indices { places[Int(rows[place])] = known.order[place] }
    return places.enumerated().allSatisfy { $0 == Int($1) } ? nil : places
  }

  /// The first id, in the first network's order, that the other table lacks.
  private func lacking(_ known: (values: [Int64], order: [UInt32]), _ values: [Int64], _ place: Int) -> Int64
  {
    let others = Set(values)
    let missing = known.values.indices.filter { !others.contains(known.values[$0]) }
    return known.values[missing.min { known.order[$0] < known.order[$1] } ?? place]
  }
}
