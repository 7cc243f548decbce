import Foundation

/// Images as cards, with what models predict for them.
public struct Gallery: Sendable {
  /// What one model says about one image.
  public struct Prediction: Sendable {
    let model: String
    let classes: [(name: String, probability: Double)]

    /// Creates a prediction.
    /// - Parameters:
    ///   - model: The model's name.
    ///   - classes: At most three classes with their probabilities in [0, 1], the most probable one first.
    public init(_ model: String, _ classes: [(name: String, probability: Double)]) {
      precondition(classes.count <= 3, "a card shows at most three classes of a model")
      precondition(
        classes.allSatisfy { (0...1).contains($0.probability) }, "a probability lies in [0, 1]")
      self.model = model
      self.classes = classes
    }
  }

  /// One image.
  public struct Card: Sendable {
    let image: PNG
    let title: String
    let label: String
    let predictions: [Prediction]

    /// Creates a card.
    /// - Parameters:
    ///   - image: Shown enlarged, with sharp pixels.
    ///   - title: Which image it is, such as "sample 123".
    ///   - label: The true class.
    ///   - predictions: One per model, of one or two models.
    public init(image: PNG, title: String, label: String, predictions: [Prediction]) {
      precondition(predictions.count <= 2, "a card shows one or two models")
      self.image = image
      self.title = title
      self.label = label
      self.predictions = predictions
    }
  }

  let name: String
  let cards: [Card]

  /// Creates a gallery.
  /// - Parameter name: What its images have in common; read out by screen readers.
  public init(_ name: String, cards: [Card]) {
    self.name = name
    self.cards = cards
  }

  var html: String {
    let items = cards.map(\.html).joined()
    return "<ul class=\"gallery\" aria-label=\"\(escaped(name))\">\n\(items)</ul>\n"
  }
}

extension Gallery.Card {
  fileprivate var html: String {
    """
    <li class="card">
    <img src="\(image.dataURI)" width="\(image.width)" height="\(image.height)" \
    alt="\(escaped("\(title), label \(label)"))"/>
    <p><b>\(escaped(title))</b><br/>true class: <b>\(escaped(label))</b></p>
    \(predictions.map { html($0) }.joined())</li>

    """
  }

  private func html(_ prediction: Gallery.Prediction) -> String {
    let rows = prediction.classes.map { name, probability in
      let mark = name == label ? " <span class=\"right\">(true class)</span>" : ""
      let width = String(format: "%.1f", probability * 100)
      return """
        <li><span class="name">\(escaped(name))\(mark)</span> <span class="value">\(width) %</span>\
        <span class="bar" aria-hidden="true"><span style="width: \(width)%"></span></span></li>

        """
    }
    return "<p class=\"model\">\(escaped(prediction.model))</p>\n<ol>\n\(rows.joined())</ol>\n"
  }
}
