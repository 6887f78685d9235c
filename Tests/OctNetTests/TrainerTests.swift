import Foundation
import Testing

import OctNet

@Suite struct TrainerTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  @Test func tellsTheWholeStory() throws {
    let run = try RunDirectory.create(directory("run"))
    var story: [String] = []
    var steps: [StepReport] = []
    var epochs: [EpochReport] = []
    let trainer = try Trainer(
      network: TinyRun.network(), configuration: TinyRun.configuration(epochs: 2), data: TinyRun.data,
      directory: run
    ) { event in
      switch event {
      case .runStarted(let report):
        story.append("started")
        // 6·3·9 (two paths of 3) + 2·6 + 5·6·9 (two paths to 5) + 2·5 + 5·4 + 4
        #expect(report.parameters == 162 + 12 + 270 + 10 + 24)
        #expect(report.trainImages == 22 && report.testImages == 9 && report.stepsPerEpoch == 5)
        #expect(report.position.step == 0 && report.directory == run.path)
      case .step(let report):
        if report.step == 1 { story.append("steps") }
        steps.append(report)
      case .evaluating(let done, let total): story.append("evaluating \(done)/\(total)")
      case .epochFinished(let report):
        story.append("epoch \(report.epoch)")
        epochs.append(report)
      case .imageSkipped(let problem): story.append("left out \(problem)")
      case .checkpointWritten(let path): story.append((path as NSString).lastPathComponent)
      case .finished(let summary):
        story.append("finished")
        #expect(summary.results.epochs == 2 && summary.steps == 10 && !summary.isInterrupted)
        #expect(summary.results.outcome == .finished)
        #expect(summary.results.best?.evaluation.top1 == epochs.compactMap { $0.test?.top1 }.max())
        #expect(summary.results.last?.evaluation == epochs.last?.test)
      }
    }
    try trainer.run()

    let bestAgain = epochs.count == 2 && epochs[1].isBest
    #expect(
      story == ["started"]
        + ["steps", "evaluating 5/9", "evaluating 9/9", "epoch 1"]
        + ["last.safetensors", "best.safetensors", "resume.safetensors"]
        + ["steps", "evaluating 5/9", "evaluating 9/9", "epoch 2", "last.safetensors"]
        + (bestAgain ? ["best.safetensors"] : []) + ["resume.safetensors", "finished"])
    #expect(steps.map(\.step) == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5])
    #expect(steps.map(\.epoch) == [1, 1, 1, 1, 1, 2, 2, 2, 2, 2])
    // Warm-up over the first epoch, then the cosine from its top.
    for (step, rate) in zip(steps, [0.01, 0.02, 0.03, 0.04, 0.05, 0.05]) {
      #expect(abs(step.learningRate - rate) < 1e-12)
    }
    // The epoch's loss is the mean over images: the last batch has two of 22.
    let sizes: [Double] = [5, 5, 5, 5, 2]
    let mean = zip(steps.prefix(5), sizes).map { $0.loss * $1 }.reduce(0, +) / 22
    #expect(abs(epochs[0].trainLoss - mean) < 1e-12)
    #expect(abs(steps[4].meanLoss - mean) < 1e-12)

    let log = String(decoding: try contents(ofFile: run.logPath), as: UTF8.self).split(separator: "\n")
    #expect(log.count == 3)
    #expect(log.first == "epoch,train_loss,train_accuracy,test_loss,test_top1,test_top5,learning_rate")
    let row = log[1].split(separator: ",").compactMap { Double($0) }
    let report = epochs[0]
    let test = try #require(report.test)
    for (found, expected) in zip(
      row, [1, report.trainLoss, report.trainAccuracy, test.loss, test.top1, test.top5, 0.05])
    { #expect(abs(found - expected) <= 1e-5 * abs(expected)) }
    #expect(row.count == 7)
    let timing = String(decoding: try contents(ofFile: run.timingPath), as: UTF8.self)
      .split(separator: "\n").map { $0.split(separator: ",") }
    #expect(timing.count == 3 && timing[0] == ["epoch", "seconds", "images_per_second", "seconds_to_score"])
    #expect(timing[1].count == 4 && (Double(timing[1][1]) ?? 0) > 0)
    let results = try RunResults(path: run.resultsPath)
    #expect(results.last?.evaluation == epochs.last?.test && results.epochs == 2)
    #expect(try TrainingConfiguration(path: run.configurationPath) == trainer.configuration)
  }

  @Test func learns() throws {
    var configuration = TinyRun.configuration(epochs: 12)
    configuration.augmentation = .none
    let data = TinyRun.split(TinyImages(count: 60), TinyImages(count: 40, seed: 2))
    let summary = try Trainer(network: TinyRun.network(), configuration: configuration, data: data).run()
    #expect((summary.results.best?.evaluation.top1 ?? 0) > 0.9)
  }

  @Test(arguments: [1, 2, 5])
  func sameBitsForAnyNumberOfThreads(threads: Int) throws {
    func bits(_ threads: Int) throws -> [String: [UInt64]] {
      let network = try TinyRun.network()
      var configuration = TinyRun.configuration(threads: threads, epochs: 1)
      configuration.clipGradientNorm = 0.5
      try Trainer(network: network, configuration: configuration, data: TinyRun.data).run()
      return network.bits
    }
    #expect(try bits(threads) == bits(1))
  }

  @Test func everySettingMatters() throws {
    func bits(_ change: (inout TrainingConfiguration) -> Void) throws -> [String: [UInt64]] {
      let network = try TinyRun.network()
      var configuration = TinyRun.configuration(epochs: 1)
      change(&configuration)
      try Trainer(network: network, configuration: configuration, data: TinyRun.data).run()
      return network.bits
    }
    let plain = try bits { _ in }
    #expect(try bits { _ in } == plain)
    let changes: [(inout TrainingConfiguration) -> Void] = [
      { $0.seed = 6 }, { $0.batchSize = 4 }, { $0.weightDecay = 0.1 }, { $0.excludeNormsAndBiases = false },
      { $0.labelSmoothing = 0 }, { $0.clipGradientNorm = 0.01 }, { $0.optimizer = .adam },
      { $0.schedule.warmupEpochs = 0 }, { $0.normalization.mean[1] = 0 }, { $0.trainLimit = 21 },
      { $0.augmentation.horizontalFlip = false }, { $0.augmentation.cropPadding = 0 },
      { $0.mixupAlpha = 0.2 }, { $0.accumulationSteps = 2 }, { $0.shards = 2 },
    ]
    for (index, change) in changes.enumerated() {
      let changed = try bits(change)
      #expect(changed != plain, "change \(index)")
    }
  }

  @Test func aLossThatIsNoNumberEndsTheRunAndKeepsTheFiles() throws {
    let run = try RunDirectory.create(directory("run"))
    var configuration = TinyRun.configuration(epochs: 3)
    configuration.checkpointEverySteps = 1
    let network = try TinyRun.network()
    let trainer = try Trainer(
      network: network, configuration: configuration, data: TinyRun.data, directory: run)
    var before: [[UInt8]] = []
    let files = [run.bestPath, run.lastPath, run.statePath, run.logPath]
    let failure = error {
      try trainer.run {
        if trainer.position.epoch == 1 && trainer.position.batch == 2 {
          before = try files.map { try contents(ofFile: $0) }
          network.parameters.values[0] = .nan
          return false
        }
        return false
      }
    }
    #expect(
      failure
        == .training(
          "epoch 2, step 3: the loss is not finite (NaN), and the first such number: parameter "
            + "enter.conv_h2l.weight is nan; try a lower learning rate, a warm-up or gradient clipping"))
    // The state of step 7 (two steps into the second epoch) was written after the look at the files.
    #expect(try files.dropLast(2).map { try contents(ofFile: $0) } == Array(before.dropLast(2)))
    #expect(try contents(ofFile: run.logPath) == before[3])
    #expect(try TrainingState(path: run.statePath).position.step == 7)
  }

  // MARK: Places that cannot be written

  @Test func runsAreNeverOverwritten() throws {
    _ = try RunDirectory.create(directory("new/deep/run"))
    _ = try RunDirectory.create(directory("new/deep/run"))  // still empty
    try AtomicFile.write("notes", to: directory("new/deep/run/notes"))
    #expect(
      error { try RunDirectory.create(directory("new/deep/run")) }
        == .file(
          path: directory("new/deep/run"),
          "the directory exists and is not empty; runs are never overwritten, choose another"))
    let file = directory("new/deep/run/notes")
    #expect(
      error { try RunDirectory.create(file) }
        == .file(path: file, "expected a new directory for the run, found a file"))
    #expect(
      error { try RunDirectory.create(file + "/run") }
        == .file(path: file + "/run", "cannot create the directory: Not a directory"))
    let forbidden = error { try RunDirectory.create("/proc/octnet/run") }
    #expect(forbidden?.description.hasPrefix("/proc/octnet: cannot create the directory: ") == true)
    #expect(RunDirectory.unusedPath(directory("new/deep/run")) == directory("new/deep/run-1"))
    _ = try RunDirectory.create(directory("runs-1"))
    #expect(RunDirectory.unusedPath(directory("runs")) == directory("runs-2"))
  }

  @Test func nothingToResumeIsSaid() throws {
    #expect(
      error { try RunDirectory.open(directory("none")) }
        == .file(path: directory("none"), "no such directory, expected that of a run"))
    let run = try RunDirectory.create(directory("run"))
    #expect(
      error { try RunDirectory.open(run.path) }
        == .file(
          path: run.path,
          "found an empty directory, expected that of a run, with config.json and resume.safetensors"))
    _ = try Trainer(
      network: TinyRun.network(), configuration: TinyRun.configuration(), data: TinyRun.data, directory: run)
    #expect(
      error { try RunDirectory.open(run.path) }
        == .file(path: run.statePath, "missing: the run ended before its first checkpoint"))
  }

  /// The second epoch meets a checkpoint path that leads to a device that is always full.
  @Test func aFullDiskKeepsTheEarlierFiles() throws {
    let run = try RunDirectory.create(directory("run"))
    let trainer = try Trainer(
      network: TinyRun.network(), configuration: TinyRun.configuration(epochs: 2), data: TinyRun.data,
      directory: run)
    var state: [UInt8] = []
    let failure = error {
      try trainer.run {
        if trainer.position.step == 6 {
          state = try contents(ofFile: run.statePath)
          try FileManager.default.removeItem(atPath: run.lastPath)
          try FileManager.default.createSymbolicLink(atPath: run.lastPath, withDestinationPath: "/dev/full")
        }
        return false
      }
    }
    #expect(failure == .file(path: run.lastPath, "cannot write: No space left on device"))
    #expect(try contents(ofFile: run.statePath) == state)
    #expect(throws: Never.self) { try Checkpoint(path: run.bestPath) }
    #expect(throws: Never.self) { try TrainingState(path: run.statePath) }
  }

  // MARK: What does not fit

  @Test func dataMustFitTheNetwork() throws {
    struct Other: Dataset {
      var name = "other"
      var count = 3
      var height = 6
      var width = 6
      var channels = 3
      var classNames = TinyImages(count: 1).classNames
      func label(at index: Int) -> Int { 0 }
      func copyPixels(at index: Int, to pixels: UnsafeMutablePointer<UInt8>) {}
    }
    func problem(_ change: (inout Other) -> Void) -> OctNetError? {
      var other = Other()
      change(&other)
      return error {
        try Trainer(
          network: TinyRun.network(), configuration: TinyRun.configuration(),
          data: TinyRun.split(TinyImages(count: 3), other))
      }
    }
    #expect(problem { _ in } == nil)
    #expect(problem { $0.classNames.append("e") }?.description.contains("class 4 is \"e\"") == true)
    // In another order they are found by name.
    #expect(problem { $0.classNames.reverse() } == nil)
    let shapes = problem { $0.height = 7 }?.description
    #expect(shapes?.contains("images of \"other\" are") == true)
    #expect(
      error {
        try Trainer(
          network: TinyRun.network(), configuration: TinyRun.configuration(),
          data: TinyRun.split(TinyImages(count: 0), TinyImages(count: 1)))
      } == .configuration(key: "data", "the training set is empty"))
    var grey = TinyRun.configuration()
    grey.normalization = Normalization(mean: [0.5], std: [0.5])
    #expect(
      error { try Trainer(network: TinyRun.network(), configuration: grey, data: TinyRun.data) }
        == .configuration(key: "mean", "found 1 value, expected one for each of 3 channels"))
  }
}
