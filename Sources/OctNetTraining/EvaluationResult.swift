import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport

/// How well a network does on a data set.
///
/// Where images have targets in place of a class there are no class names, accuracies by class and confusions; `top1` and `top5`
/// are then both the fraction of predictions that the loss calls right.
public struct EvaluationResult: Codable, Equatable, Sendable {
  /// That were seen.
  public var images: Int
  /// Fractions of the images whose label is the first, or among the first five, of the logits by size.
  public var top1: Double
  /// Where there are five classes and fewer, all images.
  public var top5: Double
  /// Mean cross-entropy.
  public var loss: Double
  /// Of the numbers of the classes.
  public var classNames: [String]
  /// Fraction of each class's images that are recognised, `nil` for a class without images.
  public var perClassAccuracy: [Double?]
  /// `confusion[label][prediction]`: images.
  public var confusion: [[Int]]
  /// By class, images for which the network predicts nothing, as their logits are not numbers: one is NaN, or the largest
  /// is infinite, so that there is no softmax. They count as wrong and are not in `confusion`. `nil` where there are none.
  public var unscored: [Int]?
  /// What a run's own metric says, `TrainerHooks.metric`; `nil` without one.
  public var metric: Double?

  /// Images without a prediction.
  public var unscoredImages: Int { unscored?.reduce(0, +) ?? 0 }

  /// Images of a class.
  public func imageCount(of label: Int) -> Int { confusion[label].reduce(0, +) + (unscored?[label] ?? 0) }

  /// "3 of 40 images have logits that are not numbers, …"; `nil` where all are.
  public var warning: String? {
    guard unscoredImages > 0 else { return nil }
    return
      "\(unscoredImages) of \(counted(images, "image")) got logits that are not finite numbers, and so no "
      + "prediction: they count as wrong"
  }
}

/// Sums up an evaluation, batch by batch.
struct EvaluationSums {
  private let classes: Int
  private var images = 0
  private var top1 = 0
  private var top5 = 0
  private var loss = 0.0
  private var confusion: [[Int]]
  private var unscored: [Int]

  init(classes: Int) {
    self.classes = classes
    unscored = Array(repeating: 0, count: classes)
    confusion = Array(repeating: Array(repeating: 0, count: classes), count: classes)
  }

  /// Equal logits rank by index, so that the first one wins as in every argmax. Where a logit is NaN or the largest one
  /// infinite, there is no prediction.
  mutating func add(logits: UnsafeBufferPointer<Float>, label: Int, loss imageLoss: Float) {
    let own = logits[label]
    var rank = 0
    var prediction = 0
    var hasNaN = false
    for index in 0..<classes {
      if logits[index] > own || (logits[index] == own && index < label) { rank += 1 }
      if logits[index] > logits[prediction] { prediction = index }
      if logits[index].isNaN { hasNaN = true }
    }
    images += 1
    loss += Double(imageLoss)
    guard !hasNaN && logits[prediction].isFinite else {
      unscored[label] += 1
      return
    }
    if rank < 1 { top1 += 1 }
    if rank < 5 { top5 += 1 }
    confusion[label][prediction] += 1
  }

  func result(classNames: [String]) -> EvaluationResult {
    let perClass = confusion.enumerated().map { label, row -> Double? in
      let count = row.reduce(0, +) + unscored[label]
      return count == 0 ? nil : Double(row[label]) / Double(count)
    }
    let count = Double(max(1, images))
    return EvaluationResult(
      images: images, top1: Double(top1) / count, top5: Double(top5) / count, loss: loss / count,
      classNames: classNames, perClassAccuracy: perClass, confusion: confusion,
      unscored: unscored.contains { $0 > 0 } ? unscored : nil)
  }
}
