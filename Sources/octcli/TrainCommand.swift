import ArgumentParser
import Foundation
import OctNet
import OctNetMPI
import OctNetSettings

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train an Oct-ResNet, evaluate it after every epoch, and keep the best.",
    discussion: """
      Without any flag: a small Oct-ResNet (resnet20, α = 0.25) on the embedded data set, a few minutes on two \
      cores. A run writes its settings, logs, results, weights, the state for --resume, events for TensorBoard and at \
      its end report.html into a directory of its own, which is never overwritten. Ctrl-C stops after the current batch; --resume goes on, and ends \
      with the same bits as if nothing had happened.

      Examples:
        octcli train
        octcli train --data cifar10:DIR --epochs 30 --augment crop,flip
        octcli train --data cifar10:DIR --recipe seed --epochs 5 --out runs/seed
        octcli train --data cifar10:DIR --recipe speedrun94
        octcli train --data folder:photos --recipe photographs
        octcli train --config settings.yaml --ema 0.999 --mixup 0.2
        octcli train --data cifar10:DIR --model resnet50 --alpha 0 \\
          --weights resnet50.safetensors
        octcli train --resume runs/seed
      """)

  @Option(
    help: ArgumentHelp(
      "Share of the channels at half resolution, 0 to 1 (default: \(QuickStart.alpha)).", valueName: "ratio"))
  var alpha: Double?

  @OptionGroup
  var training: TrainingOptions

  @Option(
    help: ArgumentHelp(
      "Start from this checkpoint's weights and running statistics in place of random ones.",
      discussion: """
        OctNet's own or another program's, for fine-tuning. An ordinary network's (torchvision's) are cut into the octaves \
        of --alpha, as by octcli convert. Its keys and shapes are those of \
        the network, but for a prefix of all keys (module., _orig_mod.), which is left out, counters of batches, which \
        may be missing, and the input channels of RGB weights, which are summed for images of one channel. A classifier \
        (fc) that is missing, or for classes of another number or other names, is left random; one for the same names in another \
        order is put in order. A line says so each time.
        """, valueName: "file"))
  var weights: String?

  @Option(
    help: ArgumentHelp(
      "New directory for the run (default: runs/<model>-a<alpha>-<n>, the first n that is free).",
      valueName: "dir"))
  var out: String?

  @Option(
    help: ArgumentHelp(
      """
      Go on with the run in this directory; only --data, --classes-by-number, --epochs, --early-stopping, --threads, \
      --checkpoint-every, --skip-damaged, --in-memory, --workers and --no-tensorboard may be given too.
      """, valueName: "dir"))
  var resume: String?

  func validate() throws {
    try ArchitectureOptions.validate(alpha: alpha)
    guard resume != nil else { return }
    let given =
      [("--alpha", alpha != nil), ("--out", out != nil), ("--weights", weights != nil)].first { $0.1 }?.0
      ?? training.firstFixedFlag
    if let given {
      throw ValidationError("a resumed run keeps its settings: \(given) cannot be given with --resume")
    }
  }

  func run() throws { try Ranks.run(train) }

  /// - Parameter ranks: of the job that this process is one of; the first one writes and speaks.
  private func train(_ ranks: MPIRanks?) throws {
    let isFirst = ranks?.rank ?? 0 == 0
    // All have read what a run begins with before the first one writes.
    var run = try Ranks.together(ranks) {
      let run = try resume.map { try resumed($0, isFirst: isFirst) } ?? new()
      try run.configuration.validate(ranks: ranks?.ranks ?? 1)
      return run
    }
    do { try ranks?.requireSame(run.configuration, data: run.data) } catch {
      try Ranks.together(ranks) { throw error }
    }
    StopSignals.deferFirst()
    let summary = try TrainingProgress.run(
      tensorBoard: !training.noTensorBoard, threads: run.threads, isSilent: !isFirst
    ) { onEvent in
      let made = try Ranks.together(ranks) {
        if isFirst { run.directory = try run.directory ?? newDirectory(run) }
        return try trainer(run, ranks, onEvent)
      } undo: {
        run.directory?.abandon()
      }
      do { try ranks?.requireSame(made) } catch {
        try Ranks.together(ranks) { throw error }
      }
      return made
    }
    if summary.isInterrupted {
      if let directory = run.directory {
        Terminal.printError("stopped; go on with: octcli train --resume \(directory.path.shellWord)")
      }
      throw StopSignals.exitCode(after: ranks?.largest(StopSignals.number) ?? StopSignals.number)
    }
    guard let directory = run.directory else { return }
    let report = directory.path + "/report.html"
    if !Report.isNewer(than: directory) {
      try Report(directories: [directory.path]).write(to: directory.path)
    }
    try Terminal.print(TrainingReporter.result(summary, directory: directory) + "\n" + report)
  }

  private func trainer(
    _ run: Run, _ ranks: MPIRanks?, _ onEvent: @escaping (TrainingEvent) -> Void
  ) throws -> Trainer {
    var hooks = TrainerHooks()
    hooks.ranks = ranks
    return try ClassNames.advising(byNumber: training.classesByNumber) {
      try Trainer(
        network: run.network, configuration: run.configuration, data: run.data, directory: run.directory,
        resuming: run.state, classesByNumber: training.classesByNumber, hooks: hooks, onEvent: onEvent)
    }
  }

  /// Everything a trainer needs.
  private struct Run {
    let network: Network
    let configuration: TrainingConfiguration
    let data: DataSplit
    /// Of the rank that writes; of a new run from when the trainer begins.
    var directory: RunDirectory?
    let threads: String
    var state: TrainingState?
  }

  private func new() throws -> Run {
    let resolved = try training.resolve(alpha: alpha)
    var configuration = resolved.configuration
    if let weights { configuration.initialWeights = weights }
    let model = configuration.model ?? QuickStart.network
    let network = try model.makeNetwork(seed: configuration.seed)
    if let path = configuration.initialWeights {
      try Checkpoint(path: path).slicedIfOrdinary(for: model).load(
        into: network, for: .start(ClassLabels(resolved.data.train), byNumber: training.classesByNumber))
    }
    try configuration.validate(training: network.graph, on: resolved.data)
    return Run(
      network: network, configuration: configuration, data: resolved.data, threads: resolved.threads)
  }

  private func newDirectory(_ run: Run) throws -> RunDirectory {
    let model = run.configuration.model ?? QuickStart.network
    let directory =
      try out.map { try RunDirectory.create($0) }
      ?? RunDirectory.createNumbered("runs/\(model.name)-a\(model.alpha)")
    do { try directory.write(run.data.unsavedShardIndices) } catch {
      directory.abandon()
      throw error
    }
    return directory
  }

  private func resumed(_ path: String, isFirst: Bool) throws -> Run {
    let directory = try isFirst ? RunDirectory.open(path) : RunDirectory.toRead(path)
    let state = try TrainingState(path: directory.statePath)
    var configuration = try TrainingConfiguration(path: directory.configurationPath)
    if training.data.data == nil {
      configuration.data = try DataOptions.locate(configuration.data, recordedIn: path)
    }
    training.applyResumable(to: &configuration)
    guard let model = configuration.model else {
      throw OctNetError.file(path: directory.statePath, "the run's network is not one of octcli's models")
    }
    var reading = ImageReading(configuration)
    reading.indexDirectory = directory.shardIndexPath
    return Run(
      network: try model.makeNetwork(seed: configuration.seed), configuration: configuration,
      data: try DataOptions.load(configuration.data, reading),
      directory: isFirst ? directory : nil,
      threads: training.threadOptions.reason(resumed: configuration.threads), state: state)
  }
}
