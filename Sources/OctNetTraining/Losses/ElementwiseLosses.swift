import Foundation
import OctNetCore
import OctNetSupport

/// Mean of (output − value)² over the elements of the first output, as PyTorch's `MSELoss`.
public struct MeanSquaredError: Loss {
  /// No settings.
  public init() {}

  public func targets(for outputs: [Network.Output]) -> TargetCounts {
    TargetCounts(values: outputs[0].shape.count)
  }

  public func evaluate(_ c: LossContext) -> LossValue {
    let (size, output, gradient) = (c.shape(0).count, c.output(0), c.gradient(0))
    let scale = 2 * c.scale / Float(size)
    return LossValue(
      sum: c.sumOverImages { image in
        var sum = 0.0
        for index in image * size..<(image + 1) * size {
          let difference = output[index] - c.values[index]
          sum += Double(difference * difference)
          gradient?[index] = scale * difference
        }
        return sum / Double(size)
      })
  }
}

/// Binary cross-entropy of the first output with logits, its mean over the elements, as PyTorch's `BCEWithLogitsLoss`:
/// −(w · t · log σ(x) + (1 − t) · log(1 − σ(x))) with targets t of 0 ... 1: several labels an image, or a mask.
///
/// An image is right where every element is on its target's side of one half.
public struct BinaryCrossEntropy: Loss {
  /// w: of the positive targets of each channel; empty for 1.
  public var positiveWeights: [Float]

  /// - Parameter positiveWeights: one a channel, or none for 1.
  public init(positiveWeights: [Float] = []) { self.positiveWeights = positiveWeights }

  public func targets(for outputs: [Network.Output]) throws(OctNetError) -> TargetCounts {
    let shape = outputs[0].shape
    guard positiveWeights.isEmpty || positiveWeights.count == shape.channels else {
      throw .graph(
        layer: "",
        "binary cross-entropy has weights for \(numbered(positiveWeights.count, "channel")), the output \(shape.channels)"
      )
    }
    return TargetCounts(values: shape.count)
  }

  public func evaluate(_ c: LossContext) -> LossValue {
    let (size, output, gradient) = (c.shape(0).count, c.output(0), c.gradient(0))
    let channels = c.shape(0).channels
    let scale = c.scale / Float(size)
    let sum = c.sumOverImages { image in
      var sum = 0.0
      for index in image * size..<(image + 1) * size {
        let (x, t) = (Double(output[index]), Double(c.values[index]))
        let weight = positiveWeights.isEmpty ? 1 : Double(positiveWeights[index % channels])
        // log(1 + e⁻ˣ) without overflow.
        let softplus = log1p(exp(-x.magnitude)) + max(-x, 0)
        let factor = 1 + (weight - 1) * t
        sum += (1 - t) * x + factor * softplus
        gradient?[index] = scale * Float((1 - t) - factor / (1 + exp(x)))
      }
      return sum / Double(size)
    }
    var correct = 0
    for image in 0..<c.count {
      let places = image * size..<(image + 1) * size
      let isRight = places.allSatisfy { (output[$0] > 0) == (c.values[$0] > 0.5) }
      if isRight { correct += 1 }
    }
    return LossValue(sum: sum, correct: correct, predictions: c.count)
  }
}

extension LossContext {
  /// Each image by one thread, their sums in order.
  fileprivate func sumOverImages(_ body: (Int) -> Double) -> Double {
    withUnsafeTemporaryAllocation(of: Double.self, capacity: count) { sums in
      sums.initialize(repeating: 0)
      guard let base = sums.baseAddress else { return 0 }
      parallel(count) { images in
        for image in images { base[image] = body(image) }
      }
      return sums.reduce(0, +)
    }
  }
}
