import ArgumentParser
import Foundation
import OctNet
import OctNetTensorBoard

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train an Oct-ResNet, evaluate it after every epoch, and keep the best.",
    discussion: """
      Without any flag: a small Oct-ResNet (resnet20, α = 0.25) on the embedded data set, a few minutes on two \
      cores. A run writes config.json, log.csv, best.safetensors, last.safetensors, resume.safetensors and an \
      events file for TensorBoard (tensorboard --logdir runs) into a directory of its own, which is never \
      overwritten. Ctrl-C stops after the current step; --resume goes on, and ends with the same bits as if nothing \
      had happened.

      Examples:
        octcli train
        octcli train --data cifar10:DIR --epochs 30 --augment crop,flip
        octcli train --data cifar10:DIR --recipe seed --epochs 5 --out runs/seed
        octcli train --resume runs/seed
      """)

  enum Recipe: String, ExpressibleByArgument, CaseIterable { case seed }

  @Option(help: ArgumentHelp("Network (default: \(QuickStart.model)).", valueName: "name"))
  var model: ResNetDepth?

  @Option(
    help: ArgumentHelp(
      "Share of the channels at half resolution, 0 to 1 (default: \(QuickStart.alpha)).", valueName: "ratio"))
  var alpha: Double?

  @OptionGroup(title: "Architecture")
  var architecture: ArchitectureOptions

  @OptionGroup(title: "Data")
  var data: TrainDataOptions

  @OptionGroup(title: "Data")
  var normalization: NormalizationOptions

  @OptionGroup(title: "Optimization")
  var optimization: OptimizationOptions

  @Option(
    help: ArgumentHelp(
      "A published recipe; other flags change it.",
      discussion: """
        seed: the CIFAR-10 notebook. resnet50 at α = 0.125 with the imagenet stem, variant seed, adam at a \
        constant 0.001, weight decay 0.0005, batches of 100, crop 4 and flip, mean .507 .487 .441, std .267 .256 \
        .276, 50 epochs.
        """))
  var recipe: Recipe?

  @Option(help: ArgumentHelp("Everything random follows from it (default: 1).", valueName: "n"))
  var seed: UInt64?

  @Option(
    help: ArgumentHelp(
      "Threads; results do not depend on it (default: the processors).", valueName: "n"))
  var threads: Int?

  @Option(
    help: ArgumentHelp(
      "New directory for the run (default: runs/<model>-a<alpha>-<n>, the first n that is free).",
      valueName: "dir"))
  var out: String?

  @Option(
    help: ArgumentHelp(
      "Go on with the run in this directory; only --data, --epochs, --threads and --no-tensorboard may be given too.",
      valueName: "dir"))
  var resume: String?

  @Flag(name: .customLong("no-tensorboard"), help: "Write no events file for TensorBoard.")
  var noTensorBoard = false

  func validate() throws {
    try ArchitectureOptions.validate(alpha: alpha)
    if let threads, threads < 1 { throw ValidationError("--threads is 1 or more, found \(threads)") }
    guard resume != nil else { return }
    let others: [(String, Bool)] = [
      ("--model", model != nil), ("--alpha", alpha != nil), ("--out", out != nil), ("--seed", seed != nil),
      ("--recipe", recipe != nil), ("architecture flags", !architecture.isEmpty),
      ("--mean and --std", normalization.normalization != nil), ("--augment", data.augment != nil),
      ("--limit-train and --limit-test", data.limitTrain != nil || data.limitTest != nil),
      ("optimization flags", optimization.changesMoreThanEpochs),
    ]
    if let (flag, _) = others.first(where: { $0.1 }) {
      throw ValidationError("a resumed run keeps its settings: \(flag) cannot be given with --resume")
    }
  }

  func run() throws {
    let run = try resume.map(resumed) ?? new()
    let reporter = TrainingReporter()
    let tensorBoard = noTensorBoard ? nil : tensorBoardWriter(for: run, reporter: reporter)
    defer { tensorBoard?.flush() }
    let trainer = try Trainer(
      network: run.network, configuration: run.configuration, data: run.data, directory: run.directory,
      resuming: run.state,
      onEvent: { event in
        reporter.handle(event)
        tensorBoard?.handle(event)
      })
    InterruptFlag.install()
    let summary: TrainingSummary
    do {
      summary = try trainer.run { InterruptFlag.isSet }
    } catch {
      reporter.erase()
      throw error
    }
    if summary.stoppedEarly {
      Terminal.printError("stopped; go on with: octcli train --resume \(run.directory.path)")
      throw ExitCode(130)
    }
    print(TrainingReporter.result(summary, directory: run.directory))
  }

  /// Everything a trainer needs.
  private struct Run {
    let network: Network
    let configuration: TrainingConfiguration
    let data: DataSplit
    let directory: RunDirectory
    var state: TrainingState?
  }

  private func tensorBoardWriter(for run: Run, reporter: TrainingReporter) -> TensorBoardWriter {
    let predictions = TestPredictions(
      network: run.network, dataset: run.data.test, limit: run.configuration.testLimit,
      normalization: run.configuration.normalization, threads: run.configuration.threads)
    return TensorBoardWriter(directory: run.directory.path, predictions: predictions) {
      reporter.warn("\($0); no more events for TensorBoard, the run goes on")
    }
  }

  private func new() throws -> Run {
    let source = data.data ?? "synthetic"
    let split = try DataSource.parse(source).load()
    let (configuration, model) = settings(source: source, split: split)
    try configuration.validate()
    let network = try model.makeNetwork(seed: configuration.seed)
    let path = out ?? RunDirectory.unusedPath("runs/\(model.name)-a\(model.alpha)")
    return Run(
      network: network, configuration: configuration, data: split, directory: try RunDirectory.create(path))
  }

  private func resumed(_ path: String) throws -> Run {
    let directory = try RunDirectory.open(path)
    let state = try TrainingState(path: directory.statePath)
    var configuration = try TrainingConfiguration(path: directory.configurationPath)
    if let data = data.data { configuration.data = data }
    if let epochs = optimization.epochs { configuration.epochs = epochs }
    configuration.threads = threads ?? Self.processors
    guard let model = configuration.model else {
      throw OctNetError.file(path: directory.statePath, "the run's network is not one of octcli's models")
    }
    return Run(
      network: try model.makeNetwork(seed: configuration.seed), configuration: configuration,
      data: try DataSource.parse(configuration.data).load(), directory: directory, state: state)
  }

  /// The recipe, or the quick start, with everything given on the command line written over it.
  private func settings(source: String, split: DataSplit) -> (TrainingConfiguration, ModelConfiguration) {
    let threads = threads ?? Self.processors
    var settings =
      recipe.flatMap { TrainingConfiguration.recipe(named: $0.rawValue, data: source, threads: threads) }
      ?? QuickStart.configuration(data: source, normalization: split.normalization, threads: threads)
    let base = settings.model ?? QuickStart.network
    let network = architecture.configuration(
      changing: base, model: model, alpha: alpha, classes: split.train.classNames.count,
      height: split.train.height, width: split.train.width, channels: split.train.channels)
    settings.model = network
    optimization.apply(to: &settings)
    if let given = normalization.normalization { settings.normalization = given }
    if let augment = data.augment { settings.augmentation = augment.augmentation }
    if let seed { settings.seed = seed }
    settings.trainLimit = data.limitTrain
    settings.testLimit = data.limitTest
    return (settings, network)
  }

  private static var processors: Int { ProcessInfo.processInfo.activeProcessorCount }
}
