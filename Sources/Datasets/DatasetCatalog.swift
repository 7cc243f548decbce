import FileFormats
import Foundation

/// The data sets that can be named, and where their files are.
public enum DatasetCatalog {
  /// Known names.
  public static let names = ["fashion-mnist", "mnist", "cifar-10"]

  /// Extents of a data set's images: height, width and channels.
  public static func extents(_ name: String) -> (height: Int, width: Int, channels: Int) {
    name == "cifar-10" ? (CIFAR10.extent, CIFAR10.extent, CIFAR10.channels) : (28, 28, 1)
  }

  /// Where Debian's package `dataset-fashion-mnist` puts its files.
  private static let debianFolder = "/usr/share/datasets/fashion-mnist"

  /// Training and test images of a data set.
  /// - Parameters:
  ///   - name: one of ``names``.
  ///   - folder: where the files are, plain or gzipped; else the environment's `TEMPER_DATA_DIR` (or its
  ///     folder of the data set's name), else Debian's place.
  /// - Throws: `.usage` for an unknown name, `.missingInput` naming every folder that was searched.
  public static func load(_ name: String, folder: String? = nil) throws -> (
    train: ImageDataset, test: ImageDataset
  ) {
    guard names.contains(name) else {
      throw TemperError(
        .usage, field: "--data", "there is no data set \"\(name)\"",
        remedy: "Choose one of \(names.joined(separator: ", ")).")
    }
    guard name == "cifar-10" else {
      return (try load(name, "train", folder), try load(name, "t10k", folder))
    }
    let train = try (1...5).map { try find("data_batch_\($0).bin", of: name, folder) }
    return (try CIFAR10.read(train), try CIFAR10.read([try find("test_batch.bin", of: name, folder)]))
  }

  private static func load(_ name: String, _ part: String, _ folder: String?) throws -> ImageDataset {
    let imageFile = try find("\(part)-images-idx3-ubyte", of: name, folder)
    let labelFile = try find("\(part)-labels-idx1-ubyte", of: name, folder)
    let images = try IDX.images(imageFile)
    return try ImageDataset(
      name: name, height: images.height, width: images.width, channels: 1, images: images.pixels,
      labels: try IDX.labels(labelFile).map { Int32($0) }, classNames: classNames(name), file: labelFile)
  }

  private static func find(_ file: String, of name: String, _ folder: String?) throws -> String {
    var folders: [String] = []
    if let folder {
      folders =
        [folder, folder + "/" + name] + (name == "cifar-10" ? [folder + "/cifar-10-batches-bin"] : [])
    } else {
      if let base = ProcessInfo.processInfo.environment["TEMPER_DATA_DIR"], !base.isEmpty {
        folders = [base, base + "/" + name]
      }
      if name == "fashion-mnist" { folders.append(debianFolder) }
    }
    for folder in folders {
      for candidate in ["\(folder)/\(file)", "\(folder)/\(file).gz"]
      where FileManager.default.fileExists(atPath: candidate) { return candidate }
    }
    let remedy =
      name == "fashion-mnist"
      ? "Install it with `apt-get install dataset-fashion-mnist`, or name its folder with --data-dir."
      : "Name the folder of its files with --data-dir."
    let searched = folders.isEmpty ? "no folder was named" : "searched: \(folders.joined(separator: ", "))"
    throw TemperError(.missingInput, file: file, "of \(name) was not found (\(searched))", remedy: remedy)
  }

  private static func classNames(_ name: String) -> [String] {
    name == "mnist"
      ? (0...9).map(String.init)
      : [
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
        "Ankle boot",
      ]
  }
}
