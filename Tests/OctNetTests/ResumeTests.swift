import Foundation
import Testing

import OctNet

/// A run that was stopped and goes on ends with the bits of one that was not.
@Suite struct ResumeTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private struct Outcome: Equatable {
    var bits: [String: [UInt64]]
    var losses: [UInt64] = []
    var log, results: [UInt8]
    var best: [UInt8]
    var last: [UInt8]
  }

  /// Everything the run left behind but the clock's times and the state.
  private func outcome(_ network: Network, _ losses: [UInt64], in run: RunDirectory) throws -> Outcome {
    Outcome(
      bits: network.bits, losses: losses, log: try contents(ofFile: run.logPath),
      results: try contents(ofFile: run.resultsPath), best: try contents(ofFile: run.bestPath),
      last: try contents(ofFile: run.lastPath))
  }

  private func train(
    _ name: String, _ configuration: TrainingConfiguration, stoppingAfter stops: [Int] = [],
    threads: [Int] = []
  ) throws -> Outcome {
    let run = try TinyRun.train(
      directory(name), configuration, stoppingAfter: stops, threads: threads
    ) { try TinyRun.network(seed: $0) }
    return try outcome(run.network, run.losses, in: run.directory)
  }

  private static let optimizers: [OptimizerConfiguration] = [
    .sgd(momentum: 0.9, nesterov: true), .sgd(momentum: 0, nesterov: false), .adam, .adamW, .muon,
  ]

  @Test(arguments: optimizers)
  func stoppingAnywhereChangesNothing(optimizer: OptimizerConfiguration) throws {
    // 22 images in batches of 5: five steps an epoch, the last one of two images.
    for threads in [1, 2] {
      var configuration = TinyRun.configuration(threads: threads)
      configuration.optimizer = optimizer
      let whole = try train("whole\(threads)", configuration)
      #expect(whole.losses.count == 15)
      // In the middle of an epoch, before its last batch, at its end, twice in one epoch.
      for (index, stops) in [[3], [4], [5], [6, 8, 13]].enumerated() {
        let parts = try train("parts\(threads)-\(index)", configuration, stoppingAfter: stops)
        #expect(parts == whole, "stopped after \(stops)")
      }
    }
  }

  /// Everything that is drawn for images, batches and orders.
  @Test func augmentationGoesOn() throws {
    var configuration = TinyRun.configuration()
    configuration.augmentation = Augmentation(
      cropPadding: 0, horizontalFlip: true, randomResizedCrop: RandomResizedCrop(scale: 0.3...1),
      autoAugment: AutoAugment(.ra), colorJitter: ColorJitter(brightness: 0.4, saturation: 0.4),
      randomErasing: RandomErasing(probability: 0.5, mode: .pixel), repeats: 2)
    configuration.mixupAlpha = 0.4
    configuration.cutmixAlpha = 1
    configuration.mixupProbability = 0.7
    configuration.classWeights = .balanced
    let whole = try train("whole", configuration)
    #expect(try train("parts", configuration, stoppingAfter: [3, 8], threads: [1, 2, 1]) == whole)
    configuration.balancedSampler = true
    configuration.classWeights = nil
    let balanced = try train("balanced", configuration)
    #expect(balanced.losses != whole.losses)
    #expect(try train("balanced parts", configuration, stoppingAfter: [7]) == balanced)
  }

  /// Everything that has a memory of its own beside the weights.
  @Test func averagesAccumulationAndMixupGoOn() throws {
    var configuration = TinyRun.configuration()
    configuration.emaDecay = 0.9
    configuration.mixupAlpha = 0.4
    configuration.accumulationSteps = 2
    configuration.evaluateEvery = 2
    let whole = try train("whole", configuration)
    // Five batches are three updates.
    #expect(whole.losses.count == 9)
    for (index, stops) in [[2], [3], [4, 5, 8]].enumerated() {
      let parts = try train("parts\(index)", configuration, stoppingAfter: stops, threads: [2, 1])
      #expect(parts == whole, "stopped after \(stops)")
    }
  }

  /// Shards of one and two images, and an epoch's last batch that is too small for all of them.
  @Test func shardsGoOn() throws {
    var configuration = TinyRun.configuration()
    configuration.shards = 4
    configuration.emaDecay = 0.9
    configuration.mixupAlpha = 0.4
    configuration.clipGradientNorm = 0.5
    configuration.accumulationSteps = 2
    let whole = try train("whole", configuration, threads: [1])
    #expect(whole.losses.count == 9)
    for (index, stops) in [[2], [4, 5, 8]].enumerated() {
      let parts = try train("parts\(index)", configuration, stoppingAfter: stops, threads: [2, 1, 3])
      #expect(parts == whole, "stopped after \(stops)")
    }
  }

  /// Trains in sessions that each end when they are asked for the n-th time whether to stop, and a last one that is not
  /// stopped.
  private func train(
    _ name: String, _ configuration: TrainingConfiguration, stoppingAtQuestions stops: [Int]
  ) throws -> (outcome: Outcome, questions: Int, stopped: [TrainingPosition]) {
    var losses: [UInt64] = []
    var stopped: [TrainingPosition] = []
    let run = try RunDirectory.create(directory(name))
    for part in 0...stops.count {
      let network = try TinyRun.network(seed: UInt64(part + 1))
      let state = part == 0 ? nil : try TrainingState(path: RunDirectory.open(run.path).statePath)
      let trainer = try Trainer(
        network: network, configuration: configuration, data: TinyRun.data, directory: run, resuming: state
      ) { event in
        if case .step(let report) = event { losses.append(report.loss.bitPattern) }
      }
      var questions = 0
      let summary = try trainer.run {
        questions += 1
        return part < stops.count && questions == stops[part]
      }
      #expect(summary.isInterrupted == (part < stops.count))
      if part == stops.count { return (try outcome(network, losses, in: run), questions, stopped) }
      stopped.append(try TrainingState(path: run.statePath).position)
    }
    throw OctNetError.training("the loop above returns")
  }

  /// At every batch of training and evaluation, also between those that make one update.
  @Test(arguments: [1, 2])
  func stoppingAtAnyBatchChangesNothing(accumulationSteps: Int) throws {
    var configuration = TinyRun.configuration()
    configuration.batchSize = 4
    configuration.accumulationSteps = accumulationSteps
    configuration.emaDecay = 0.9
    configuration.earlyStoppingEpochs = 2
    let whole = try train("whole", configuration, stoppingAtQuestions: [])
    // Three epochs of six batches and of three for the evaluation, whose last one asks nothing; two ends of epochs.
    #expect(whole.questions == 3 * (6 + 2) + 2)
    for question in 1...whole.questions {
      let parts = try train("parts\(question)", configuration, stoppingAtQuestions: [question])
      #expect(parts.outcome == whole.outcome, "stopped at \(question)")
    }
    let often = try train("often", configuration, stoppingAtQuestions: [3, 4, 3, 1, 2, 5])
    #expect(often.outcome == whole.outcome)
  }

  /// The state says that the epoch's training is done; the session after it begins with the evaluation.
  @Test func anEvaluationThatWasCutShortBeginsAgain() throws {
    var configuration = TinyRun.configuration()
    // Another rate in every step: that of the log is the last one's.
    configuration.schedule = LearningRateSchedule(base: 0.05, shape: .cosine)
    let whole = try train("whole", configuration, stoppingAtQuestions: [])
    let parts = try train("parts", configuration, stoppingAtQuestions: [6, 1, 5])
    #expect(parts.outcome == whole.outcome)
    for position in parts.stopped.prefix(2) {
      #expect(position.epoch == 0 && position.batch == 5 && position.step == 5 && position.images == 22)
    }
    #expect(parts.stopped[2].epoch == 1 && parts.stopped[2].batch == 3)
  }

  @Test func threadsMayChangeOnResume() throws {
    let whole = try train("whole", TinyRun.configuration(threads: 1))
    let parts = try train("parts", TinyRun.configuration(), stoppingAfter: [3, 9], threads: [2, 5, 1])
    #expect(parts == whole)
  }

  /// A process that is killed leaves the last checkpoint's state and perhaps newer other files.
  @Test func aKilledRunGoesOnFromItsLastCheckpoint() throws {
    let whole = try train("whole", TinyRun.configuration())
    struct Kill: Error {}
    let run = try RunDirectory.create(directory("killed"))
    var configuration = TinyRun.configuration()
    configuration.checkpointEverySteps = 2
    #expect(throws: Kill.self) {
      let trainer = try Trainer(
        network: TinyRun.network(), configuration: configuration, data: TinyRun.data, directory: run)
      try trainer.run { if trainer.position.step == 9 { throw Kill() } else { return false } }
    }
    // A half-written file and a row of an epoch that the state knows nothing of.
    try Data("half".utf8).write(
      to: URL(fileURLWithPath: run.path + "/.last.safetensors.1\(AtomicFile.temporarySuffix)"))
    try Data((TrainingLog.header + "\n1,1,1,1,1,1,1\n2,2\n").utf8).write(
      to: URL(fileURLWithPath: run.logPath))
    let state = try TrainingState(path: RunDirectory.open(run.path).statePath)
    #expect(state.position.step == 8 && state.position.epoch == 1 && state.position.batch == 3)
    let network = try TinyRun.network(seed: 99)
    let trainer = try Trainer(
      network: network, configuration: configuration, data: TinyRun.data, directory: run, resuming: state)
    try trainer.run()
    let finished = try outcome(network, whole.losses, in: run)
    #expect(finished == whole)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: run.path).sorted()
        == [
          "best.safetensors", "config.json", "last.safetensors", "log.csv", "machines.json", "results.json",
          "resume.safetensors",
          "timing.csv",
        ])
  }

  @Test func aFinishedRunStaysFinishedAndCanBeExtended() throws {
    let run = try RunDirectory.create(directory("run"))
    var configuration = TinyRun.configuration(epochs: 1)
    configuration.schedule = LearningRateSchedule(base: 0.05)
    try Trainer(network: TinyRun.network(), configuration: configuration, data: TinyRun.data, directory: run)
      .run()

    func resume(epochs: Int) throws -> (TrainingSummary, Network) {
      configuration.epochs = epochs
      let network = try TinyRun.network(seed: 7)
      let state = try TrainingState(path: run.statePath)
      let trainer = try Trainer(
        network: network, configuration: configuration, data: TinyRun.data, directory: run, resuming: state)
      return (try trainer.run(), network)
    }
    let again = try resume(epochs: 1).0
    #expect(again.results.epochs == 1 && again.steps == 5 && !again.isInterrupted)
    #expect(again.results.outcome == .finished && again.results.last?.epoch == 1)

    let extended = try resume(epochs: 2).1
    configuration.epochs = 2
    let whole = try TinyRun.network()
    try Trainer(network: whole, configuration: configuration, data: TinyRun.data).run()
    #expect(extended.bits == whole.bits)
  }

  @Test func anotherRunsSettingsOrDataAreRefused() throws {
    let run = try RunDirectory.create(directory("run"))
    let configuration = TinyRun.configuration(epochs: 1)
    try Trainer(network: TinyRun.network(), configuration: configuration, data: TinyRun.data, directory: run)
      .run()
    let state = try TrainingState(path: run.statePath)
    func resume(_ configuration: TrainingConfiguration, _ data: DataSplit = TinyRun.data) -> OctNetError? {
      error {
        try Trainer(network: TinyRun.network(), configuration: configuration, data: data, resuming: state)
      }
    }
    var other = configuration
    other.batchSize = 6
    other.clipGradientNorm = 1
    #expect(
      resume(other)
        == .configuration(
          key: "batchSize, clipGradientNorm",
          "differs from the settings of the run; only data, threads, epochs, checkpointEverySteps, "
            + "earlyStoppingEpochs, skipDamaged, inMemory and workers may change"))
    let fewer = TinyRun.split(TinyImages(count: 21), TinyImages(count: 9))
    #expect(
      resume(configuration, fewer)
        == .configuration(key: "data", "the run began with 22 training images, found 21"))
  }

  @Test func brokenStatesAreNamed() throws {
    let run = try RunDirectory.create(directory("run"))
    try Trainer(
      network: TinyRun.network(), configuration: TinyRun.configuration(epochs: 1), data: TinyRun.data,
      directory: run
    ).run()
    // A checkpoint is not a state.
    #expect(
      error { try TrainingState(path: run.lastPath) }
        == .file(path: run.lastPath, "not the state of a run: octnet.configuration is missing"))
    var file = try SafetensorsFile(path: run.statePath)
    file.metadata["octnet.version"] = "2"
    try file.write(to: directory("future"))
    #expect(
      error { try TrainingState(path: directory("future")) }
        == .file(path: directory("future"), "octnet.version: expected at most 1, found 2"))
    file.metadata["octnet.version"] = "1"
    file.metadata["octnet.position"] = #"{"epoch":0}"#
    try file.write(to: directory("position"))
    #expect(
      error { try TrainingState(path: directory("position")) }
        == .file(path: directory("position"), "octnet.position: key \"batch\" is missing"))
    let bytes = try contents(ofFile: run.statePath)
    let short = try directory.write(Array(bytes.dropLast(4)), as: "short")
    let problem = error { try TrainingState(path: short) }
    #expect(problem?.description.contains("truncated") == true)
  }
}
