// Input gradients of first layers: so few columns that a product of matrices would leave lanes idle, and its results would
// have to be scattered. Instead each lane sums over some of the outputs, and the lanes are added at the end.

internal import CSIMD

private typealias One = InlineArray<1, Void>
private typealias Two = InlineArray<2, Void>
private typealias Three = InlineArray<3, Void>

/// One row of dx, of `count` pixels of `channels` (1 or 3) values, at least a vector, of a 3x3 convolution with stride 1.
///
/// dx[x][channel] = the sum over taps (r, s) and outputs of dy[r][(x + padding - s) * outputs + output] *
/// weights[((3 r + s) * channels + channel) * outputs + output], where only pixels of dy from 0 up to `pixels` exist.
///
/// - Parameters:
///   - dy0: the row of dy that the taps of row 0 meet; dy1 and dy2 those of rows 1 and 2.
///   - outputs: whole panels.
///   - padding: at most 2, with `count` = `pixels` + 2 - 2 `padding`.
///   - scratch: a vector for each channel of `pixels` + 2 pixels.
@inline(never)
public func kernelTapInputGradient(
  _ dy0: UnsafePointer<Float>, _ dy1: UnsafePointer<Float>, _ dy2: UnsafePointer<Float>, _ pixels: Int,
  _ channels: Int, _ outputs: Int, _ weights: UnsafePointer<Float>, _ padding: Int,
  _ dx: UnsafeMutablePointer<Float>, _ count: Int, _ scratch: UnsafeMutablePointer<Float>
) {
  let dy = [dy0, dy1, dy2] as InlineArray<3, UnsafePointer<Float>>
  var output = 0
  while output < outputs {
    if channels == 1 {
      addTaps(One.self, dy, pixels, outputs, weights, output, scratch, output > 0)
    } else {
      #if VECTOR512
        // The weights of one row fit the registers.
        for r in 0..<3 {
          addTaps(
            Three.self, [dy[r]] as InlineArray<1, UnsafePointer<Float>>, pixels, outputs,
            weights + 9 * r * outputs, output, scratch, output > 0 || r > 0)
        }
      #else
        addTaps(Three.self, dy, pixels, outputs, weights, output, scratch, output > 0)
      #endif
    }
    output += panelWidth
  }
  forVectors(count * channels) { i in
    store(dx + i, vector_lane_sums(scratch + (i + padding * channels) * width))
  }
}

private typealias Panel = InlineArray<2, Vector>

@inline(__always) private func zeros<let Channels: Int>() -> InlineArray<Channels, Panel> {
  .init(repeating: .init(repeating: .zero))
}

/// The weights of a row of taps for a panel of outputs.
private struct Row<let Channels: Int> {
  private var s0, s1, s2: InlineArray<Channels, Panel>

  @inline(__always) init(_ weights: UnsafePointer<Float>, _ outputs: Int) {
    (s0, s1, s2) = (zeros(), zeros(), zeros())
    unrolled(InlineArray<Channels, Void>.self) { c in
      s0[c] = panel(weights + c * outputs)
      s1[c] = panel(weights + (Channels + c) * outputs)
      s2[c] = panel(weights + (2 * Channels + c) * outputs)
    }
  }

  /// Adds what a vector of a pixel of dy contributes to three pixels of dx. One channel has sums of its own for each
  /// vector, as there would be too few to be added in turns.
  @inline(__always)
  func add(
    _ d: Vector, _ v: Int, _ a0: inout InlineArray<Channels, Panel>, _ a1: inout InlineArray<Channels, Panel>,
    _ a2: inout InlineArray<Channels, Panel>
  ) {
    let sum = Channels == 1 ? v : 0
    unrolled(InlineArray<Channels, Void>.self) { c in
      multiplyAdd(&a0[c][sum], d, s0[c][v])
      multiplyAdd(&a1[c][sum], d, s1[c][v])
      multiplyAdd(&a2[c][sum], d, s2[c][v])
    }
  }
}

@inline(__always) private func panel(_ p: UnsafePointer<Float>) -> Panel { [load(p), load(p + width)] }

/// Sums of rows of taps over a panel of outputs from `output` on, a vector per channel and pixel of dx with its padding;
/// added to what is there if `accumulate`.
@inline(__always)
private func addTaps<let Channels: Int, let Rows: Int>(
  _ channels: InlineArray<Channels, Void>.Type, _ dy: InlineArray<Rows, UnsafePointer<Float>>, _ pixels: Int,
  _ outputs: Int, _ weights: UnsafePointer<Float>, _ output: Int, _ sums: UnsafeMutablePointer<Float>,
  _ accumulate: Bool
) {
  let rows = InlineArray<Rows, Row<Channels>> { r in
    Row(weights + 3 * Channels * r * outputs + output, outputs)
  }
  var (at, sums) = (output, sums)
  var a0: InlineArray<Channels, Panel> = zeros()
  var (a1, a2) = (a0, a0)
  func put(_ a: InlineArray<Channels, Panel>) {
    unrolled(channels) { c in
      let sum = Channels == 1 ? a[c][0] + a[c][1] : a[c][0]
      store(sums + c * width, accumulate ? load(sums + c * width) + sum : sum)
    }
    sums += Channels * width
  }
  let ahead = pixels * outputs
  var left = pixels
  repeat {
    prefetch_near(dy[0] + at + ahead)
    if width > 8 { prefetch_near(dy[0] + at + ahead + width) }
    unrolled(InlineArray<Rows, Void>.self) { r in
      unrolled(Two.self) { v in rows[r].add(load(dy[r] + at + v * width), v, &a0, &a1, &a2) }
    }
    put(a0)
    (a0, a1, a2) = (a1, a2, zeros())
    at += outputs
    left -= 1
  } while left > 0
  put(a0)
  put(a1)
}
