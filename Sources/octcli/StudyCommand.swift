import ArgumentParser
import Foundation
import OctNet

struct StudyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "study",
    abstract: "Train a list of networks that differ in α and in how the octaves exchange information.",
    discussion: """
      Every run is an ordinary run directory below <out>/runs. Ctrl-C stops after the current batch; however a study \
      ended, the same command with the same --out, or --resume, goes on where it stopped and repeats nothing that is finished. All other \
      flags are those of `octcli train`.

      Examples:
        octcli study --dry-run
        octcli study --data cifar10:DIR --recipe seed --epochs 8 --ablation \\
          --out runs/study
        octcli study --data cifar10:DIR --model resnet20 --alphas 0,0.25,0.5 \\
          --seeds 3 --out runs/alpha
        octcli study --resume runs/study --keep results
      """)

  @Option(
    help: ArgumentHelp(
      "Shares of the channels at half resolution, separated by commas (default: 0,0.125,0.25,0.5,0.75).",
      discussion:
        "0 is trained twice, with strided convolutions and with average pooling as the others have it.",
      valueName: "ratios"))
  var alphas: RatioList?

  @Flag(
    help: ArgumentHelp(
      "Compare the exchange of information, too.",
      discussion: """
        Without the path from low to high, without that from high to low, without both, without both but where the \
        octaves merge, and with strided convolutions in place of average pooling, at --ablation-alpha. A network that \
        comes twice is trained once.
        """))
  var ablation = false

  @Option(help: ArgumentHelp("The α of --ablation (default: 0.125).", valueName: "ratio"))
  var ablationAlpha: Double?

  @Option(
    help: ArgumentHelp("Repeat every run with so many seeds, from --seed on (default: 1).", valueName: "n"))
  var seeds: Int?

  @OptionGroup
  var training: TrainingOptions

  @Option(
    help: ArgumentHelp(
      "Directory of the study (default: runs/study-<n>, the first n that is free).", valueName: "dir"))
  var out: String?

  @Option(
    help: ArgumentHelp(
      """
      Go on with the study in this directory; only --data, --epochs, --early-stopping, --threads, \
      --checkpoint-every, --skip-damaged, --in-memory, --workers, --keep and --no-tensorboard may be given too.
      """, valueName: "dir"))
  var resume: String?

  @Option(
    help: ArgumentHelp(
      "Copy settings, logs and results of each run into this directory as it ends, for octcli report.",
      valueName: "dir"))
  var keep: String?

  @Flag(help: "Print the list of runs and an estimate of the time, after a few timed steps of each network.")
  var dryRun = false

  func validate() throws {
    if ablationAlpha != nil && !ablation { throw ValidationError("--ablation-alpha belongs to --ablation") }
    if let alpha = ablationAlpha, !(alpha > 0 && alpha < 1) {
      throw ValidationError("--ablation-alpha is more than 0 and less than 1, found \(alpha)")
    }
    try Bounds.check("--seeds", seeds, SettingBounds.studySeeds)
    if training.architecture.noLowToHigh || training.architecture.noHighToLow {
      throw ValidationError("a study leaves out paths itself: use --ablation")
    }
    guard resume != nil else { return }
    let given =
      alphas != nil
      ? "--alphas"
      : ablation
        ? "--ablation"
        : seeds != nil
          ? "--seeds"
          : out != nil ? "--out" : training.firstFixedFlag
    if let given {
      throw ValidationError("a resumed study keeps its settings: \(given) cannot be given with --resume")
    }
  }

  func run() throws {
    if dryRun && resume == nil && out == nil {
      let (configuration, data) = try settings()
      try configuration.validate(on: data)
      return try Terminal.print(StudyPlan.text(configuration.runs(), data: data) { _ in .waiting })
    }
    let (study, data) = try resume.map(resumed) ?? new()
    if dryRun {
      return try Terminal.print(
        StudyPlan.text(study.runs + study.twins, data: data, progress: study.progress))
    }
    try perform(study, data)
  }

  private func settings() throws -> (StudyConfiguration, DataSplit) {
    let resolved = try training.resolve(alpha: nil)
    let (base, data) = (resolved.configuration, resolved.data)
    if let model = base.model, !model.lowToHigh || !model.highToLow || model.keepsMerging == true {
      throw OctNetError.configuration(
        key: "model",
        "the settings leave out paths between the octaves; a study does so itself with --ablation")
    }
    let ignored = [
      resolved.stated.alpha ? "model.alpha (--alphas says the ratios)" : nil,
      resolved.stated.downsampling && training.architecture.downsampling == nil
        ? "model.downsampling (--downsampling says it for all runs)" : nil,
    ].compactMap { $0 }
    if !ignored.isEmpty {
      Terminal.printError("octcli: warning: not taken from the settings: \(ignored.joined(separator: ", "))")
    }
    var configuration = StudyConfiguration(
      base: base, alphas: alphas?.values ?? [0, 0.125, 0.25, 0.5, 0.75],
      ablationAlpha: ablation ? ablationAlpha ?? 0.125 : nil, seeds: seeds ?? 1,
      downsampling: training.architecture.downsampling)
    // A run that is killed loses minutes at most.
    if base.checkpointEverySteps == nil { configuration.base.checkpointEverySteps = 200 }
    return (configuration, data)
  }

  private func new() throws -> (Study, DataSplit) {
    let (configuration, data) = try settings()
    return (try study(configuration, data, path: out ?? RunDirectory.unusedPath("runs/study")), data)
  }

  private func resumed(_ path: String) throws -> (Study, DataSplit) {
    var configuration = try Study.configuration(of: path)
    if training.data.data == nil {
      configuration.base.data = try DataOptions.locate(configuration.base.data, recordedIn: path)
    }
    training.applyResumable(to: &configuration.base)
    let data = try DataOptions.load(configuration.base.data, ImageReading(configuration.base))
    return (try study(configuration, data, path: path), data)
  }

  /// A dry run changes nothing.
  private func study(_ configuration: StudyConfiguration, _ data: DataSplit, path: String) throws -> Study {
    try configuration.validate(on: data)
    // Before there is a directory that nobody wants.
    if let keep { try Study(planning: configuration, path: path).checkKeeping(in: keep) }
    return try dryRun ? Study(planning: configuration, path: path) : Study(configuration, path: path)
  }

  /// Their number with what it follows from: a study that goes on keeps those it began with.
  private func threads(of configuration: TrainingConfiguration) -> String {
    let options = training.threadOptions
    let count = configuration.threads
    return resume == nil ? options.reason(for: count) : options.reason(resumed: count)
  }

  private func perform(_ study: Study, _ data: DataSplit) throws {
    StopSignals.deferFirst()
    var hasTrained = false
    var failed: Set<String> = []
    for (index, run) in study.runs.enumerated() {
      let title = "run \(index + 1)/\(study.runs.count) \(run.name)"
      guard try study.progress(of: run) != .finished else {
        Terminal.printError("\(title): finished before")
        if let keep { try study.keep(run, in: keep) }
        continue
      }
      hasTrained = true
      Terminal.printError(title)
      var isInterrupted = false
      do {
        isInterrupted = try train(run, of: study, data).isInterrupted
        if let keep, !isInterrupted { try study.keep(run, in: keep) }
      } catch let error as OctNetError {
        // Numbers that are no longer finite would come again with the same seed; the other runs have theirs.
        guard case .training = error else { throw error }
        Terminal.printError("octcli: error: \(run.name): \(error)")
        failed.insert(run.name)
        if let keep { try study.keep(run, in: keep) }
      }
      if isInterrupted || StopSignals.isRequested && index + 1 < study.runs.count {
        Terminal.printError("stopped; go on with: octcli study --resume \(study.path.shellWord)")
        throw StopSignals.exitCode
      }
    }
    let report = try Report(directories: [study.path])
    if hasTrained || !study.runs.allSatisfy({ Report.isNewer(than: study.directory(of: $0), in: study.path) })
    {
      try report.write(to: study.path)
    }
    try Terminal.print(
      StudyPlan.results(study, failed: failed) + StudyPlan.closing(report) + "\n" + study.path
        + "/report.html")
    if !failed.isEmpty { throw ExitCode.failure }
  }

  private func train(
    _ run: StudyConfiguration.PlannedRun, of study: Study, _ data: DataSplit
  ) throws -> TrainingSummary {
    try TrainingProgress.run(tensorBoard: !training.noTensorBoard, threads: threads(of: run.configuration)) {
      onEvent in
      try ClassNames.advising(byNumber: training.classesByNumber) {
        try study.trainer(for: run, data: data, classesByNumber: training.classesByNumber, onEvent: onEvent)
      }
    }
  }
}

/// "0,0.125,0.5".
struct RatioList: ExpressibleByArgument, CustomStringConvertible {
  let values: [Double]

  init(_ values: [Double]) { self.values = values }

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    values = parts.compactMap { Double($0.trimmingCharacters(in: .whitespaces)) }
      .filter { (0...1).contains($0) }
    guard values.count == parts.count, Set(values).count == values.count else { return nil }
  }

  var description: String { values.map { format($0, digits: 6) }.joined(separator: ",") }
}
