extension TrainingSession {
  /// A step and the optimizer's update in one: each parameter is updated as soon as its gradient is known, while the
  /// gradient is in the cache, and no memory holds all gradients.
  ///
  /// The bits are those of `step` and `Optimizer.update`. `network.parameters.gradients` stays as it is. Where the loss
  /// is not a number, nothing is updated.
  public func step(
    images: UnsafePointer<Float>, labels: UnsafePointer<Int32>, mixed: MixedLabels? = nil, count: Int,
    dropoutSeed: UInt64 = 0, updating optimizer: Optimizer, learningRate: Double
  ) -> StepResult {
    var hasBegun = false
    return step(images: images, labels: labels, mixed: mixed, count: count, dropoutSeed: dropoutSeed) {
      parameter, gradient in
      if !hasBegun { optimizer.beginStep() }
      hasBegun = true
      optimizer.update(parameter, gradient: gradient, learningRate: learningRate)
    }
  }
}
