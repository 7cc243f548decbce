import Datasets
import Devices
import FileFormats
import Networks
import Training

/// A network from a run folder or a weights file, with what its file says.
struct LoadedNetwork {
  let network: any Network
  let metadata: [String: String]
  let file: String

  /// Loads a run folder's weights.
  init(run: String, last: Bool = false, on device: Device) throws {
    file = try RunFolder.weights(of: run, last: last)
    (network, metadata) = try WeightsFile.read(file, on: device)
  }

  /// Loads weights of any origin for 28 x 28 grey images and ten classes, unless the file says otherwise.
  init(weights: String, model: String?, on device: Device) throws {
    file = weights
    let fallback = NetworkDescription(model: model ?? "", height: 28, width: 28, channels: 1, classes: 10)
    (network, metadata) = try WeightsFile.read(weights, model: model, fallback: fallback, on: device)
  }

  /// One split of the data set that the network was trained on.
  func images(_ split: SplitName, data: String?, folder: String?) throws -> ImageDataset {
    guard let name = data ?? metadata["dataset"] else {
      throw TemperError(
        .usage, field: "--data", "is needed: \(file) does not name its data set",
        remedy: "Give --data fashion-mnist.")
    }
    let seed = UInt64(metadata["seed"] ?? "") ?? 0
    let all = try DatasetSplit.load(name, folder: folder, seed: seed)
    switch split {
    case .train: return all.train
    case .validation: return all.validation
    case .test: return all.test
    }
  }
}
