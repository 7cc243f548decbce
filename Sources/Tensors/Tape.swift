import Devices
import Synchronization

/// One recorded operation: which inputs want a gradient, and how each gets its share of the output's gradient.
///
/// Only inputs that lead to a watched tensor are kept. An attack watches its images and no weights, so that it
/// never computes the gradient of a weight.
package final class TapeNode {
  package typealias Pullback = (Tensor) throws -> Tensor
  /// Later operations have higher numbers.
  let order: Int
  var inputs: [(node: TapeNode, pullback: Pullback)]
  private static let counter = Atomic<Int>(0)

  init(inputs: [(node: TapeNode, pullback: Pullback)] = []) {
    order = Self.counter.add(1, ordering: .relaxed).newValue
    self.inputs = inputs
  }
}

extension Tensor {
  /// This tensor with its history: each input with the function that turns the gradient of this tensor into
  /// the gradient of that input. Inputs without a history of their own are dropped.
  package func recorded(from inputs: [(Tensor, TapeNode.Pullback)]) -> Tensor {
    let wanted = inputs.compactMap { input, pullback in input.node.map { (node: $0, pullback: pullback) } }
    guard !wanted.isEmpty else { return self }
    var result = self
    result.node = TapeNode(inputs: wanted)
    return result
  }

  /// Whether a gradient through this tensor is wanted.
  package var isRecorded: Bool { node != nil }
}

/// A place that holds a tensor and whose gradient can be asked for, such as a network's parameter.
public protocol Watchable: AnyObject {
  /// The tensor; operations read it anew at each use.
  var value: Tensor { get }
  /// Starts (non-nil) or ends (nil) the recording of operations on ``value``.
  func watch(_ node: WatchToken?)
}

/// Marks a watched tensor's place on the tape.
public struct WatchToken {
  package let node: TapeNode
}

/// The value of `loss` and its gradient at each of `places`, which are watched while `loss` runs.
/// - Returns: the scalar loss, and one gradient per place, zero where the loss does not depend on it.
public func valueWithGradients<Place: Watchable>(
  at places: [Place], of loss: () throws -> Tensor
) throws -> (value: Tensor, gradients: [Tensor]) {
  let nodes = places.map { _ in TapeNode() }
  for (place, node) in zip(places, nodes) { place.watch(WatchToken(node: node)) }
  defer { for place in places { place.watch(nil) } }
  let value = try loss()
  let gradients = try backward(value, to: nodes)
  return (
    value.detached(),
    try zip(places, gradients).map { place, gradient in
      try gradient ?? Tensor(repeating: 0, shape: place.value.shape, on: place.value.device)
    }
  )
}

/// The value of `loss` and its gradient at a tensor, such as the images of an attack.
public func valueWithGradient(
  at tensor: Tensor, of loss: (Tensor) throws -> Tensor
) throws -> (value: Tensor, gradient: Tensor) {
  let node = TapeNode()
  var watched = tensor.detached()
  watched.node = node
  let value = try loss(watched)
  let gradient = try backward(value, to: [node])[0]
  return (
    value.detached(), try gradient ?? Tensor(repeating: 0, shape: tensor.shape, on: tensor.device)
  )
}

/// Walks the tape from the latest operation to the earliest, freeing what each kept once it is done.
private func backward(_ value: Tensor, to targets: [TapeNode]) throws -> [Tensor?] {
  precondition(value.shape.count == 1, "the loss is no scalar: \(value.shape)")
  guard let root = value.node else { return targets.map { _ in nil } }
  var gradients: [ObjectIdentifier: Tensor] = [
    ObjectIdentifier(root): try Tensor(repeating: 1, shape: value.shape, on: value.device)
  ]
  let keep = Set(targets.map(ObjectIdentifier.init))
  for node in reachable(from: root).sorted(by: { $0.order > $1.order }) {
    let id = ObjectIdentifier(node)
    guard !keep.contains(id), let gradient = gradients.removeValue(forKey: id) else { continue }
    for (input, pullback) in node.inputs {
      let share = try pullback(gradient)
      let inputID = ObjectIdentifier(input)
      gradients[inputID] = try gradients[inputID].map { try add($0, share) } ?? share
    }
    node.inputs = []
  }
  return targets.map { gradients[ObjectIdentifier($0)] }
}

private func reachable(from root: TapeNode) -> [TapeNode] {
  var seen: Set<ObjectIdentifier> = [ObjectIdentifier(root)]
  var nodes = [root]
  var next = 0
  while next < nodes.count {
    for (input, _) in nodes[next].inputs where seen.insert(ObjectIdentifier(input)).inserted {
      nodes.append(input)
    }
    next += 1
  }
  return nodes
}
