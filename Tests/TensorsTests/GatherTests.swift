import Devices
import Randomness
import Tensors
import TestSupport
import Testing

@Suite struct GatherTests {
  private let shape: Shape = [11, 6, 5, 3]

  private func bytes() -> [UInt8] {
    var random = Seeded(50)
    return (0..<shape.count).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  @Test(arguments: devicesUnderTest)
  func imagesAreBytesOver255(device: Device) throws {
    let (pixels, indices) = (bytes(), [Int32(3), 0, 10, 3])
    let batch = try gatherBatch(
      images: Tensor(pixels, shape: shape, on: device), indices: Tensor(indices, on: device),
      sampleIDs: Tensor(indices, on: device))
    #expect(batch.shape == [4, 6, 5, 3])
    let size = 90
    let expected = indices.flatMap { index in
      pixels[Int(index) * size..<(Int(index) + 1) * size].map { Float($0) / 255 }
    }
    #expect(try batch.floats() == expected)
  }

  @Test(arguments: devicesUnderTest, [(0, true), (2, true), (4, false)])
  func augmentationIsTheStreams(device: Device, settings: (padding: Int, flip: Bool)) throws {
    let (pixels, indices, ids) = (bytes(), [Int32(1), 4, 9, 2, 7], [Int32(100), 5, 77, 3, 12])
    let batch = try gatherBatch(
      images: Tensor(pixels, shape: shape, on: device), indices: Tensor(indices, on: device),
      augmentation: Augmentation(padding: settings.padding, flip: settings.flip, seed: 9, epoch: 2),
      sampleIDs: Tensor(ids, on: device)
    ).floats()
    var expected: [Float] = []
    for (index, id) in zip(indices, ids) {
      let stream = RandomStream(seed: 9, purpose: .augmentation, epoch: 2, sample: UInt32(id))
      let side = UInt32(2 * settings.padding + 1)
      let dy = Int(stream.word(at: 0) % side) - settings.padding
      let dx = Int(stream.word(at: 1) % side) - settings.padding
      let flipped = settings.flip && stream.word(at: 2) % 2 == 1
      for y in 0..<6 {
        for x in 0..<5 {
          for c in 0..<3 {
            let (row, column) = (y + dy, (flipped ? 4 - x : x) + dx)
            let inside = (0..<6).contains(row) && (0..<5).contains(column)
            expected.append(inside ? Float(pixels[((Int(index) * 6 + row) * 5 + column) * 3 + c]) / 255 : 0)
          }
        }
      }
    }
    #expect(batch == expected)
  }

  @Test(arguments: devicesUnderTest)
  func rowsAndLabels(device: Device) throws {
    let table = try Tensor((0..<12).map { Float($0) }, shape: [4, 3], on: device)
    let indices = try Tensor([Int32(2), 2, 0], on: device)
    #expect(try gatherRows(table, indices: indices).floats() == [6, 7, 8, 6, 7, 8, 0, 1, 2])
    let labels = try Tensor([Int32(5), 6, 7, 8], on: device)
    #expect(try gatherLabels(labels, indices: indices).integers() == [7, 7, 5])
    let beyond = try Tensor([Int32(-3), 99], on: device)
    #expect(try gatherLabels(labels, indices: beyond).integers() == [5, 8], "clamped, never out of bounds")
  }
}
