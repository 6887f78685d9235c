import OctNet
@testable import OctNetSupport
import Testing

@testable import OctNetTraining

/// Runs with hooks, with other losses, and with data that is not 8-bit images of one class each.
struct TrainerHookTests {
  private static let shape = MapShape(height: 6, width: 5, channels: 2)

  private static func network(outputs: Int) throws -> Network {
    try Network(inputShape: shape, seed: 3) { x in
      let conv = Conv2d("conv", inputChannels: 2, outputChannels: 12, kernelSize: 3, padding: 1, bias: false)
      let y = try ReLU()(BatchNorm2d("norm", channels: 12)(conv(x)))
      return try Linear("fc", inputChannels: 12, outputChannels: outputs)(GlobalAvgPool()(y))
    }
  }

  private static func configuration(epochs: Int, _ change: (inout TrainingConfiguration) -> Void = { _ in })
    -> TrainingConfiguration
  {
    var result = TrainingConfiguration(
      model: nil, data: "own", epochs: epochs, batchSize: 16, optimizer: .adam,
      schedule: LearningRateSchedule(base: 0.02), weightDecay: 0,
      normalization: Normalization(mean: [0, 0], std: [1, 1]), threads: 2)
    change(&result)
    return result
  }

  /// Label 0 says that channel 0 is large, label 1 that channel 1 is, label 2 that both are.
  private static func labelled(_ count: Int, seed: UInt64) -> FloatSet {
    var stream = RandomStream(seed: seed, "labelled")
    var values: [Float] = []
    var targets: [Float] = []
    for _ in 0..<count {
      let levels = [stream.normal(), stream.normal()]
      for _ in 0..<shape.pixels { values += levels.map { $0 + 0.1 * stream.normal() } }
      let (a, b) = (levels[0] > 0, levels[1] > 0)
      targets += [a ? 1 : 0, b ? 1 : 0, a && b ? 1 : 0]
    }
    return FloatSet(
      name: "labelled", height: 6, width: 5, channels: 2, values: values, targets: targets, targetSize: 3,
      targetNames: ["a", "b", "both"])
  }

  private static func split() throws -> DataSplit {
    let train = labelled(256, seed: 1)
    return DataSplit(
      train: train, test: labelled(64, seed: 2), normalization: try Normalization(measuring: train))
  }

  @Test func severalLabelsAreLearnt() throws {
    let split = try Self.split()
    // Not 0 and 1: it is measured on floats.
    #expect(split.normalization.mean.allSatisfy { abs($0) < 0.2 })
    #expect(split.normalization.std.allSatisfy { abs($0 - 1) < 0.2 })
    let trainer = try Trainer(
      network: Self.network(outputs: 3), configuration: Self.configuration(epochs: 8) { $0.mixupAlpha = nil },
      data: split, loss: BinaryCrossEntropy())
    let summary = try trainer.run()
    let last = try #require(summary.results.last)
    #expect(last.evaluation.top1 > 0.8 && last.evaluation.loss < 0.3, "\(last)")
    #expect(last.evaluation.images == 64 && last.evaluation.confusion.isEmpty)
  }

  /// A number an image, in a directory: what was written is read, and a run that was cut goes on to the bit.
  @Test func numbersAreLearntAndResumed() throws {
    let scratch = try TemporaryDirectory()
    func set(_ count: Int, _ seed: UInt64) -> FloatSet {
      let base = Self.labelled(count, seed: seed)
      let sums = (0..<count).map { image in
        base.values[image * Self.shape.count..<(image + 1) * Self.shape.count].reduce(0, +) / 60
      }
      return FloatSet(
        name: "sums", height: 6, width: 5, channels: 2, values: base.values, targets: sums, targetSize: 1)
    }
    let split = DataSplit(
      train: set(128, 1), test: set(32, 2), normalization: Normalization(mean: [0, 0], std: [1, 1]))
    let configuration = Self.configuration(epochs: 6) {
      $0.bestMetric = .loss
      $0.augmentation = Augmentation(cropPadding: 1, horizontalFlip: true)
      $0.mixupAlpha = 0.2
      $0.validation = 0.25
    }
    func trainer(_ directory: RunDirectory, _ resuming: TrainingState? = nil) throws -> Trainer {
      try Trainer(
        network: Self.network(outputs: 1), configuration: configuration, data: split,
        directory: directory, resuming: resuming, loss: MeanSquaredError())
    }
    let whole = try trainer(.create(scratch("whole")))
    let summary = try whole.run()
    #expect(try #require(summary.results.last).evaluation.loss < 0.2)
    let directory = try RunDirectory.create(scratch("cut"))
    let first = try trainer(directory)
    var steps = 0
    _ = try first.run(shouldStop: {
      steps += 1
      return steps == 15
    })
    let state = try TrainingState(path: directory.statePath)
    let resumed = try trainer(directory, state)
    _ = try resumed.run()
    #expect(
      resumed.network.stateDictionary().map { $0.value } == whole.network.stateDictionary().map { $0.value })
    #expect(throws: OctNetError.self) {
      try Trainer(network: Self.network(outputs: 1), configuration: configuration, data: split)
    }
    #expect(throws: OctNetError.self) {
      try Trainer(
        network: Self.network(outputs: 2), configuration: configuration, data: split, loss: MeanSquaredError()
      )
    }
  }

  /// Of three labels an image each is a prediction; two of them are taken to be right.
  private struct EachLabel: Loss {
    let base = BinaryCrossEntropy()

    func targets(for outputs: [Network.Output]) throws(OctNetError) -> TargetCounts {
      try base.targets(for: outputs)
    }

    func evaluate(_ c: LossContext) -> LossValue {
      let found = base.evaluate(c)
      return LossValue(sum: found.sum, correct: 2 * c.count + found.correct, predictions: 3 * c.count)
    }
  }

  /// A loss may count several predictions an image: the state counts them, and so does the log.
  @Test func predictionsAreCountedAcrossSessions() throws {
    let scratch = try TemporaryDirectory()
    let data = try Self.split()
    func run(_ name: String, stoppingAfter steps: Int?) throws -> (log: [UInt8], bits: [String: [UInt64]]) {
      let directory = try RunDirectory.create(scratch(name))
      func trainer(_ state: TrainingState?) throws -> Trainer {
        try Trainer(
          network: Self.network(outputs: 3), configuration: Self.configuration(epochs: 2), data: data,
          directory: directory, resuming: state, loss: EachLabel())
      }
      if let steps {
        let first = try trainer(nil)
        #expect(try first.run { first.position.step >= steps }.isInterrupted)
        #expect(first.position.predictions == 3 * first.position.images)
        #expect(first.position.correct > first.position.images)
      }
      let last = try trainer(steps == nil ? nil : TrainingState(path: directory.statePath))
      try last.run()
      return (try contents(ofFile: directory.logPath), last.network.bits)
    }
    let whole = try run("whole", stoppingAfter: nil), parts = try run("parts", stoppingAfter: 21)
    #expect(parts.log == whole.log && parts.bits == whole.bits)
    for row in String(decoding: whole.log, as: UTF8.self).split(separator: "\n").dropFirst() {
      #expect(try (0.5...1).contains(#require(Double(row.split(separator: ",")[2]))), "\(row)")
    }
  }

  /// A hook may end a run that nobody has scored yet; it goes on as any other.
  @Test func aRunThatEndsBeforeItsFirstScoreGoesOn() throws {
    let scratch = try TemporaryDirectory()
    let directory = try RunDirectory.create(scratch("run"))
    let configuration = Self.configuration(epochs: 4) { $0.evaluateEvery = 4 }
    func trainer(_ state: TrainingState?, stops: Bool) throws -> Trainer {
      try Trainer(
        network: Self.network(outputs: 3), configuration: configuration, data: try Self.split(),
        directory: directory, resuming: state, loss: BinaryCrossEntropy(),
        hooks: TrainerHooks(epochEnd: { _, _ in stops }))
    }
    let first = try trainer(nil, stops: true).run()
    #expect(first.results.outcome == .stoppedEarly && first.results.best == nil && first.results.epochs == 1)
    let second = try trainer(TrainingState(path: directory.statePath), stops: false).run()
    #expect(second.results.outcome == .finished && second.results.best?.epoch == 4)
  }

  /// The rate that a hook made of the schedule's stands in the log, also where the run is cut before the row is written.
  @Test func theHooksRateIsResumed() throws {
    let scratch = try TemporaryDirectory()
    func log(_ name: String, isCut: Bool) throws -> [UInt8] {
      let directory = try RunDirectory.create(scratch(name))
      func trainer(_ state: TrainingState?, _ onEvent: @escaping (TrainingEvent) -> Void = { _ in }) throws
        -> Trainer
      {
        try Trainer(
          network: Self.network(outputs: 3), configuration: Self.configuration(epochs: 1),
          data: try Self.split(), directory: directory, resuming: state, loss: BinaryCrossEntropy(),
          hooks: TrainerHooks(learningRate: { _, rate in rate / 3 }), onEvent: onEvent)
      }
      if isCut {
        var isEvaluating = false
        let first = try trainer(nil) { if case .evaluating = $0 { isEvaluating = true } }
        #expect(try first.run { isEvaluating }.isInterrupted)
      }
      try trainer(isCut ? TrainingState(path: directory.statePath) : nil).run()
      return try contents(ofFile: directory.logPath)
    }
    #expect(try log("cut", isCut: true) == log("whole", isCut: false))
  }

  @Test func hooksChangeARun() throws {
    var places: [TrainerHooks.Place] = []
    var scheduled: [Double] = []
    var rates: [Double] = []
    var epochs: [Int] = []
    let hooks = TrainerHooks(
      learningRate: { place, rate in
        places.append(place)
        scheduled.append(rate)
        return rate / 2
      },
      batch: { batch in
        #expect(batch.images.count == batch.count * Self.shape.count)
        for index in batch.images.indices { batch.images[index] = 0 }
      },
      // Earlier is better.
      metric: { _, found in -Double(found.images) - Double(epochs.count) },
      epochEnd: { report, network in
        epochs.append(report.epoch)
        #expect(network.outputs.count == 1)
        return report.epoch == 3
      })
    let network = try Self.network(outputs: 3)
    let before = try network.parameter("conv.weight")
    let trainer = try Trainer(
      network: network, configuration: Self.configuration(epochs: 9), data: try Self.split(),
      loss: BinaryCrossEntropy(), hooks: hooks
    ) { event in
      if case .step(let report) = event { rates.append(report.learningRate) }
    }
    let summary = try trainer.run()
    #expect(epochs == [1, 2, 3] && summary.results.outcome == .stoppedEarly)
    #expect(summary.results.best?.epoch == 1 && summary.results.best?.evaluation.metric == -64)
    #expect(rates == scheduled.map { $0 / 2 })
    #expect(places.map(\.step) == Array(0..<48))
    #expect(places[17] == .init(epoch: 1, step: 17, batch: 1))
    // Of images that are nothing but zeros a convolution learns nothing.
    #expect(try network.parameter("conv.weight") == before)
    struct Stop: Error {}
    let failing = try Trainer(
      network: Self.network(outputs: 3), configuration: Self.configuration(epochs: 2), data: try Self.split(),
      loss: BinaryCrossEntropy(), hooks: TrainerHooks(epochEnd: { _, _ in throw Stop() }))
    #expect(throws: Stop.self) { try failing.run() }
  }

  /// Frozen parameters and groups are settings of a run.
  @Test func settingsFreezeAndGroup() throws {
    let network = try Self.network(outputs: 3)
    let before = network.stateDictionary()
    let configuration = Self.configuration(epochs: 1) {
      $0.frozen = ["conv", "norm"]
      $0.parameterGroups = [ParameterGroup("fc.bias", learningRateScale: 0)]
    }
    #expect(
      try TrainingConfiguration(json: Array(StrictJSON.encode(configuration).utf8), path: "config.json")
        == configuration)
    _ = try Trainer(
      network: network, configuration: configuration, data: try Self.split(), loss: BinaryCrossEntropy()
    ).run()
    for ((name, old), (_, new)) in zip(before, network.stateDictionary()) {
      #expect((old == new) == (name != "fc.weight"), "\(name)")
    }
    let wrong = Self.configuration(epochs: 1) { $0.frozen = ["cnv"] }
    #expect(throws: OctNetError.self) {
      try Trainer(network: network, configuration: wrong, data: try Self.split(), loss: BinaryCrossEntropy())
    }
  }
}
