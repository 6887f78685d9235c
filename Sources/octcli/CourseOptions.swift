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

  @Option(
    help: ArgumentHelp(
      "Hold back N training images, or below 1 that share, to choose the best epoch by (default: none).",
      discussion: """
        The same share of every class, drawn by the seed. Each epoch is then evaluated on them, and the test images are \
        scored once, at the end, with the best weights. Without it the test images choose, but for folders with \
        validation images of their own.
        """, valueName: "n"))
  var validation: Double?

  @Option(
    help: ArgumentHelp(
      "Views of each test image in the run's last evaluation: 1, 2 or 6, as `octcli eval --views` (default: 1).",
      valueName: "n"))
  var testViews: TestViews?

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
  var changesResults: Bool { evalEvery != nil || bestMetric != nil || validation != nil || testViews != nil }

  func validate() throws {
    try validateValidation()
    try Bounds.check("--eval-every", evalEvery, SettingBounds.epochs)
    try Bounds.check("--early-stopping", earlyStopping, SettingBounds.epochs)
    try Bounds.check("--checkpoint-every", checkpointEvery, SettingBounds.steps)
  }

  /// - Throws: `ValidationError` for what is neither a share nor a number of images.
  private func validateValidation() throws {
    guard let validation else { return }
    guard validation > 0, validation < 1 || (validation == validation.rounded() && validation <= 1e9) else {
      throw ValidationError(
        "--validation is a share above 0 and below 1, or a number of images, found \(validation)")
    }
  }

  /// Writes what was given over `configuration`.
  func apply(to configuration: inout TrainingConfiguration) {
    if let validation { configuration.validation = validation }
    if let testViews { configuration.testViews = testViews }
    if let evalEvery { configuration.evaluateEvery = evalEvery }
    if let bestMetric { configuration.bestMetric = bestMetric }
    if let earlyStopping { configuration.earlyStoppingEpochs = earlyStopping }
    if let checkpointEvery { configuration.checkpointEverySteps = checkpointEvery }
  }
}
