// Sums and affine maps over x (rows, channels) that batch norm needs; every loop runs over vectors of channels.

internal import CSIMD

/// Calls `vector` for each whole vector of channels and `scalar` for each channel left over.
@inline(__always)
private func forChannels(_ channels: Int, vector: (Int) -> Void, scalar: (Int) -> Void) {
  var c = 0
  while c + width <= channels {
    vector(c)
    c += width
  }
  while c < channels {
    scalar(c)
    c += 1
  }
}

/// Per channel the mean of the rows and the sum of squared distances from it.
@inline(never)
public func kernelChannelStatistics(
  _ x: UnsafePointer<Float>, _ rows: Int, _ channels: Int, _ means: UnsafeMutablePointer<Float>,
  _ squares: UnsafeMutablePointer<Float>
) {
  let share = 1 / Float(rows)
  forChannels(channels) { c in
    var sum = Vector.zero
    for row in 0..<rows { sum += load(x + row * channels + c) }
    let mean = sum * share
    var square = Vector.zero
    for row in 0..<rows {
      let d = load(x + row * channels + c) - mean
      multiplyAdd(&square, d, d)
    }
    store(means + c, mean)
    store(squares + c, square)
  } scalar: { c in
    var sum: Float = 0
    for row in 0..<rows { sum += x[row * channels + c] }
    let mean = sum * share
    var square: Float = 0
    for row in 0..<rows {
      let d = x[row * channels + c] - mean
      square += d * d
    }
    means[c] = mean
    squares[c] = square
  }
}

/// Per channel the sums of dy and of dy * (x - mean) * inverse.
@inline(never)
public func kernelChannelGradientSums(
  _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ rows: Int, _ channels: Int,
  _ mean: UnsafePointer<Float>, _ inverse: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>,
  _ products: UnsafeMutablePointer<Float>
) {
  forChannels(channels) { c in
    let (m, s) = (load(mean + c), load(inverse + c))
    var sum = Vector.zero
    var product = Vector.zero
    for row in 0..<rows {
      let g = load(dy + row * channels + c)
      sum += g
      multiplyAdd(&product, g, (load(x + row * channels + c) - m) * s)
    }
    store(sums + c, sum)
    store(products + c, product)
  } scalar: { c in
    var (sum, product): (Float, Float) = (0, 0)
    for row in 0..<rows {
      let g = dy[row * channels + c]
      sum += g
      product += g * ((x[row * channels + c] - mean[c]) * inverse[c])
    }
    sums[c] = sum
    products[c] = product
  }
}

/// y = (x - mean) * factor + shift + residual, then ReLU; `residual` may be nil.
@inline(never)
public func kernelNormalize(
  _ x: UnsafePointer<Float>, _ rows: Int, _ channels: Int, _ mean: UnsafePointer<Float>,
  _ factor: UnsafePointer<Float>, _ shift: UnsafePointer<Float>, _ residual: UnsafePointer<Float>?,
  _ relu: Bool, _ y: UnsafeMutablePointer<Float>
) {
  let floor = vector_repeating(relu ? 0 : -.infinity)
  for row in 0..<rows {
    let start = row * channels
    forChannels(channels) { c in
      var v = load(shift + c)
      multiplyAdd(&v, load(x + start + c) - load(mean + c), load(factor + c))
      if let residual { v += load(residual + start + c) }
      store(y + start + c, vector_at_least(v, floor))
    } scalar: { c in
      var v = (x[start + c] - mean[c]) * factor[c] + shift[c]
      if let residual { v += residual[start + c] }
      y[start + c] = relu && v < 0 ? 0 : v
    }
  }
}

/// dx = dy * a - b - (x - mean) * c per channel.
@inline(never)
public func kernelNormalizeGradient(
  _ x: UnsafePointer<Float>, _ dy: UnsafePointer<Float>, _ rows: Int, _ channels: Int,
  _ mean: UnsafePointer<Float>, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>,
  _ c: UnsafePointer<Float>, _ dx: UnsafeMutablePointer<Float>
) {
  for row in 0..<rows {
    let start = row * channels
    forChannels(channels) { j in
      var v = load(dy + start + j) * load(a + j) - load(b + j)
      multiplyAdd(&v, load(mean + j) - load(x + start + j), load(c + j))
      store(dx + start + j, v)
    } scalar: { j in
      dx[start + j] = dy[start + j] * a[j] - b[j] - (x[start + j] - mean[j]) * c[j]
    }
  }
}
