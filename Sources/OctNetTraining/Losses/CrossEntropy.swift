import CKernels
import OctNetCore
import OctNetData
import OctNetSupport

/// Softmax cross-entropy of the first output, for a class each image, or each pixel where the output is a map:
///
///     (1 − s) · (−log p[label]) + s / classes · Σ −log p,   p = softmax(logits)
///
/// as PyTorch's `CrossEntropyLoss(label_smoothing: s)`. An image's loss is the mean over its pixels. Where images are mixed,
/// −log p[label] is divided between both labels.
///
/// With class weights w, each class's part of this sum is multiplied by its own, as PyTorch's `CrossEntropyLoss(weight: w)` does
/// where targets are shares of classes: the mean is over images, not over their weights.
public struct CrossEntropy: Loss {
  /// s: share of the target that is spread over all classes, 0 ... 1.
  public var labelSmoothing: Float

  /// One a class, finite and at least 0; nil weighs all alike.
  public var classWeights: [Float]?

  /// - Parameters:
  ///   - labelSmoothing: 0 ..< 1.
  ///   - classWeights: one a class, finite and at least 0; nil weighs all alike.
  public init(labelSmoothing: Float = 0, classWeights: [Float]? = nil) {
    self.labelSmoothing = labelSmoothing
    self.classWeights = classWeights
  }

  /// - Throws: `OctNetError.graph` for a smoothing that is not in 0 … 1, and for weights that are not one a class, finite and at
  ///   least 0.
  public func targets(for outputs: [Network.Output]) throws(OctNetError) -> TargetCounts {
    let shape = outputs[0].shape
    guard (0...1).contains(labelSmoothing) else {
      throw .graph(layer: "", "cross-entropy's label smoothing is in 0 … 1, found \(labelSmoothing)")
    }
    if let classWeights {
      guard classWeights.count == shape.channels else {
        throw .graph(
          layer: "",
          "cross-entropy has weights for \(numbered(classWeights.count, "class", plural: "classes")), the output "
            + "\(shape.channels)")
      }
      if let wrong = classWeights.first(where: { !($0 >= 0 && $0.isFinite) }) {
        throw .graph(layer: "", "cross-entropy's class weights are finite and at least 0, found \(wrong)")
      }
    }
    return TargetCounts(labels: shape.pixels, classes: shape.channels)
  }

  public func evaluate(_ c: LossContext) -> LossValue {
    let (pixels, classes) = (c.shape(0).pixels, c.shape(0).channels)
    let rows = c.count * pixels
    guard let logits = c.output(0).baseAddress, let labels = c.labels.baseAddress else {
      preconditionFailure("a batch has images")
    }
    precondition(c.mixed == nil || pixels == 1, "maps are not mixed")
    var sum = 0.0
    withUnsafeTemporaryAllocation(of: Float.self, capacity: rows) { losses in
      let (share, scale) = (c.mixed?.share ?? 1, c.scale / Float(pixels))
      if let classWeights {
        precondition(classWeights.count == classes, "\(classWeights.count) weights for \(classes) classes")
        check(
          oct_softmax_weighted_cross_entropy(
            rows, classes, logits, labels, c.mixed?.labels, classWeights, share, labelSmoothing, scale,
            losses.baseAddress, c.gradient(0)?.baseAddress, Int32(c.threads)))
      } else {
        check(
          oct_softmax_cross_entropy(
            rows, classes, logits, labels, c.mixed?.labels, share, labelSmoothing, scale, losses.baseAddress,
            c.gradient(0)?.baseAddress, Int32(c.threads)))
      }
      // Double, in order: the same bits for any number of threads.
      sum = losses.reduce(0.0) { $0 + Double($1) } / Double(pixels)
    }
    // Of a mixed image, the label with the larger share.
    var dominant = labels
    if let mixed = c.mixed, mixed.share < 0.5 { dominant = mixed.labels }
    var correct = 0
    for row in 0..<rows where logits.argmax(row: row, of: classes) == Int(dominant[row]) { correct += 1 }
    return LossValue(sum: sum, correct: correct, predictions: rows)
  }
}
