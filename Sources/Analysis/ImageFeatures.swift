import Datasets

extension ImageDataset {
  /// The mean of each image's pixels, in [0, 1]; (N).
  public var brightness: [Double] {
    perImage { pixels in Double(pixels.reduce(0) { $0 + Int($1) }) / Double(255 * pixels.count) }
  }

  /// The mean absolute difference of pixels that are neighbours in a row or a column, in [0, 1]; (N).
  public var edgeEnergy: [Double] {
    let (row, size) = (width * channels, height * width * channels)
    let pairs = max(1, height * (width - 1) * channels + (height - 1) * row)
    return perImage { pixels in
      let start = pixels.startIndex
      var sum = 0
      for i in 0..<size {
        if i % row >= channels { sum += abs(Int(pixels[start + i]) - Int(pixels[start + i - channels])) }
        if i >= row { sum += abs(Int(pixels[start + i]) - Int(pixels[start + i - row])) }
      }
      return Double(sum) / Double(255 * pairs)
    }
  }

  private func perImage(_ value: (ArraySlice<UInt8>) -> Double) -> [Double] {
    let size = height * width * channels
    return (0..<count).map { value(images[$0 * size..<($0 + 1) * size]) }
  }
}
