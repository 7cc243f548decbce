extension Plot {
  /// What is drawn along one direction of a plot.
  public struct Axis: Sendable {
    let label: String
    let unit: String?
    let isLogarithmic: Bool
    let range: ClosedRange<Double>?

    /// Creates an axis.
    /// - Parameters:
    ///   - label: The quantity.
    ///   - unit: Its unit, such as "nats"; nil for pure numbers.
    ///   - isLogarithmic: Whether equal ratios take equal lengths; all values must be positive then.
    ///   - range: The part that is shown; nil takes it from the values.
    public init(
      _ label: String, unit: String? = nil, isLogarithmic: Bool = false, range: ClosedRange<Double>? = nil
    ) {
      self.label = label
      self.unit = unit
      self.isLogarithmic = isLogarithmic
      self.range = range
    }

    var text: String { unit.map { "\(label) (\($0))" } ?? label }

    /// gnuplot's commands for the axis `name` ("x" or "y"); `range` is used where the caller gave none.
    func commands(_ name: String, range fallback: ClosedRange<Double>? = nil) -> String {
      var text = name == "x" ? labelBelow : "set ylabel \(Script.quoted(self.text, limit: 36)) offset 0.5,0\n"
      if let range = range ?? fallback {
        text += "set \(name)range [\(range.lowerBound):\(range.upperBound)]\n"
      }
      return text + (isLogarithmic ? "set logscale \(name)\n" : "")
    }

    /// The label in the middle of the bottom edge: gnuplot would place it by a guess of the numbers' height, and
    /// in a margin of fixed size leave it out.
    var labelBelow: String {
      "set label 1 \(Script.quoted(text, limit: 54)) at graph 0.5, screen (12.0 / height) center\n"
    }

    func check(_ values: some Sequence<Double>) {
      for value in values {
        precondition(value.isFinite, "values of a plot must be finite")
        precondition(!isLogarithmic || value > 0, "values on a logarithmic axis must be positive")
      }
    }
  }
}
