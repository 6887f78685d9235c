/// How well a network does on a data set.
public struct EvaluationResult: Codable, Equatable, Sendable {
  public var images: Int
  /// Fractions of the images whose label is the first, or among the first five, of the logits by size.
  public var top1: Double
  public var top5: Double
  /// Mean cross-entropy.
  public var loss: Double
  public var classNames: [String]
  /// Fraction of each class's images that are recognised, `nil` for a class without images.
  public var perClassAccuracy: [Double?]
  /// `confusion[label][prediction]`: images.
  public var confusion: [[Int]]
}

/// Sums up an evaluation, batch by batch.
struct EvaluationSums {
  private let classes: Int
  private var images = 0
  private var top1 = 0
  private var top5 = 0
  private var loss = 0.0
  private var confusion: [[Int]]

  init(classes: Int) {
    self.classes = classes
    confusion = Array(repeating: Array(repeating: 0, count: classes), count: classes)
  }

  /// Equal logits rank by index, so that the first one wins as in every argmax. An image whose own logit is not a
  /// number counts as wrong.
  mutating func add(logits: UnsafeBufferPointer<Float>, label: Int, loss imageLoss: Float) {
    let own = logits[label]
    var rank = 0
    var prediction = 0
    for index in 0..<classes {
      if logits[index] > own || (logits[index] == own && index < label) { rank += 1 }
      if logits[index] > logits[prediction] { prediction = index }
    }
    images += 1
    if !own.isNaN && rank < 1 { top1 += 1 }
    if !own.isNaN && rank < 5 { top5 += 1 }
    loss += Double(imageLoss)
    confusion[label][prediction] += 1
  }

  func result(classNames: [String]) -> EvaluationResult {
    let perClass = confusion.enumerated().map { label, row -> Double? in
      let count = row.reduce(0, +)
      return count == 0 ? nil : Double(row[label]) / Double(count)
    }
    let count = Double(max(1, images))
    return EvaluationResult(
      images: images, top1: Double(top1) / count, top5: Double(top5) / count, loss: loss / count,
      classNames: classNames, perClassAccuracy: perClass, confusion: confusion)
  }
}
