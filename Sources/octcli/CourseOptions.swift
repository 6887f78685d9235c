import ArgumentParser
import OctNet

extension BestMetric: ExpressibleByArgument {}

/// When a run evaluates, what it keeps, and when it ends.
struct CourseOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Epochs from one evaluation to the next; the last epoch is always evaluated (default: 1).",
      valueName: "n"))
  var evalEvery: Int?

  @Option(help: "Which evaluation is the best: highest top1 or top5, lowest loss (default: top1).")
  var bestMetric: BestMetric?

  @Option(
    help: ArgumentHelp(
      "End when the best evaluation is this many epochs old (default: never).", valueName: "n")
  )
  var earlyStopping: Int?

  @Option(
    help: ArgumentHelp(
      "Write the state for --resume after every N updates, too (default: after every epoch only).",
      valueName: "n"))
  var checkpointEvery: Int?

  /// Whether anything was given that a resumed run cannot change.
  var changesResults: Bool { evalEvery != nil || bestMetric != nil }

  func validate() throws {
    try Bounds.check("--eval-every", evalEvery, SettingBounds.epochs)
    try Bounds.check("--early-stopping", earlyStopping, SettingBounds.epochs)
    try Bounds.check("--checkpoint-every", checkpointEvery, SettingBounds.steps)
  }

  /// Writes what was given over `configuration`.
  func apply(to configuration: inout TrainingConfiguration) {
    if let evalEvery { configuration.evaluateEvery = evalEvery }
    if let bestMetric { configuration.bestMetric = bestMetric }
    if let earlyStopping { configuration.earlyStoppingEpochs = earlyStopping }
    if let checkpointEvery { configuration.checkpointEverySteps = checkpointEvery }
  }
}
