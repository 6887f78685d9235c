import Testing

import OctNet
@testable import OctNetTraining

/// Images that choose the best epoch, apart from those that measure it.
struct ValidationTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private func configuration(_ validation: Double? = 6) -> TrainingConfiguration {
    var configuration = TinyRun.configuration()
    configuration.validation = validation
    return configuration
  }

  private func labels(_ dataset: any Dataset) -> [Int] { (0..<dataset.count).map(dataset.label(at:)) }

  private func pixels(_ dataset: any Dataset) -> [[UInt8]] {
    (0..<dataset.count).map(dataset.pixels(at:))
  }

  @Test func everyClassGivesTheSameShareAndNoImageIsInBoth() throws {
    let data = TinyRun.split(TinyImages(count: 40), TinyImages(count: 9, seed: 2))
    for amount in [0.2, 8] {
      let held = try data.holdingBack(amount, seed: 5, limit: nil)
      let validation = try #require(held.validation)
      #expect(validation.count == 8 && held.train.count == 32)
      for label in 0..<4 { #expect(labels(validation).count { $0 == label } == 2) }
      let all = pixels(held.train) + pixels(validation)
      #expect(Set(all) == Set(pixels(data.train)) && Set(all).count == 40)
      let again = try data.holdingBack(amount, seed: 5, limit: nil)
      #expect(pixels(try #require(again.validation)) == pixels(validation))
      let other = try data.holdingBack(amount, seed: 6, limit: nil)
      #expect(pixels(try #require(other.validation)) != pixels(validation))
    }
    let limited = try data.holdingBack(4, seed: 5, limit: 20)
    #expect(limited.train.count == 16 && limited.validation?.count == 4)
    #expect(Set(pixels(limited.train)).isSubset(of: pixels(data.train).prefix(20)))
  }

  @Test func oneOfEachClassStays() throws {
    func images(_ labels: [Int]) -> ImageSet {
      ImageSet(
        name: "few", height: 1, width: 1, channels: 1, classNames: ["a", "b", "c", "d"],
        pixels: labels.map(UInt8.init), labels: labels)
    }
    let few = DataSplit(
      train: images([0, 1, 1, 2, 2, 2]), test: images([0]), normalization: TinyRun.normalization)
    let held = try few.holdingBack(3, seed: 1, limit: nil)
    #expect(Set(labels(held.train)) == [0, 1, 2])
    #expect(
      error { try few.holdingBack(4, seed: 1, limit: nil) }
        == .configuration(
          key: "validation",
          "found 4 of 6 training images, expected at most 3: one of each class stays in training"))
    #expect(error { try few.holdingBack(0.01, seed: 1, limit: nil) } != nil)
  }

  @Test(arguments: [0, -1, 1.5, .nan, .infinity])
  func settingsOutOfRange(amount: Double) {
    guard case .configuration("validation", _) = error(of: { try configuration(amount).validate() }) else {
      Issue.record("\(amount) is taken")
      return
    }
  }

  private func run(
    _ name: String, _ configuration: TrainingConfiguration, stoppingAt stops: [Int] = [],
    threads: Int = 1
  ) throws -> (summary: TrainingSummary, files: [[UInt8]], questions: Int) {
    let run = try RunDirectory.create(directory(name))
    var questions = 0
    for part in 0...stops.count {
      var configuration = configuration
      configuration.threads = threads
      let state = part == 0 ? nil : try TrainingState(path: run.statePath)
      let trainer = try Trainer(
        network: try TinyRun.network(seed: UInt64(part + 1)), configuration: configuration,
        data: TinyRun.data,
        directory: run, resuming: state)
      #expect(trainer.nothingToDo == nil)
      var asked = 0
      let summary = try trainer.run {
        asked += 1
        return part < stops.count && asked == stops[part]
      }
      questions = asked
      #expect(summary.isInterrupted == (part < stops.count))
      if part == stops.count {
        let files = try [run.resultsPath, run.logPath, run.bestPath, run.lastPath].map(contents(ofFile:))
        return (summary, files, questions)
      }
    }
    throw OctNetError.training("the loop above returns")
  }

  /// The best of the validation images is scored on the test images, once, with the weights of its epoch.
  @Test func theTestImagesAreScoredAtTheEndWithTheChosenWeights() throws {
    let outcome = try run("run", configuration(), threads: 2)
    let results = outcome.summary.results
    let (best, test) = (try #require(results.best), try #require(results.test))
    #expect(results.chosenOn == .validation && results.outcome == .finished)
    #expect(best.evaluation.images == 6 && results.last?.evaluation.images == 6)
    #expect(test.evaluation.images == 9 && test.epoch == best.epoch && results.bestOnTest == test)
    let chosen = try TinyRun.network(seed: 77)
    try Checkpoint(path: directory("run/best.safetensors")).load(into: chosen)
    let evaluator = Evaluator(
      network: chosen, normalization: TinyRun.normalization, batchSize: 5, threads: 1)
    #expect(try evaluator.evaluate(TinyRun.data.test) == test.evaluation)
    #expect(try RunResults(path: directory("run/results.json")) == results)
    // Without a directory the weights are kept in memory.
    let free = try Trainer(network: TinyRun.network(), configuration: configuration(), data: TinyRun.data)
    #expect(try free.run().results == results)
  }

  /// The weights of an epoch before the state are in its directory alone.
  @Test func theChosenWeightsAreNeededInTheEnd() throws {
    /// Cut after two epochs; the best of all is the one given.
    func state(best: Int, _ name: String) throws -> (state: TrainingState, hooks: TrainerHooks) {
      func hooks(after: Int) -> TrainerHooks {
        var epoch = after
        return TrainerHooks(metric: { _, _ in
          epoch += 1
          return -Double(abs(epoch - best))
        })
      }
      let run = try RunDirectory.create(directory(name))
      let trainer = try Trainer(
        network: TinyRun.network(), configuration: configuration(), data: TinyRun.data, directory: run,
        hooks: hooks(after: 0))
      try trainer.run { trainer.position.epoch == 2 && trainer.position.batch == 0 }
      return (try TrainingState(path: run.statePath), hooks(after: 2))
    }
    func goOn(best: Int) throws -> RunResults {
      let (state, hooks) = try state(best: best, "run\(best)")
      #expect(state.position.epoch == 2 && state.position.batch == 0)
      return try Trainer(
        network: TinyRun.network(seed: 8), configuration: configuration(), data: TinyRun.data,
        resuming: state,
        hooks: hooks
      ).run().results
    }
    guard case .configuration("directory", _) = error(of: { try goOn(best: 1) }) else {
      Issue.record("the last epoch's weights are scored as those of the first")
      return
    }
    for best in [2, 3] {
      let whole = try RunDirectory.create(directory("whole\(best)"))
      var epoch = 0
      let hooks = TrainerHooks(metric: { _, _ in
        epoch += 1
        return -Double(abs(epoch - best))
      })
      let expected = try Trainer(
        network: TinyRun.network(), configuration: configuration(), data: TinyRun.data, directory: whole,
        hooks: hooks
      ).run().results
      #expect(try goOn(best: best) == expected && expected.test?.epoch == best)
    }
  }

  /// All epochs' scores on validation images are of one view; that on the test images is of all, however the run ends.
  @Test(arguments: [nil, 1]) func viewsAreForTheTest(patience: Int?) throws {
    func results(_ views: TestViews?) throws -> RunResults {
      var configuration = configuration()
      configuration.testViews = views
      configuration.earlyStoppingEpochs = patience
      return try Trainer(network: TinyRun.network(), configuration: configuration, data: TinyRun.data).run()
        .results
    }
    let (one, six) = (try results(nil), try results(.six))
    #expect(one.best == six.best && one.last == six.last)
    #expect(try #require(one.test).evaluation.loss != #require(six.test).evaluation.loss)
  }

  /// In training, in an evaluation on validation images and in the test at the end.
  @Test func stoppingAnywhereChangesNothing() throws {
    let whole = try run("whole", configuration())
    // The last question is asked before the test's last batch.
    for stop in 1...whole.questions {
      let parts = try run("parts\(stop)", configuration(), stoppingAt: [stop], threads: stop % 2 + 1)
      #expect(parts.files == whole.files, "stopped at question \(stop) of \(whole.questions)")
    }
  }

  @Test func moreEpochsTakeTheTestBack() throws {
    let whole = try run("whole", longer())
    let name = directory("short")
    let run = try RunDirectory.create(name)
    for epochs in [3, 5] {
      var configuration = longer()
      configuration.epochs = epochs
      let state = epochs == 3 ? nil : try TrainingState(path: run.statePath)
      try Trainer(
        network: try TinyRun.network(), configuration: configuration, data: TinyRun.data, directory: run,
        resuming: state
      ).run()
    }
    #expect(try contents(ofFile: run.resultsPath) == whole.files[0])
  }

  /// Of a rate that does not depend on how many epochs there are.
  private func longer() -> TrainingConfiguration {
    var configuration = configuration()
    configuration.schedule = LearningRateSchedule(base: 0.05)
    configuration.epochs = 5
    return configuration
  }

  @Test func aRunThatChoseOnTestImagesGoesOnSo() throws {
    let run = try RunDirectory.create(directory("run"))
    var configuration = configuration(nil)
    configuration.epochs = 1
    configuration.schedule = LearningRateSchedule(base: 0.05)
    let first = try Trainer(
      network: try TinyRun.network(), configuration: configuration, data: TinyRun.data, directory: run
    ).run()
    #expect(first.results.chosenOn == nil && first.results.test == nil)
    configuration.epochs = 2
    var data = TinyRun.data
    data.validation = TinyImages(count: 5, seed: 3)
    let state = try TrainingState(path: run.statePath)
    let second = try Trainer(
      network: try TinyRun.network(), configuration: configuration, data: data, directory: run,
      resuming: state
    ).run()
    #expect(second.results.chosenOn == nil && second.results.last?.evaluation.images == 9)
    // Of its own accord a new run takes them.
    let new = try Trainer(network: try TinyRun.network(), configuration: configuration, data: data).run()
    #expect(new.results.chosenOn == .validation && new.results.test?.evaluation.images == 9)
    configuration.validation = 3
    #expect(error { try RunImages(data, configuration) } != nil)
  }

  // MARK: Classes of a resumed run

  /// Classes under other numbers, as a listing in another order gives them.
  private func renumbered(_ names: [String]) -> DataSplit {
    func images(_ source: TinyImages) -> ImageSet {
      ImageSet(
        name: "tiny", height: 6, width: 6, channels: 3, classNames: names,
        pixels: pixels(source).flatMap { $0 },
        labels: labels(source).map { label in names.firstIndex(of: source.classNames[label]) ?? label })
    }
    return TinyRun.split(images(TinyImages(count: 22)), images(TinyImages(count: 9, seed: 2)))
  }

  @Test func aResumedRunKeepsItsClasses() throws {
    let whole = try run("whole", configuration())
    let run = try RunDirectory.create(directory("run"))
    let first = try Trainer(
      network: try TinyRun.network(), configuration: configuration(), data: TinyRun.data, directory: run)
    try first.run { first.position.step == 5 }
    func resume(_ names: [String], byNumber: Bool = false) throws -> Trainer {
      try Trainer(
        network: try TinyRun.network(seed: 2), configuration: configuration(), data: renumbered(names),
        directory: run, resuming: try TrainingState(path: run.statePath), classesByNumber: byNumber)
    }
    let others = error { try resume(["red", "green", "azure", "grey"]) }
    guard case .configuration("class names", let problem) = others else {
      Issue.record("\(String(describing: others))")
      return
    }
    #expect(problem.hasPrefix("class 2 is \"azure\" in the data, \"blue\" in the run"))
    // Other labels are other data.
    let state = try TrainingState(path: run.statePath)
    #expect(
      error {
        try Trainer(
          network: try TinyRun.network(), configuration: configuration(),
          data: TinyRun.split(TinyImages(count: 22, seed: 3), TinyImages(count: 9)), resuming: state)
      } != nil)
    try resume(["grey", "blue", "red", "green"]).run()
    let files = try [run.resultsPath, run.logPath, run.bestPath, run.lastPath].map(contents(ofFile:))
    #expect(files == whole.files)
  }
}
