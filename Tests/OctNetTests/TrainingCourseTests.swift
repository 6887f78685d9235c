import Foundation
import Testing

import OctNet
@testable import OctNetTraining
@testable import OctNetData

/// Accumulation, averages, mixing, and when a run evaluates and ends.
@Suite struct TrainingCourseTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  /// Without batch norm and dropout, whose batches are their own.
  private func linearNetwork() throws -> Network {
    try Network(inputShape: MapShape(height: 6, width: 6, channels: 3), seed: 3) { image in
      let conv = Conv2d("conv", inputChannels: 3, outputChannels: 4, kernelSize: 3, padding: 1)
      return try Linear("classes", inputChannels: 4, outputChannels: 4)(
        GlobalAvgPool()(ReLU()(conv(image))))
    }
  }

  private func train(
    _ network: Network, _ change: (inout TrainingConfiguration) -> Void,
    onEvent: @escaping (TrainingEvent) -> Void = { _ in }
  ) throws -> TrainingSummary {
    var configuration = TinyRun.configuration(epochs: 2)
    configuration.augmentation = .none
    change(&configuration)
    return try Trainer(
      network: network, configuration: configuration, data: TinyRun.data, onEvent: onEvent
    ).run()
  }

  /// 22 images: batches of 11 make two updates an epoch, and so do batches of 4 in groups of three (12 and 10).
  @Test(arguments: [nil, 0.05])
  func accumulatedBatchesAreOneLargeBatch(clip: Double?) throws {
    let (large, small) = (try linearNetwork(), try linearNetwork())
    var steps = 0
    _ = try train(large) {
      ($0.batchSize, $0.clipGradientNorm) = (12, clip)
    }
    _ = try train(small) {
      ($0.batchSize, $0.accumulationSteps, $0.clipGradientNorm) = (4, 3, clip)
    } onEvent: {
      guard case .step(let report) = $0 else { return }
      steps += 1
      #expect(report.stepsPerEpoch == 2 && report.totalSteps == steps)
    }
    #expect(steps == 4)
    for ((name, a), (_, b)) in zip(large.stateDictionary(), small.stateDictionary()) {
      guard case .tensor(let a) = a, case .tensor(let b) = b else { continue }
      let scale = a.values.map(abs).max() ?? 1
      for (x, y) in zip(a.values, b.values) { #expect(abs(x - y) <= 2e-6 * scale, "\(name)") }
    }
  }

  @Test func theAverageFollowsItsFormula() throws {
    let network = try TinyRun.network()
    let average = WeightAverage(of: network, decay: 0.5, threads: 2)
    let (own, other) = (average.network.parameters, network.parameters)
    var value = Double(own.values[3])
    var state = Double(own.states[0])
    for update in 0..<40 {
      other.values[3] = Float(update) / 7
      other.states[0] = Float(update) / 3
      network.counters[0] = Int64(update)
      average.update(from: network, updates: update)
      let decay = min(0.5, Double(1 + update) / Double(10 + update))
      value = decay * value + (1 - decay) * Double(Float(update) / 7)
      state = decay * state + (1 - decay) * Double(Float(update) / 3)
    }
    #expect(abs(Double(own.values[3]) - value) < 1e-5 * value)
    #expect(abs(Double(own.states[0]) - state) < 1e-5 * state)
    #expect(average.network.counters[0] == 39)
  }

  /// The weights in training are those of a run without an average; the kept ones are other ones.
  @Test func theAverageIsEvaluatedAndSaved() throws {
    let (plain, averaged) = (try TinyRun.network(), try TinyRun.network())
    var plainTests: [EvaluationResult?] = []
    var averagedTests: [EvaluationResult?] = []
    _ = try train(plain) { _ in
    } onEvent: {
      if case .epochFinished(let report) = $0 { plainTests.append(report.test) }
    }
    let run = try RunDirectory.create(directory("run"))
    var configuration = TinyRun.configuration(epochs: 2)
    configuration.augmentation = .none
    configuration.emaDecay = 0.8
    try Trainer(
      network: averaged, configuration: configuration, data: TinyRun.data, directory: run,
      onEvent: { if case .epochFinished(let report) = $0 { averagedTests.append(report.test) } }
    ).run()
    #expect(plain.bits == averaged.bits)
    #expect(plainTests != averagedTests)
    let kept = try TinyRun.network(seed: 9)
    try kept.load(try Checkpoint(path: run.lastPath).state)
    #expect(kept.bits != averaged.bits)
    let state = try TrainingState(path: run.statePath)
    let average = try TinyRun.network(seed: 9)
    try average.load(state.average)
    #expect(average.bits == kept.bits)
    let evaluator = Evaluator(network: kept, normalization: TinyRun.normalization, threads: 1)
    #expect(try evaluator.evaluate(TinyRun.data.test).top1 == averagedTests.last??.top1)
  }

  @Test func evaluationsAndTheirMetric() throws {
    var tested: [Int] = []
    var rows: [Bool] = []
    let summary = try train(TinyRun.network()) {
      ($0.epochs, $0.evaluateEvery, $0.bestMetric) = (5, 2, .loss)
    } onEvent: {
      guard case .epochFinished(let report) = $0 else { return }
      if report.test != nil { tested.append(report.epoch) }
      rows.append(report.isBest)
    }
    #expect(tested == [2, 4, 5])
    #expect(rows[0] == false && rows[2] == false && rows[1])
    #expect(summary.results.best.map { tested.contains($0.epoch) } == true)

    func result(_ loss: Double, _ top1: Double) -> EvaluationResult {
      EvaluationResult(
        images: 1, top1: top1, top5: 1, loss: loss, classNames: [], perClassAccuracy: [], confusion: [])
    }
    #expect(BestMetric.loss.prefers(result(0.5, 0), to: result(0.6, 1)))
    #expect(!BestMetric.loss.prefers(result(0.5, 0), to: result(0.5, 0)))
    #expect(BestMetric.loss.prefers(result(9, 0), to: result(.nan, 0)))
    #expect(!BestMetric.loss.prefers(result(.nan, 0), to: result(9, 0)))
    #expect(BestMetric.top1.prefers(result(0, 0.6), to: result(0, 0.5)))
    #expect(!BestMetric.top5.prefers(result(0, 0.6), to: result(0, 0.5)))
    func regression(_ loss: Double) -> EvaluationResult {
      EvaluationResult(
        images: 1, top1: 0, top5: 0, loss: loss, classNames: [], perClassAccuracy: [], confusion: [])
    }
    #expect(BestMetric.top1.prefers(regression(0.5), to: regression(0.6)))
    #expect(!BestMetric.top1.prefers(regression(0.6), to: regression(0.5)))
  }

  /// A network that has diverged at evaluation leaves a result, too.
  @Test func aLossThatIsNoNumberIsAResult() throws {
    let result = EvaluationResult(
      images: 3, top1: 0, top5: 1, loss: .nan, classNames: ["a"], perClassAccuracy: [nil], confusion: [[3]])
    let path = directory("results.json")
    for loss in [Double.nan, .infinity, -.infinity] {
      var evaluation = result
      evaluation.loss = loss
      try RunResults(epochs: 1, last: .init(epoch: 1, evaluation: evaluation)).write(to: path)
      let found = try RunResults(path: path).last?.evaluation
      #expect(found?.loss.description == loss.description && found?.top5 == 1)
    }
  }

  /// A learning rate so small that the accuracy stays where it is.
  @Test func stopsEarlyAndStaysStopped() throws {
    let run = try RunDirectory.create(directory("run"))
    var configuration = TinyRun.configuration(epochs: 9)
    configuration.schedule = LearningRateSchedule(base: 1e-12)
    configuration.augmentation = .none
    configuration.earlyStoppingEpochs = 3
    configuration.optimizer = .sgd(momentum: 0, nesterov: false)
    // Running statistics move the accuracy for a while; the first evaluation counts as the best here.
    configuration.bestMetric = .top5
    let summary = try Trainer(
      network: TinyRun.network(), configuration: configuration, data: TinyRun.data, directory: run
    ).run()
    #expect(summary.results.outcome == .stoppedEarly)
    #expect(summary.results.epochs == 4 && summary.results.best?.epoch == 1 && !summary.isInterrupted)
    #expect(try RunResults(path: run.resultsPath) == summary.results)
    let again = try Trainer(
      network: TinyRun.network(), configuration: configuration, data: TinyRun.data, directory: run,
      resuming: try TrainingState(path: run.statePath)
    ).run()
    #expect(again.results == summary.results && again.steps == summary.steps)
  }

  @Test func theFirstLayerThatIsNotFiniteIsNamed() throws {
    let network = try TinyRun.network()
    let session = try TrainingSession(network: network, batchSize: 2, threads: 1)
    var images = [Float](repeating: 1, count: 2 * 6 * 6 * 3)
    #expect(session.firstNonFinite(images: images, count: 2, dropoutSeed: 1) == nil)
    images[200] = .infinity
    let origin = try #require(session.firstNonFinite(images: images, count: 2, dropoutSeed: 1))
    #expect(origin == "output of enter (avg_pool) is inf", "\(origin)")
    network.parameters.values[network.parameters.entries[2].range.lowerBound] = -.infinity
    #expect(
      session.firstNonFinite(images: images, count: 2, dropoutSeed: 1)
        == "parameter \(network.parameters.entries[2].name) is -inf")
  }
}

@Suite struct MixupTests {
  @Test func sharesAreBeta() {
    for (alpha, variance) in [(0.2, 0.25 / 1.4), (1.0, 1.0 / 12), (4.0, 0.25 / 9)] {
      let mixup = Mixup(alpha: alpha)
      let shares = (0..<4000).map { Double(mixup.share(seed: 1, epoch: $0 / 100, batch: $0 % 100)) }
      #expect(shares.allSatisfy { $0 >= 0 && $0 <= 1 })
      let mean = shares.reduce(0, +) / 4000
      let spread = shares.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / 3999
      // Four standard errors.
      #expect(abs(mean - 0.5) < 4 * (variance / 4000).squareRoot(), "α = \(alpha)")
      #expect(abs(spread - variance) < 0.08 * variance, "α = \(alpha)")
    }
    let tiny = (0..<200).map { Mixup(alpha: 1e-3).share(seed: 2, epoch: 0, batch: $0) }
    #expect(tiny.allSatisfy { $0.isFinite } && Set(tiny.map { $0.rounded() }) == [0, 1])
  }

  @Test func batchesAreMixedInPairs() throws {
    let images = TinyImages(count: 7)
    func batches(_ alpha: Double?) -> [(images: [Float], labels: [Int32], other: [Int32]?, share: Float?)] {
      var result: [(images: [Float], labels: [Int32], other: [Int32]?, share: Float?)] = []
      BatchLoader(
        dataset: images, batchSize: 4, normalization: TinyRun.normalization, shuffleSeed: 3, mixupAlpha: alpha
      ).eachBatch(epoch: 1) { batch in
        result.append(
          (
            Array(UnsafeBufferPointer(start: batch.images, count: batch.count * images.imageSize)),
            Array(UnsafeBufferPointer(start: batch.labels, count: batch.count)),
            batch.mixed.map { Array(UnsafeBufferPointer(start: $0.labels, count: batch.count)) },
            batch.mixed?.share
          ))
      }
      return result
    }
    let (plain, mixed) = (batches(nil), batches(0.7))
    #expect(plain.allSatisfy { $0.other == nil } && plain.map(\.labels) == mixed.map(\.labels))
    #expect(mixed.map { $0.labels.count } == [4, 3])
    for (plain, mixed) in zip(plain, mixed) {
      let share = try #require(mixed.share)
      #expect(share > 0 && share < 1)
      #expect(mixed.other == plain.labels.reversed())
      let (size, count) = (images.imageSize, plain.labels.count)
      for index in mixed.images.indices {
        let partner = (count - 1 - index / size) * size + index % size
        let expected =
          Double(share) * Double(plain.images[index]) + Double(1 - share) * Double(plain.images[partner])
        // The middle image of an odd batch stays as it is.
        let isAlone = count - 1 - index / size == index / size
        #expect(abs(Double(mixed.images[index]) - (isAlone ? Double(plain.images[index]) : expected)) < 1e-5)
      }
    }
    #expect(mixed[0].share != mixed[1].share)
  }
}
