/// Sorting many numbers by their bits, eleven at a time from the lowest: a few passes over memory instead of comparisons,
/// with as much scratch memory as the numbers take.

/// Sorts ascending; NaN is not allowed, and -0 comes before 0.
package func sort(_ values: inout [Double]) {
  values.withUnsafeMutableBufferPointer { sort($0) }
}

/// Sorts ascending; NaN is not allowed, and -0 comes before 0.
package func sort(_ values: UnsafeMutableBufferPointer<Double>) {
  var values = values
  guard values.count >= fewNumbers else { return values.sort() }
  values.withMemoryRebound(to: UInt64.self) { keys in
    for place in keys.indices { keys[place] = sortingKey(keys[place]) }
    radixSort(keys, order: nil)
    for place in keys.indices { keys[place] = bits(ofKey: keys[place]) }
  }
}

/// The places of `values` in ascending order of their values, equal ones by place, and the values in that order.
///
/// - Precondition: No value is NaN, and there are fewer than 2^31.
package func sorted(_ values: consuming [Double]) -> (values: [Double], order: [UInt32]) {
  var values = values
  let order = values.withUnsafeMutableBytes { bytes in
    let keys = bytes.bindMemory(to: UInt64.self)
    for place in keys.indices { keys[place] = sortingKey(keys[place]) }
    let order = sortedPlaces(keys)
    for place in keys.indices { keys[place] = bits(ofKey: keys[place]) }
    return order
  }
  return (values, order)
}

/// The same for whole numbers.
package func sorted(_ values: consuming [Int64]) -> (values: [Int64], order: [UInt32]) {
  var values = values
  let signBit = UInt64(1) << 63
  let order = values.withUnsafeMutableBytes { bytes in
    let keys = bytes.bindMemory(to: UInt64.self)
    for place in keys.indices { keys[place] ^= signBit }
    let order = sortedPlaces(keys)
    for place in keys.indices { keys[place] ^= signBit }
    return order
  }
  return (values, order)
}

/// Below so many numbers comparing is as fast.
private let fewNumbers = 4096

/// Sorts `keys`; returns where they stood, equal ones in order.
private func sortedPlaces(_ keys: UnsafeMutableBufferPointer<UInt64>) -> [UInt32] {
  precondition(keys.count < 1 << 31, "There are too many numbers.")
  if keys.count < fewNumbers {
    let order = keys.indices.sorted { (keys[$0], $0) < (keys[$1], $1) }
    let copy = order.map { keys[$0] }
    for (place, key) in copy.enumerated() { keys[place] = key }
    return order.map { UInt32($0) }
  }
  var order = (0..<UInt32(keys.count)).map { $0 }
  order.withUnsafeMutableBufferPointer { radixSort(keys, order: $0) }
  return order
}

/// Unsigned keys whose order is that of the numbers with these bits: for positive numbers the sign bit is set, for negative
/// ones all bits are flipped.
private func sortingKey(_ bits: UInt64) -> UInt64 { bits >> 63 == 0 ? bits | 1 << 63 : ~bits }
private func bits(ofKey key: UInt64) -> UInt64 { key >> 63 == 1 ? key & ~(1 << 63) : ~key }

/// Sorts `keys` and moves `order` along, equal keys in order.
func radixSort(_ keys: UnsafeMutableBufferPointer<UInt64>, order: UnsafeMutableBufferPointer<UInt32>?) {
  let digits = 6, width = 2048
  var counts = [Int](repeating: 0, count: digits * width)
  for key in keys {
    for digit in 0..<digits { counts[digit * width + Int(key >> (11 * UInt64(digit)) & 2047)] += 1 }
  }
  let scratch = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: keys.count)
  let places = order.map { UnsafeMutableBufferPointer<UInt32>.allocate(capacity: $0.count) }
  defer {
    scratch.deallocate()
    places?.deallocate()
  }
  var (from, to) = (keys, scratch)
  var (orderFrom, orderTo) = (order, places)
  for digit in 0..<digits {
    let all = digit * width..<(digit + 1) * width
    // A digit that all keys share moves nothing.
    if counts[all].contains(keys.count) { continue }
    var starts = counts[all].reduce(into: [0]) { $0.append($0.last! + $1) }
    let shift = 11 * UInt64(digit)
    for place in from.indices {
      let bucket = Int(from[place] >> shift & 2047)
      to[starts[bucket]] = from[place]
      if let orderFrom { orderTo![starts[bucket]] = orderFrom[place] }
      starts[bucket] += 1
    }
    swap(&from, &to)
    swap(&orderFrom, &orderTo)
  }
  if from.baseAddress != keys.baseAddress {
    _ = keys.update(from: from)
    if let order, let orderFrom { _ = order.update(from: orderFrom) }
  }
}
