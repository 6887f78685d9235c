import OctNetData
import OctNetSupport

/// How long a training is, and what follows from that for its learning rates.
extension TrainingConfiguration {
  /// Updates of the weights: ⌈(epochs − 1 + share of the last one) · steps of an epoch⌉.
  func totalSteps(stepsPerEpoch: Int) -> Int {
    guard let share = lastEpochShare else { return epochs * stepsPerEpoch }
    return (epochs - 1) * stepsPerEpoch + Self.steps(share, stepsPerEpoch)
  }

  /// ⌈epochs · stepsPerEpoch⌉, but for what rounding left of a decimal fraction.
  private static func steps(_ epochs: Double, _ stepsPerEpoch: Int) -> Int {
    max(1, Int((epochs * Double(stepsPerEpoch) - 1e-9).rounded(.up)))
  }

  /// The learning rate of the step number `step`, from 0.
  func learningRate(step: Int, stepsPerEpoch: Int) -> Double {
    schedule.rate(
      step: step, stepsPerEpoch: stepsPerEpoch, steps: totalSteps(stepsPerEpoch: stepsPerEpoch))
  }

  /// Those of the groups with a schedule of their own, 0 where that has ended.
  func courses(step: Int, stepsPerEpoch: Int) -> [Int: Double] {
    var rates: [Int: Double] = [:]
    for (index, group) in (parameterGroups ?? []).enumerated() {
      guard let epochs = group.epochs else { continue }
      let steps = Self.steps(epochs, stepsPerEpoch)
      rates[index] =
        step < steps ? schedule.rate(step: step, stepsPerEpoch: stepsPerEpoch, steps: steps) : 0
    }
    return rates
  }
}
