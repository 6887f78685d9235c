import OctNetData
import OctNetSupport

/// How much the classes count in the loss.
public enum ClassWeights: String, Codable, Sendable, CaseIterable {
  /// images ÷ (classes · images of the class), as scikit-learn's `class_weight="balanced"`: every class counts alike, and the
  /// mean over all images is 1. Classes without images get 0 and do not count as classes.
  case balanced

  /// One weight a class.
  func weights(of dataset: any Dataset, limit: Int?) -> [Float] {
    let images = min(dataset.count, limit ?? dataset.count)
    var counts = [Int](repeating: 0, count: dataset.classNames.count)
    for index in 0..<images { counts[dataset.label(at: index)] += 1 }
    let classes = counts.count { $0 > 0 }
    return counts.map { $0 == 0 ? 0 : Float(Double(images) / (Double(classes) * Double($0))) }
  }
}

extension TrainingConfiguration {
  /// The caller's own loss, or cross-entropy as the settings say.
  /// - Throws: `OctNetError.configuration` for settings of classes where there are none, or another loss.
  func loss(_ own: (any Loss)?, training dataset: any Dataset) throws(OctNetError) -> any Loss {
    guard classWeights != nil || balancedSampler == true else {
      return own ?? CrossEntropy(labelSmoothing: labelSmoothing)
    }
    guard dataset.targetSize == 0 else {
      throw OctNetError.configuration(
        key: classWeights == nil ? "balancedSampler" : "classWeights",
        "\"\(dataset.name)\" has targets, expected classes")
    }
    guard let classWeights else { return own ?? CrossEntropy(labelSmoothing: labelSmoothing) }
    guard own == nil else {
      throw OctNetError.configuration(
        key: "classWeights", "belongs to cross-entropy, the run has a loss of its own")
    }
    return CrossEntropy(
      labelSmoothing: labelSmoothing, classWeights: classWeights.weights(of: dataset, limit: trainLimit))
  }
}
