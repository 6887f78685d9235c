import Foundation
import OctNet

/// Cross-entropy of each pixel and, for each image, 1 − the mean over classes of the soft Dice coefficient
/// 2 Σ p·t / (Σ p + Σ t) (Milletari et al. 2016, arXiv 1606.04797): small shapes count as much as the background.
struct DiceLoss: Loss {
  func targets(for outputs: [Network.Output]) -> TargetCounts {
    TargetCounts(labels: outputs[0].shape.pixels, classes: outputs[0].shape.channels)
  }

  func evaluate(_ c: LossContext) -> LossValue {
    let (pixels, classes) = (c.shape(0).pixels, c.shape(0).channels)
    var losses = [Double](repeating: 0, count: c.count)
    var correct = [Int](repeating: 0, count: c.count)
    losses.withUnsafeMutableBufferPointer { losses in
      correct.withUnsafeMutableBufferPointer { correct in
        // Each place is written by one thread.
        nonisolated(unsafe) let (losses, correct) = (losses, correct)
        c.parallel(c.count) { images in
          for image in images {
            let places = image * pixels * classes..<(image + 1) * pixels * classes
            let logits = UnsafeBufferPointer(rebasing: c.output(0)[places])
            let labels = UnsafeBufferPointer(rebasing: c.labels[image * pixels..<(image + 1) * pixels])
            let gradient = c.gradient(0).map {
              UnsafeMutableBufferPointer(rebasing: $0[places])
            }
            (losses[image], correct[image]) = Self.evaluate(
              logits, labels, classes: classes, scale: c.scale, gradient: gradient)
          }
        }
      }
    }
    return LossValue(
      sum: losses.reduce(0, +), correct: correct.reduce(0, +), predictions: c.count * pixels)
  }

  /// One image.
  private static func evaluate(
    _ logits: UnsafeBufferPointer<Float>, _ labels: UnsafeBufferPointer<Int32>, classes: Int, scale: Float,
    gradient: UnsafeMutableBufferPointer<Float>?
  ) -> (loss: Double, correct: Int) {
    let pixels = labels.count
    var probabilities = [Float](repeating: 0, count: logits.count)
    var (both, sizes) = ([Float](repeating: 0, count: classes), [Float](repeating: 1, count: classes))
    var loss = 0.0
    var correct = 0
    for pixel in 0..<pixels {
      let first = pixel * classes
      let label = Int(labels[pixel])
      var largest = 0
      for index in 1..<classes where logits[first + index] > logits[first + largest] { largest = index }
      var total: Float = 0
      for index in 0..<classes {
        probabilities[first + index] = exp(logits[first + index] - logits[first + largest])
        total += probabilities[first + index]
      }
      for index in 0..<classes {
        probabilities[first + index] /= total
        sizes[index] += probabilities[first + index] + (index == label ? 1 : 0)
      }
      both[label] += probabilities[first + label]
      loss += Double(log(total) - logits[first + label] + logits[first + largest]) / Double(pixels)
      correct += largest == label ? 1 : 0
    }
    for index in 0..<classes { loss += Double(1 - (2 * both[index] + 1) / sizes[index]) / Double(classes) }
    guard let gradient else { return (loss, correct) }
    for pixel in 0..<pixels {
      let first = pixel * classes
      let label = Int(labels[pixel])
      // ∂(1 − Dice)/∂p, then through the softmax; of the cross-entropy it is p − t.
      func byProbability(_ index: Int) -> Float {
        let own: Float = index == label ? 2 / sizes[index] : 0
        return ((2 * both[index] + 1) / (sizes[index] * sizes[index]) - own) / Float(classes)
      }
      var mean: Float = 0
      for index in 0..<classes { mean += probabilities[first + index] * byProbability(index) }
      for index in 0..<classes {
        let p = probabilities[first + index]
        let byEntropy = (p - (index == label ? 1 : 0)) / Float(pixels)
        gradient[first + index] = scale * (byEntropy + p * (byProbability(index) - mean))
      }
    }
    return (loss, correct)
  }
}
