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
public struct CrossEntropy: Loss {
  /// s: share of the target that is spread over all classes, 0 ... 1.
  public var labelSmoothing: Float

  /// - Parameter labelSmoothing: 0 ..< 1.
  public init(labelSmoothing: Float = 0) { self.labelSmoothing = labelSmoothing }

  public func targets(for outputs: [Network.Output]) -> TargetCounts {
    TargetCounts(labels: outputs[0].shape.pixels, classes: outputs[0].shape.channels)
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
      check(
        oct_softmax_cross_entropy(
          rows, classes, logits, labels, c.mixed?.labels, c.mixed?.share ?? 1, labelSmoothing,
          c.scale / Float(pixels), losses.baseAddress, c.gradient(0)?.baseAddress, Int32(c.threads)))
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
