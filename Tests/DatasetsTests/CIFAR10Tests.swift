import Datasets
import FileFormats
import Foundation
import TestSupport
import Testing

@Suite struct CIFAR10Tests {
  /// A record whose pixels tell their channel and place.
  private func record(_ label: UInt8, _ seed: Int) -> [UInt8] {
    [label] + (0..<3072).map { UInt8(truncatingIfNeeded: $0 / 1024 * 80 + $0 % 1024 % 61 + seed) }
  }

  private func write(_ folder: String, _ records: [[UInt8]]) throws {
    for batch in 1...5 {
      try AtomicFile.write(records.flatMap { $0 }, to: "\(folder)/data_batch_\(batch).bin")
    }
    try AtomicFile.write(records[0], to: folder + "/test_batch.bin")
  }

  @Test func planesBecomePixels() throws {
    try withTemporaryFolder { folder in
      try write(folder, [record(3, 0), record(9, 7)])
      let (train, test) = try DatasetCatalog.load("cifar-10", folder: folder)
      #expect(train.count == 10 && test.count == 1 && train.classNames[9] == "truck")
      #expect(train.labels == [3, 9, 3, 9, 3, 9, 3, 9, 3, 9])
      #expect(train.height == 32 && train.width == 32 && train.channels == 3)
      for (pixel, channel) in [(0, 0), (0, 2), (100, 1), (1023, 2)] {
        let expected = UInt8(truncatingIfNeeded: channel * 80 + pixel % 61 + 7)
        #expect(train.images[3072 + pixel * 3 + channel] == expected)
      }
    }
  }

  @Test func damagedFilesAreRefused() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/data_batch_2.bin"
      let cases: [([UInt8], String)] = [
        (Array(record(3, 0).dropLast()), "size"), (record(3, 0) + [1], "size"), ([], "size"),
        (record(3, 0) + record(10, 0), "label of record 1"),
      ]
      for (bytes, field) in cases {
        try write(folder, [record(1, 1)])
        try AtomicFile.write(bytes, to: path)
        let error = #expect(throws: TemperError.self) {
          try DatasetCatalog.load("cifar-10", folder: folder)
        }
        #expect(error?.kind == .badData && error?.file == path && error?.field == field)
      }
      try FileManager.default.removeItem(atPath: path)
      let error = #expect(throws: TemperError.self) { try DatasetCatalog.load("cifar-10", folder: folder) }
      #expect(error?.kind == .missingInput && error?.description.contains("data_batch_2.bin") == true)
    }
  }
}
