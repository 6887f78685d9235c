import Foundation
import Testing

import OctNet
@testable import OctNetCore
@testable import OctNetData
@testable import OctNetTraining

/// What `speedrun94` is made of, in runs of other networks.
@Suite struct SpeedrunTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  /// All pieces on 6×6 images, octave in the middle.
  private static func network(seed: UInt64 = 1) throws -> Network {
    try Network(inputShape: MapShape(height: 6, width: 6, channels: 3), seed: seed) { x in
      let whiten = Conv2d(
        "whiten", inputChannels: 3, outputChannels: 24, kernelSize: 2,
        initialization: .whitening(epsilon: 5e-4))
      var x = try GELU()(whiten(x))
      for (name, alphas) in [("one", (0, 0.5)), ("two", (0.5, 0.5)), ("three", (0.5, 0))] {
        x = try OctConv2d(
          name, inputChannels: x.channels, outputChannels: 8, kernelSize: 3, padding: 1, alphaIn: alphas.0,
          alphaOut: alphas.1, initialization: .dirac)(x)
        if name == "one" { x = try MaxPool2d(kernelSize: 2)(x) }
        x = try GELU()(
          BatchNorm2d(
            name + "_norm", channels: 8, alpha: alphas.1, epsilon: 1e-12, momentum: 0.4, scales: false)(x))
      }
      x = try MaxPool2d(kernelSize: 2)(x)
      let head = Linear(
        "head", inputChannels: 8, outputChannels: 4, bias: false, startsWithUnitDeviation: true)
      return try Scale(0.125)(head(x))
    }
  }

  private static func configuration(threads: Int = 1) -> TrainingConfiguration {
    var configuration = TinyRun.configuration(threads: threads)
    configuration.optimizer = .adam
    configuration.schedule = LearningRateSchedule(base: 1, shape: .linear)
    configuration.lossReduction = .sum
    configuration.lastEpochShare = 0.5
    configuration.testViews = .six
    configuration.augmentation.flipsAlternately = true
    configuration.augmentation.reflectsBorder = true
    configuration.excludeNormsAndBiases = false
    configuration.weightDecay = 0
    configuration.parameterGroups = [
      ParameterGroup(
        kinds: [.filters], learningRateScale: 0.24,
        optimizer: .muon(momentum: 0.6, nesterov: true, iterations: 3, normalizesWeights: true)),
      ParameterGroup(
        "whiten.bias", learningRateScale: 0.05, weightDecay: 0.1,
        optimizer: .sgd(momentum: 0.85, nesterov: true), epochs: 1.4),
      ParameterGroup(
        kinds: [.biases, .norms], learningRateScale: 0.05, optimizer: .sgd(momentum: 0, nesterov: false)),
      // The head keeps the run's Adam.
      ParameterGroup("head", learningRateScale: 0.01),
    ]
    return configuration
  }

  private struct Outcome: Equatable {
    var bits: [String: [UInt64]]
    var losses: [UInt64]
    var log, results, last: [UInt8]
  }

  private func train(
    _ name: String, _ configuration: TrainingConfiguration, stoppingAfter stops: [Int] = [],
    threads: [Int] = []
  ) throws -> Outcome {
    let run = try TinyRun.train(
      directory(name), configuration, stoppingAfter: stops, threads: threads
    ) { try Self.network(seed: $0) }
    #expect(run.summary.secondsToScore >= run.summary.seconds)
    return Outcome(
      bits: run.network.bits, losses: run.losses, log: try contents(ofFile: run.directory.logPath),
      results: try contents(ofFile: run.directory.resultsPath),
      last: try contents(ofFile: run.directory.lastPath))
  }

  /// 22 images in batches of 5: five steps an epoch, and three of the last one.
  @Test(arguments: [1, 2]) func stoppingAnywhereChangesNothing(threads: Int) throws {
    let configuration = Self.configuration(threads: threads)
    let whole = try train("whole", configuration)
    #expect(whole.losses.count == 13)
    for (index, stops) in [[1], [6, 7], [5, 12]].enumerated() {
      let parts = try train("parts\(index)", configuration, stoppingAfter: stops)
      #expect(parts == whole, "stopped after \(stops)")
    }
  }

  @Test func threadsChangeNoBit() throws {
    let one = try train("one", Self.configuration())
    for threads in [2, 3, 5] {
      let more = try train("threads\(threads)", Self.configuration(threads: threads))
      #expect(more.bits == one.bits && more.losses == one.losses && more.results == one.results)
    }
    let changing = try train(
      "changing", Self.configuration(), stoppingAfter: [3, 8], threads: [1, 4, 2])
    #expect(changing.bits == one.bits && changing.losses == one.losses)
  }

  /// All gradients first, for their norm, or each parameter beside the backward pass.
  @Test func bothWaysToUpdateAreOne() throws {
    let beside = try train("beside", Self.configuration())
    var configuration = Self.configuration()
    configuration.clipGradientNorm = 1e9
    let together = try train("together", configuration)
    #expect(together.bits == beside.bits && together.losses == beside.losses)
  }

  @Test func theRunsLastEvaluationHasSixViews() throws {
    let run = try RunDirectory.create(directory("views"))
    let network = try Self.network()
    let configuration = Self.configuration()
    let trainer = try Trainer(
      network: network, configuration: configuration, data: TinyRun.data, directory: run)
    let results = try trainer.run().results
    var evaluator = Evaluator(
      network: network, normalization: configuration.normalization, batchSize: 4, threads: 2)
    evaluator.views = .six
    #expect(try evaluator.evaluate(TinyRun.data.test).loss == results.last?.evaluation.loss)
    evaluator.views = .one
    #expect(try evaluator.evaluate(TinyRun.data.test).loss != results.last?.evaluation.loss)
  }

  @Test func aTrainingThatEndsInAnEpochIsNotExtended() throws {
    let run = try RunDirectory.create(directory("extended"))
    let configuration = Self.configuration()
    try Trainer(
      network: try Self.network(), configuration: configuration, data: TinyRun.data, directory: run
    ).run()
    var longer = configuration
    longer.epochs = 5
    let state = try TrainingState(path: run.statePath)
    let problem = error {
      try Trainer(
        network: try Self.network(), configuration: longer, data: TinyRun.data, directory: run,
        resuming: state)
    }
    #expect("\(try #require(problem))".hasPrefix("epochs: the run ends in the middle of epoch 3"))
  }

  // MARK: Pieces

  /// Also where the low map is odd and the new full size even.
  @Test func poolsKeepLowMapsAtHalfTheSize() throws {
    for size in 4...40 {
      let graph = try Graph(inputShape: MapShape(height: size, width: 44 - size, channels: 4)) { x in
        let divide = OctConv2d(
          "divide", inputChannels: 4, outputChannels: 4, kernelSize: 3, padding: 1, alphaIn: 0, alphaOut: 0.5)
        let merge = OctConv2d(
          "merge", inputChannels: 4, outputChannels: 2, kernelSize: 3, padding: 1, alphaIn: 0.5, alphaOut: 0)
        return try merge(MaxPool2d(kernelSize: 2)(divide(x)))
      }
      let output = graph.shape(of: graph.output)
      #expect(output.height == size / 2 && output.width == (44 - size) / 2)
    }
  }

  @Test func whiteningHappensOnceAndNotToGivenWeights() throws {
    let begun = try Self.network()
    let before = try begun.parameter("whiten.weight")
    var configuration = Self.configuration()
    _ = try Trainer(network: begun, configuration: configuration, data: TinyRun.data)
    let whitened = try begun.parameter("whiten.weight")
    #expect(whitened != before)
    // No number of threads, and no other seed, changes it.
    configuration.threads = 3
    let other = try Self.network(seed: 9)
    _ = try Trainer(network: other, configuration: configuration, data: TinyRun.data)
    #expect(try other.parameter("whiten.weight") == whitened)
    configuration.initialWeights = "some.safetensors"
    let given = try Self.network()
    _ = try Trainer(network: given, configuration: configuration, data: TinyRun.data)
    #expect(try given.parameter("whiten.weight") == before)
  }

  @Test func whiteningNeedsTheInputAndTwoFiltersForEachNumber() {
    let shape = MapShape(height: 6, width: 6, channels: 3)
    func network(_ outputs: Int, behind layer: (any Layer)?) throws -> Network {
      try Network(inputShape: shape, seed: 1) { x in
        try Conv2d(
          "whiten", inputChannels: 3, outputChannels: outputs, kernelSize: 2,
          initialization: .whitening(epsilon: 1e-3))(layer.map { try $0(x) } ?? x)
      }
    }
    #expect(error { try network(23, behind: nil) } != nil)
    #expect(error { try network(24, behind: ReLU()) } != nil)
    #expect(error { try network(24, behind: nil) } == nil)
  }

  @Test func theHeadBeginsWithDeviationOne() throws {
    let weights = try Self.network().parameter("head.weight").values.map(Double.init)
    let mean = weights.reduce(0, +) / Double(weights.count)
    let squares = weights.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    #expect(abs((squares / Double(weights.count - 1)).squareRoot() - 1) < 1e-6)
  }

  @Test func normsWithoutScaleKeepOnes() throws {
    let network = try Self.network()
    let trainer = try Trainer(
      network: network, configuration: Self.configuration(), data: TinyRun.data)
    try trainer.run()
    for name in network.parameterNames where name.contains("_norm") {
      let values = try network.parameter(name).values
      if name.hasSuffix("weight") {
        #expect(values.allSatisfy { $0 == 1 })
      } else {
        #expect(values.allSatisfy { $0 != 0 }, "\(name)")
      }
    }
  }

  @Test func flipsAlternate() {
    var augmentation = Augmentation(cropPadding: 0, horizontalFlip: true)
    augmentation.flipsAlternately = true
    var flips = 0
    for sample in 0..<1000 {
      let sides = (0..<4).map { augmentation.draw(seed: 3, epoch: $0, sample: sample).flip }
      #expect(sides[0] != sides[1] && sides[2] == sides[0] && sides[3] == sides[1])
      if sides[0] { flips += 1 }
    }
    #expect(flips > 420 && flips < 580)
    let other = (0..<100).map { augmentation.draw(seed: 4, epoch: 0, sample: $0).flip }
    #expect(other != (0..<100).map { augmentation.draw(seed: 3, epoch: 0, sample: $0).flip })
  }

  @Test func bordersAreReflected() {
    let (height, width) = (5, 4)
    let pixels = (0..<height * width * 2).map { UInt8($0) }
    let normalization = Normalization(mean: [0, 0], std: [1 / 255, 1 / 255])
    let table = normalization.table()
    func reflected(_ index: Int, _ size: Int) -> Int {
      [index, -index, 2 * (size - 1) - index].first { (0..<size).contains($0) } ?? -1
    }
    for top in -3...3 {
      for left in -3...3 {
        for flip in [false, true] {
          let draw = Augmentation.Draw(top: top, left: left, flip: flip, reflects: true)
          var image = [Float](repeating: .nan, count: 40)
          prepareImage(
            pixels, height: height, width: width, channels: 2, draw: draw, table: table, to: &image)
          var values = [Float](repeating: .nan, count: 40)
          prepareValues(
            pixels.map(Float.init), height: height, width: width, channels: 2, draw: draw,
            Normalization(mean: [0, 0], std: [1, 1]), to: &values)
          let expected = (0..<height).flatMap { y in
            (0..<width).flatMap { x in
              let column = reflected((flip ? width - 1 - x : x) + left, width)
              let place = (reflected(y + top, height) * width + column) * 2
              return [Float(place), Float(place + 1)]
            }
          }
          #expect(values == expected)
          #expect(zip(image, expected).allSatisfy { abs($0 - $1) < 1e-3 })
        }
      }
    }
    var augmentation = Augmentation(cropPadding: 4, horizontalFlip: false)
    #expect(error { try augmentation.check(height: 5, width: 4) } == nil)
    augmentation.reflectsBorder = true
    #expect(error { try augmentation.check(height: 5, width: 4) } != nil)
    augmentation.cropPadding = 3
    #expect(error { try augmentation.check(height: 5, width: 4) } == nil)
  }

  @Test func linesEndAtZeroInTheMiddleOfAnEpoch() {
    var configuration = Self.configuration()
    // ⌈2.5 · 5⌉ = 13 steps.
    #expect(configuration.totalSteps(stepsPerEpoch: 5) == 13)
    #expect(configuration.learningRate(step: 0, stepsPerEpoch: 5) == 1)
    #expect(configuration.learningRate(step: 12, stepsPerEpoch: 5) == 1 - 12.0 / 13)
    #expect(configuration.learningRate(step: 13, stepsPerEpoch: 5) == 0)
    // The group's seven steps.
    for step in 0..<8 {
      let expected: Double = step < 7 ? 1 - Double(step) / 7 : 0
      #expect(configuration.courses(step: step, stepsPerEpoch: 5)[1] == expected)
    }
    configuration.schedule.shape = .constant
    #expect(configuration.courses(step: 6, stepsPerEpoch: 5)[1] == 1)
    #expect(configuration.courses(step: 7, stepsPerEpoch: 5)[1] == 0)
    configuration.lastEpochShare = nil
    #expect(configuration.totalSteps(stepsPerEpoch: 5) == 15)
    // Decimal fractions are what they look like: 7.6 · 25 = 190.
    (configuration.epochs, configuration.lastEpochShare) = (8, 7.6 - 7)
    #expect(configuration.totalSteps(stepsPerEpoch: 25) == 190)
    for share in [0, -0.1, 1.1, .nan] {
      configuration.lastEpochShare = share
      #expect(throws: OctNetError.self) { try configuration.validate() }
    }
  }

  /// The gradient of a sum is that of the mean times the images, also over several batches.
  @Test func sumsOfLosses() throws {
    func gradient(_ reduction: LossReduction) throws -> [Float] {
      let network = try TinyRun.network()
      let session = try TrainingSession(network: network, batchSize: 4, threads: 1, reduction: reduction)
      var stream = RandomStream(seed: 2, "images")
      let images = (0..<4 * 108).map { _ in stream.normal() }
      let result = try session.step(images: images, labels: [0, 1, 2, 3])
      #expect(result.loss < 3)
      return try network.gradient("classes.weight").values
    }
    let (sum, mean) = (try gradient(.sum), try gradient(.mean))
    #expect(zip(sum, mean).allSatisfy { abs($0 - 4 * $1) < 1e-5 })
    #expect(sum.contains { abs($0) > 0.1 })

    // Batches of 5 and accumulated ones: dividing the rate by the images of an update makes them alike.
    func weights(_ reduction: LossReduction, rate: Double) throws -> [Float] {
      var configuration = TinyRun.configuration(epochs: 1)
      configuration.optimizer = .sgd(momentum: 0, nesterov: false)
      configuration.weightDecay = 0
      configuration.schedule = LearningRateSchedule(base: rate)
      configuration.accumulationSteps = 2
      configuration.trainLimit = 20
      configuration.lossReduction = reduction
      let network = try TinyRun.network()
      try Trainer(network: network, configuration: configuration, data: TinyRun.data).run()
      return try network.parameter("classes.weight").values
    }
    let (sums, means) = (try weights(.sum, rate: 0.01), try weights(.mean, rate: 0.1))
    #expect(zip(sums, means).allSatisfy { abs($0 - $1) < 1e-5 })
  }
}
