import ArgumentParser
import Foundation
import OctNet

enum RecipeName: String, ExpressibleByArgument, CaseIterable { case seed }

/// Everything that says how a network is trained, but for its α and its directory: what `train` and `study` share.
struct TrainingOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Network (default: \(QuickStart.model)).", valueName: "name"))
  var model: ResNetDepth?

  @OptionGroup(title: "Architecture")
  var architecture: ArchitectureOptions

  @OptionGroup(title: "Data")
  var data: TrainDataOptions

  @OptionGroup(title: "Data")
  var normalization: NormalizationOptions

  @OptionGroup(title: "Optimization")
  var optimization: OptimizationOptions

  @OptionGroup(title: "Course of the run")
  var course: CourseOptions

  @Option(
    help: ArgumentHelp(
      "A published recipe; a configuration file and other flags change it.",
      discussion: """
        seed: the CIFAR-10 notebook. resnet50 at α = 0.125 with the imagenet stem, variant seed, adam at a \
        constant 0.001, weight decay 0.0005, batches of 100, crop 4 and flip, mean .507 .487 .441, std .267 .256 \
        .276, 50 epochs.
        """))
  var recipe: RecipeName?

  @Option(
    help: ArgumentHelp(
      "YAML file with settings; flags override it.",
      discussion: """
        Its keys are those of a run's config.json, which can be given itself. What it leaves out is as without it. \
        docs/cli.md lists the keys.
        """, valueName: "file"))
  var config: String?

  @Option(help: ArgumentHelp("Everything random follows from it (default: 1).", valueName: "n"))
  var seed: UInt64?

  @Option(
    help: ArgumentHelp(
      "Threads; results do not depend on it (default: the processors).", valueName: "n"))
  var threads: Int?

  @Flag(name: .customLong("no-tensorboard"), help: "Write no events file for TensorBoard.")
  var noTensorBoard = false

  func validate() throws {
    if let threads, threads < 1 { throw ValidationError("--threads is 1 or more, found \(threads)") }
  }

  /// The first flag that a run which goes on would have to ignore.
  var firstFixedFlag: String? {
    let given: [(String, Bool)] = [
      ("--model", model != nil), ("--seed", seed != nil), ("--recipe", recipe != nil),
      ("--config", config != nil), ("architecture flags", !architecture.isEmpty),
      ("--image-size", data.imageSize != nil), ("--mean and --std", normalization.normalization != nil),
      ("--augment", data.augment != nil),
      ("--limit-train and --limit-test", data.limitTrain != nil || data.limitTest != nil),
      ("optimization flags", optimization.changesMoreThanEpochs),
      ("--eval-every and --best-metric", course.changesResults),
    ]
    return given.first { $0.1 }?.0
  }

  /// Writes over `configuration` what a run that goes on may change; the rest stays as it was.
  func applyResumable(to configuration: inout TrainingConfiguration) {
    if let source = data.data { configuration.data = source }
    if let epochs = optimization.epochs { configuration.epochs = epochs }
    course.apply(to: &configuration)
    if let threads { configuration.threads = threads }
  }

  var threadCount: Int { threads ?? ProcessInfo.processInfo.activeProcessorCount }

  /// The recipe, or the quick start, with the file's settings written over it and the flags over both.
  func resolve(alpha: Double?) throws -> (TrainingConfiguration, DataSplit) {
    let file = try config.map { try ConfigurationFile(path: $0) }
    let source = try data.data ?? file?.string("data") ?? "synthetic"
    let split = try DataOptions.load(source, imageSize: data.imageSize ?? file?.imageSize)
    var settings = try base(file, source: source, split: split)
    settings = try file?.applied(to: settings) ?? settings
    settings.data = source
    try file?.check(fits: split, named: source)
    settings.model = architecture.configuration(
      changing: settings.model ?? QuickStart.network, model: model, alpha: alpha,
      classes: split.train.classNames.count, height: split.train.height, width: split.train.width,
      channels: split.train.channels)
    optimization.apply(to: &settings)
    course.apply(to: &settings)
    if let given = normalization.normalization { settings.normalization = given }
    if let augment = data.augment { settings.augmentation = augment.augmentation }
    if let seed { settings.seed = seed }
    if let threads { settings.threads = threads }
    if let limit = data.limitTrain { settings.trainLimit = limit }
    if let limit = data.limitTest { settings.testLimit = limit }
    try settings.validate()
    return (settings, split)
  }

  private func base(
    _ file: ConfigurationFile?, source: String, split: DataSplit
  ) throws -> TrainingConfiguration {
    let name = try recipe?.rawValue ?? file?.string("recipe")
    guard let name else {
      return QuickStart.configuration(data: source, normalization: split.normalization, threads: threadCount)
    }
    guard
      let recipe = TrainingConfiguration.recipe(named: name, data: source, threads: threadCount)
    else {
      throw OctNetError.configuration(
        key: "recipe",
        "found \"\(name)\", expected one of \(TrainingConfiguration.recipeNames.joined(separator: ", "))")
    }
    return recipe
  }
}
