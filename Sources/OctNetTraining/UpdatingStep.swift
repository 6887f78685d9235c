import OctNetData
import OctNetSupport

extension TrainingSession {
  /// A step and the optimizer's update in one: each parameter is updated soon after its gradient is known, beside the next
  /// convolution's backward pass, and no memory holds all gradients.
  ///
  /// The bits are those of `step` and `Optimizer.update`. `network.parameters.gradients` stays as it is. Where the loss
  /// is not a number, nothing is updated.
  ///
  /// - Throws: as `step`.
  @discardableResult
  public func step(
    images: [Float], labels: [Int32] = [], values: [Float] = [], dropoutSeed: UInt64 = 0,
    updating optimizer: Optimizer, learningRate: Double
  ) throws(OctNetError) -> StepResult {
    try withChecked(images, labels, values) { images, targets, count in
      step(images: images, targets: targets, count: count, dropoutSeed: dropoutSeed) { threads in
        optimizer.threads = threads
        return optimizer.queue(learningRate: learningRate)
      }
    }
  }

  package func step(
    images: UnsafePointer<Float>, labels: UnsafePointer<Int32>, mixed: MixedLabels? = nil, count: Int,
    dropoutSeed: UInt64 = 0, updating optimizer: Optimizer, learningRate: Double
  ) -> StepResult {
    step(
      images: images, targets: targetPointers(labels, mixed, count: count), count: count,
      dropoutSeed: dropoutSeed
    ) { threads in
      optimizer.threads = threads
      return optimizer.queue(learningRate: learningRate)
    }
  }
}
