import CZlib
import Datasets
import FileFormats
import Foundation
import TestSupport
import Testing

@Suite struct IDXTests {
  /// An IDX file: magic number, extents, bytes.
  private func file(_ magic: UInt32, _ extents: [UInt32], _ bytes: [UInt8]) -> [UInt8] {
    ([magic] + extents).flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) } }
      + bytes
  }

  private var images: [UInt8] { file(0x803, [3, 2, 4], (0..<24).map { UInt8($0 * 10) }) }
  private var labels: [UInt8] { file(0x801, [3], [7, 0, 2]) }

  private func gzipped(_ bytes: [UInt8], _ folder: String) throws -> [UInt8] {
    let path = folder + "/packed.gz"
    let stream = gzopen(path, "wb")
    _ = bytes.withUnsafeBytes { gzwrite(stream, $0.baseAddress, UInt32($0.count)) }
    gzclose(stream)
    return try InputFile.read(path)
  }

  private func readImages(_ bytes: [UInt8], _ folder: String) throws -> IDX.Images {
    let path = folder + "/images"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return try IDX.images(path)
  }

  private func error(_ bytes: [UInt8], _ folder: String) -> TemperError? {
    do {
      _ = try readImages(bytes, folder)
      return nil
    } catch {
      return error as? TemperError
    }
  }

  @Test func plainAndGzippedFilesHoldTheSame() throws {
    try withTemporaryFolder { folder in
      for bytes in [images, try gzipped(images, folder)] {
        let read = try readImages(bytes, folder)
        #expect(read.count == 3 && read.height == 2 && read.width == 4)
        #expect(read.pixels == (0..<24).map { UInt8($0 * 10) })
      }
      try Data(try gzipped(labels, folder)).write(to: URL(fileURLWithPath: folder + "/labels"))
      #expect(try IDX.labels(folder + "/labels") == [7, 0, 2])
    }
  }

  /// A file cut anywhere is bad data, never a crash and never a shorter data set.
  @Test func truncatedFilesThrow() throws {
    try withTemporaryFolder { folder in
      for bytes in [images, try gzipped(images, folder)] {
        for count in 0..<bytes.count {
          #expect(error(Array(bytes[..<count]), folder)?.kind == .badData, "\(count) of \(bytes.count) bytes")
        }
      }
    }
  }

  @Test func damagedGzipDataThrowsOrReadsTheSame() throws {
    try withTemporaryFolder { folder in
      let packed = try gzipped(images, folder)
      let original = try readImages(packed, folder).pixels
      var random = Seeded(1)
      for _ in 0..<300 {
        var bytes = packed
        bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        do {
          // Bits of the gzip header that carry nothing may change.
          #expect(try readImages(bytes, folder).pixels == original)
        } catch {
          #expect((error as? TemperError)?.kind == .badData)
        }
      }
    }
  }

  @Test func wrongFilesAreNamed() throws {
    try withTemporaryFolder { folder in
      #expect(error(labels, folder)?.description.contains("Swap the files") == true)
      #expect(error(images + [0], folder)?.description.contains("goes on after") == true)
      #expect(error(file(0x803, [0, 28, 28], []), folder)?.kind == .badData)
      #expect(error(file(0x803, [.max, .max, .max], []), folder)?.kind == .badData)
      #expect(
        error(file(0x803, [60_000, 28, 28], [1, 2]), folder)?.description.contains("truncated") == true)
      #expect(error(Array("<!doctype html>".utf8), folder)?.description.contains("no IDX file") == true)
      #expect(throws: TemperError.self) { try IDX.images(folder + "/none") }
    }
  }
}

@Suite struct ImageDatasetTests {
  static func synthetic(_ count: Int, classes: Int = 10) throws -> ImageDataset {
    try ImageDataset(
      name: "synthetic", height: 2, width: 2, channels: 1, images: (0..<count * 4).map { UInt8($0 % 251) },
      labels: (0..<count).map { Int32($0 % classes) }, classNames: (0..<classes).map(String.init))
  }

  @Test func labelsMustFit() throws {
    #expect(throws: TemperError.self) {
      try ImageDataset(
        name: "x", height: 1, width: 1, channels: 1, images: [1, 2, 3], labels: [0, 1],
        classNames: ["a", "b"])
    }
    let error = #expect(throws: TemperError.self) {
      try ImageDataset(
        name: "x", height: 1, width: 1, channels: 1, images: [1, 2], labels: [0, 2], classNames: ["a", "b"])
    }
    #expect(error?.description.contains("label 1") == true)
  }

  @Test func validationComesOutOfTraining() throws {
    let (train, test) = (try Self.synthetic(600), try Self.synthetic(50))
    for limit in [nil, 40, 100_000] as [Int?] {
      let split = try DatasetSplit(train: train, test: test, seed: 3, limit: limit)
      #expect(Set(split.train.sampleIDs).isDisjoint(with: split.validation.sampleIDs))
      #expect(split.train.count == min(limit ?? .max, 600 - 101))
      #expect(split.test.count == 50)
      // A sample keeps its ID, its label and its pixels.
      for (position, id) in split.train.sampleIDs.enumerated() {
        #expect(split.train.labels[position] == train.labels[Int(id)])
        #expect(split.train.images[position * 4] == train.images[Int(id) * 4])
      }
      let again = try DatasetSplit(train: train, test: test, seed: 3, limit: limit)
      #expect(again.train.sampleIDs == split.train.sampleIDs)
    }
    let other = try DatasetSplit(train: train, test: test, seed: 4)
    #expect(try DatasetSplit(train: train, test: test, seed: 3).train.sampleIDs != other.train.sampleIDs)
  }

  @Test func unknownAndMissingDataSetsAreNamed() throws {
    #expect((#expect(throws: TemperError.self) { try DatasetCatalog.load("svhn") })?.kind == .usage)
    let error = #expect(throws: TemperError.self) { try DatasetCatalog.load("mnist", folder: "/nowhere") }
    #expect(error?.kind == .missingInput && error?.description.contains("/nowhere") == true)
  }

  private static let debian = "/usr/share/datasets/fashion-mnist"

  @Test(
    .enabled(if: FileManager.default.fileExists(atPath: debian), "dataset-fashion-mnist is not installed"))
  func fashionMNISTIsWhole() throws {
    let (train, test) = try DatasetCatalog.load("fashion-mnist", folder: Self.debian)
    #expect(train.count == 60_000 && test.count == 10_000 && train.height == 28 && train.width == 28)
    for c in 0..<10 {
      #expect(
        train.labels.lazy.filter { $0 == c }.count == 6000
          && test.labels.lazy.filter { $0 == c }.count == 1000)
    }
  }
}

@Suite struct DeviceDatasetTests {
  /// Order, images and labels of batches are the same on every device, bit for bit.
  @Test func batchesAreEqualEverywhere() throws {
    let source = try ImageDatasetTests.synthetic(37)
    let batches = try devicesUnderTest.map { device in
      let data = try DeviceDataset(source, on: device)
      let order = data.order(seed: 5, epoch: 2)
      #expect(order.sorted() == Array(0..<37))
      #expect(order != data.order(seed: 5, epoch: 3))
      let batch = try data.batch(order[10..<20].map { Int32($0) })
      return (try batch.images.floats(), try batch.labels.integers(), try batch.sampleIDs.integers())
    }
    #expect(batches.allSatisfy { $0 == batches[0] })
    #expect(zip(batches[0].1, batches[0].2).allSatisfy { $0 == $1 % 10 })
  }

  @Test func arraysAreChecked() throws {
    try withTemporaryFolder { folder in
      func load(_ shape: [Int], _ pixels: [Float], labels: [Int32]? = nil) throws -> ArrayDataset {
        try NpyArray(shape: shape, .float32(pixels)).write(to: folder + "/x.npy")
        if let labels { try NpyArray(shape: [labels.count], .int32(labels)).write(to: folder + "/y.npy") }
        return try ArrayDataset(
          imageFile: folder + "/x.npy", labelFile: labels == nil ? nil : folder + "/y.npy", classes: 10,
          on: .cpu(.shared))
      }
      let pixels = (0..<24).map { Float($0) / 24 }
      let data = try load([2, 3, 2, 2], pixels, labels: [1, 9])
      let batch = try data.batch(0..<2)
      #expect(batch.images.shape == [2, 2, 2, 3])
      // Channel c of pixel p of image 0 is element c * 4 + p of the file.
      #expect(try Array(batch.images.floats()[..<4]) == [pixels[0], pixels[4], pixels[8], pixels[1]])
      #expect(ArrayDataset.channelsFirst(try batch.images.floats(), shape: batch.images.shape) == pixels)
      #expect(try load([6, 2, 2], pixels).channels == 1)
      for (value, remedy) in [(Float.nan, "NaN"), (255, "255"), (-0.1, "255"), (.infinity, "NaN")] {
        var wrong = pixels
        wrong[17] = value
        let set = try load([2, 3, 2, 2], wrong)
        #expect(try set.batch(0..<1).count == 1)
        let error = #expect(throws: TemperError.self) { try set.batch(1..<2) }
        #expect(
          error?.kind == .badData && error?.field == "pixel 17" && error?.remedy?.contains(remedy) == true)
      }
      #expect(throws: TemperError.self) { try load([24], pixels) }
      #expect(throws: TemperError.self) { try load([2, 3, 2, 2], pixels, labels: [1]) }
      #expect(throws: TemperError.self) { try load([2, 3, 2, 2], pixels, labels: [1, 10]) }
    }
  }
}
