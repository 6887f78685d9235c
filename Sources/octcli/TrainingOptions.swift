import ArgumentParser
import Foundation
import OctNet
import OctNetSettings

enum RecipeName: String, ExpressibleByArgument, CaseIterable { case seed, speedrun94, photographs }

/// Everything that says how a network is trained, but for its α and its directory: what `train` and `study` share.
///
/// Its groups have none inside: a debug build of ArgumentParser checks every group several times for each one around it,
/// and five deep that took three seconds of every command.
struct TrainingOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Network (default: \(QuickStart.model)).", valueName: "name"))
  var model: ModelName?

  @OptionGroup(title: "Architecture")
  var architecture: ArchitectureOptions

  @OptionGroup(title: "Data")
  var data: TrainDataOptions

  @OptionGroup(title: "Data")
  var files: ImageFileOptions

  @OptionGroup(title: "Data")
  var crop: CropOptions

  @OptionGroup(title: "Data")
  var normalization: NormalizationOptions

  @OptionGroup(title: "Augmentation")
  var augmentation: AugmentationOptions

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

        speedrun94: the fastest public training to 94 % on CIFAR-10 (airbench94_muon, Keller Jordan). airbench94 at \
        α = 0, muon on filters, sgd with Nesterov's momentum on biases and head, batches of 2000, 8 epochs, six views at \
        the end. `--batch-size` and `--epochs` change it like any other setting.

        photographs: a folder of photographs. resnet18 at α = 0.25 at 160×160, sgd with Nesterov's momentum 0.9 at 0.05 with \
        3 epochs of warm-up and a cosine, weight decay 0.0001 without norms and biases, batches of 64, 60 epochs, \
        resized-crop of 0.25 to 1 and flip, ta_wide, label smoothing 0.1, averaged weights (0.999), photographs turned as \
        EXIF says, and a tenth of each class for tests where there are no test images.
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

  @OptionGroup
  var threadOptions: ThreadOptions

  @Flag(
    help: ArgumentHelp(
      "Take classes by number, whatever their names.",
      discussion:
        "Those of --weights, of which a classifier for other names is left random, and of --data with --resume."
    ))
  var classesByNumber = false

  @Flag(name: .customLong("no-tensorboard"), help: "Write no events file for TensorBoard.")
  var noTensorBoard = false

  /// The first flag that a run which goes on would have to ignore.
  var firstFixedFlag: String? {
    let given: [(String, Bool)] = [
      ("--model", model != nil), ("--seed", seed != nil), ("--recipe", recipe != nil),
      ("--config", config != nil), ("architecture flags", !architecture.isEmpty),
      ("--image-size", data.imageSize != nil), ("--mean and --std", normalization.normalization != nil),
      ("augmentation flags", !augmentation.isEmpty),
      ("--crop-ratio, --crop-mode, --eval-interpolation and --scaled-decoding", !crop.isEmpty),
      ("--limit-train and --limit-test", data.limitTrain != nil || data.limitTest != nil),
      ("--exif-orientation", files.exifOrientation != nil),
      ("--test-share and --shuffle-buffer", files.testShare != nil || data.shuffleBuffer != nil),
      ("optimization flags", optimization.changesMoreThanEpochs),
      ("--eval-every, --best-metric, --validation and --test-views", course.changesResults),
    ]
    return given.first { $0.1 }?.0
  }

  /// Writes over `configuration` what a run that goes on may change; the rest stays as it was.
  func applyResumable(to configuration: inout TrainingConfiguration) {
    if let source = data.data { configuration.data = source }
    files.apply(to: &configuration)
    optimization.epochs?.apply(to: &configuration)
    course.apply(to: &configuration)
    if let threads = threadOptions.threads { configuration.threads = threads }
  }

  var threadCount: Int { threadOptions.count }

  /// Flags of another optimizer or schedule than the run's; with a file it is known when the file was read.
  func validate() throws {
    guard config == nil, var settings = settingsWithoutFile(recipe?.rawValue, data: "", normalization: nil)
    else {
      return
    }
    try optimization.apply(to: &settings)
  }

  /// What a run's settings follow from.
  struct Resolved {
    var configuration: TrainingConfiguration
    let data: DataSplit
    /// "2 (the processors)".
    let threads: String
    /// What the settings file says itself.
    let stated: StatedSettings
  }

  /// The recipe, or the quick start, with the file's settings written over it and the flags over both.
  func resolve(alpha: Double?) throws -> Resolved {
    let file = try config.map { try ConfigurationFile(path: $0) }
    let source = try data.data ?? file?.string("data") ?? "synthetic"
    let sizes = try data.imageSize?.plan ?? file?.imageSizes()
    let split = try DataOptions.load(source, try reading(file, sizes, source))
    var settings = try base(file, source: source, split: split)
    settings = try file?.applied(to: settings) ?? settings
    settings.data = source
    try file?.check(fits: split, named: source, sizeIsGiven: data.imageSize != nil)
    let stated = file?.stated ?? StatedSettings()
    settings.model = architecture.configuration(
      changing: settings.model ?? QuickStart.network, keeping: stated, model: model, alpha: alpha,
      classes: split.train.classNames.count, height: split.test.height, width: split.test.width,
      channels: split.train.channels)
    try optimization.apply(to: &settings, keeping: stated)
    try sizes?.check(epochs: settings.epochs)
    if let sizes { settings.imageSizes = sizes.stages.count > 1 ? sizes.stages : nil }
    course.apply(to: &settings)
    if let given = normalization.normalization { settings.normalization = given }
    try augmentation.apply(to: &settings)
    if let seed { settings.seed = seed }
    if let threads = threadOptions.threads { settings.threads = threads }
    if let limit = data.limitTrain { settings.trainLimit = limit }
    if let limit = data.limitTest { settings.testLimit = limit }
    files.apply(to: &settings)
    if let buffer = data.shuffleBuffer { settings.shuffleBuffer = buffer }
    if !crop.isEmpty {
      settings.evaluation = crop.applied(to: settings.evaluation ?? EvaluationSettings())
    }
    if let made = split.preparation {
      // Whoever predicts a photograph has to bring it to its size as these images were.
      settings.evaluation = settings.evaluation ?? made.evaluation
      if made.exifOrientation { settings.exifOrientation = true }
    }
    if let turns = files.exifOrientation { settings.exifOrientation = turns ? true : nil }
    if let share = files.testShare { settings.testShare = share }
    try settings.validate()
    let threads = file?.has("threads") == true ? "\(settings.threads) (the settings file)" : nil
    return Resolved(
      configuration: settings, data: split, threads: threadOptions.reason(else: threads), stated: stated)
  }

  private func reading(
    _ file: ConfigurationFile?, _ sizes: ImageSizePlan?, _ source: String
  ) throws -> ImageReading {
    let known = try knownSettings(file, source)
    var reading = ImageReading()
    reading.size = try sizes?.last ?? file?.imageSize()
    if DataOptions.isFiles(source), reading.size == nil, let name = try recipeName(file) {
      reading.size = TrainingConfiguration.photographSize(ofRecipe: name)
    }
    reading.testShare = files.testShare ?? known?.testShare
    reading.shuffleBuffer = data.shuffleBuffer ?? known?.shuffleBuffer
    reading.largestSize = sizes?.largest
    reading.trainLimit = try data.limitTrain ?? file?.number("trainLimit")
    reading.testLimit = try data.limitTest ?? file?.number("testLimit")
    reading.skipsDamaged = try files.skipDamaged || file?.flag("skipDamaged") ?? false
    reading.appliesOrientation = files.exifOrientation ?? known?.exifOrientation ?? false
    let written = try file?.evaluation()
    reading.evaluation = crop.applied(to: written ?? EvaluationSettings())
    reading.isEvaluationGiven = !crop.isEmpty || written != nil
    reading.inMemory = try files.inMemory || file?.flag("inMemory") ?? false
    reading.keepsPhotographs =
      reading.inMemory && (known?.augmentation.randomResizedCrop != nil || (sizes?.stages.count ?? 1) > 1)
    // The run's own check comes after its images.
    let threads = try threadOptions.threads ?? file?.number("threads")
    try SettingBounds.check(threads, in: SettingBounds.threads, "threads")
    reading.workers = try files.workers ?? file?.number("workers") ?? threads ?? threadCount
    let said = known?.normalization
    reading.normalization = normalization.normalization ?? (said?.mean.isEmpty == true ? nil : said)
    return reading
  }

  /// What is known before the images are; `nil` for a recipe that there is not.
  private func knownSettings(_ file: ConfigurationFile?, _ source: String) throws -> TrainingConfiguration? {
    guard let base = settingsWithoutFile(try recipeName(file), data: source, normalization: nil) else {
      return nil
    }
    var settings = try file?.applied(to: base) ?? base
    try augmentation.apply(to: &settings)
    return settings
  }

  private func recipeName(_ file: ConfigurationFile?) throws -> String? {
    try recipe?.rawValue ?? file?.string("recipe")
  }

  private func base(
    _ file: ConfigurationFile?, source: String, split: DataSplit
  ) throws -> TrainingConfiguration {
    let name = try recipeName(file)
    guard let settings = settingsWithoutFile(name, data: source, normalization: split.normalization) else {
      throw OctNetError.configuration(
        key: "recipe",
        "found \"\(name ?? "")\", expected one of \(TrainingConfiguration.recipeNames.joined(separator: ", "))"
      )
    }
    return settings
  }

  /// The recipe of that name, nil where there is none, or the quick start.
  private func settingsWithoutFile(
    _ recipe: String?, data: String, normalization: Normalization?
  ) -> TrainingConfiguration? {
    if let recipe { return TrainingConfiguration.recipe(named: recipe, data: data, threads: threadCount) }
    return QuickStart.configuration(
      data: data, normalization: normalization ?? Normalization(mean: [], std: []), threads: threadCount)
  }
}
