import Testing

import OctNet
@testable import OctNetTraining
@testable import OctNetCheckpoint
@testable import OctNetCore

/// Training and inference sessions on whole networks: fusion, threads and batches change nothing.
@Suite struct SessionTests {
  struct Outcome {
    var loss: Float
    var correct: Int
    var gradients: [[Float]]
    var state: [[Float]]
    var logits: [Float]
  }

  private func model(_ name: String = "resnet20", alpha: Double, variant: Variant = .paper)
    -> ModelConfiguration
  {
    ModelConfiguration(
      name: name, alpha: alpha, variant: variant, classes: 7, inputHeight: 13, inputWidth: 18)
  }

  private func run(
    _ model: ModelConfiguration, threads: Int, fused: Bool, capacity: Int = 5, count: Int = 5
  ) throws -> Outcome {
    let network = try model.makeNetwork(seed: 3)
    var stream = RandomStream(seed: 9, "images")
    let images = (0..<count * network.inputShape.count).map { _ in stream.normal() }
    let labels = (0..<count).map { _ in Int32(stream.index(below: 7)) }
    let session = try TrainingSession(
      network: network, batchSize: capacity, threads: threads, loss: CrossEntropy(labelSmoothing: 0.1),
      fused: fused)
    let result = session.step(images: images, labels: labels, count: count)
    let gradients = network.gradients().map(\.gradient.values)
    let inference = try InferenceSession(
      network: network, batchSize: capacity, threads: threads, fused: fused)
    let logits = Array(inference.logits(images: images, count: count))
    let state = network.stateDictionary().compactMap { _, value -> [Float]? in
      if case .tensor(let tensor) = value { return tensor.values }
      return nil
    }
    return Outcome(
      loss: result.loss, correct: result.correct, gradients: gradients, state: state, logits: logits)
  }

  private func error(_ a: [Float], _ b: [Float]) -> Double {
    precondition(a.count == b.count)
    let difference = zip(a, b).map { Double($0 - $1) * Double($0 - $1) }.reduce(0, +)
    let size = b.map { Double($0) * Double($0) }.reduce(0, +)
    return (difference / max(size, 1e-30)).squareRoot()
  }

  /// As ranks share an evaluation: parts of a batch have the bits that they have in all of it.
  @Test func partsOfABatchTakeItsAlgorithms() throws {
    let network = try ModelConfiguration(name: "resnet20", alpha: 0.25).makeNetwork(seed: 3)
    let size = network.inputShape.count
    var stream = RandomStream(seed: 9, "images")
    let images = (0..<16 * size).map { _ in stream.normal() }
    let all = try InferenceSession(network: network, batchSize: 16, threads: 2)
    let whole = Array(all.logits(images: images, count: 16))
    func parts(_ wholeBatch: Int?) throws -> [Float] {
      let part = try InferenceSession(
        network: network, batchSize: 1, wholeBatch: wholeBatch, threads: 2
      ) { _ in 0 }
      return (0..<16).flatMap { part.logits(images: Array(images[$0 * size..<($0 + 1) * size]), count: 1) }
    }
    #expect(try parts(16) == whole)
    // Else there would be nothing to see.
    #expect(try parts(nil) != whole)
  }

  @Test(arguments: [0.0, 0.25, 1.0], Variant.allCases)
  func sameBitsForAnyNumberOfThreads(alpha: Double, variant: Variant) throws {
    let one = try run(model(alpha: alpha, variant: variant), threads: 1, fused: true)
    for threads in [2, 5] {
      let other = try run(model(alpha: alpha, variant: variant), threads: threads, fused: true)
      #expect(one.loss.bitPattern == other.loss.bitPattern)
      #expect(one.gradients == other.gradients)
      #expect(one.state == other.state)
      #expect(one.logits == other.logits)
    }
  }

  @Test(arguments: [0.0, 0.5, 1.0], Variant.allCases)
  func fusionAgreesWithTheGraphAsWritten(alpha: Double, variant: Variant) throws {
    let plain = try run(model(alpha: alpha, variant: variant), threads: 2, fused: false)
    let fused = try run(model(alpha: alpha, variant: variant), threads: 2, fused: true)
    #expect(abs(plain.loss - fused.loss) < 1e-5 * abs(plain.loss))
    #expect(plain.correct == fused.correct)
    #expect(error(fused.logits, plain.logits) < 1e-4)
    for (a, b) in zip(fused.gradients, plain.gradients) { #expect(error(a, b) < 1e-3) }
    for (a, b) in zip(fused.state, plain.state) { #expect(error(a, b) < 1e-4) }
  }

  /// Large images leave room for few in a pass; the logits are those of each image alone.
  @Test func aBatchMayTakeSeveralPasses() throws {
    let model = ModelConfiguration(
      name: "resnet18", alpha: 0.5, stem: .cifar, classes: 7, inputHeight: 97, inputWidth: 96)
    let network = try model.makeNetwork(seed: 3)
    let pass = InferencePasses(network.graph, fused: true).images(of: 11)
    #expect(pass > 1 && pass < 11)
    var stream = RandomStream(seed: 9, "images")
    let size = network.inputShape.count
    let images = (0..<11 * size).map { _ in stream.normal() }
    let session = try InferenceSession(network: network, batchSize: 11, threads: 2)
    let logits = Array(session.logits(images: images, count: 11))
    let single = try InferenceSession(network: network, batchSize: 1, threads: 2)
    for image in 0..<11 {
      let alone = images.withUnsafeBufferPointer { buffer in
        buffer.baseAddress.map { Array(single.logits(images: $0 + image * size, count: 1)) }
      }
      #expect(alone == Array(logits[image * 7..<(image + 1) * 7]))
    }
  }

  /// A session's copies of weights follow the parameters.
  @Test func parametersMayChangeBetweenPasses() throws {
    let model = ModelConfiguration(
      name: "resnet18", alpha: 0.25, stem: .cifar, classes: 7, inputHeight: 20, inputWidth: 24)
    let network = try model.makeNetwork(seed: 3)
    var stream = RandomStream(seed: 9, "images")
    let images = (0..<2 * network.inputShape.count).map { _ in stream.normal() }
    let session = try InferenceSession(network: network, batchSize: 2, threads: 2)
    let before = Array(session.logits(images: images, count: 2))
    let values = network.parameters.values
    for index in 0..<network.parameters.count { values[index] *= 0.9 }
    let after = Array(session.logits(images: images, count: 2))
    let fresh = try InferenceSession(network: network, batchSize: 2, threads: 2)
    #expect(after != before)
    #expect(after == Array(fresh.logits(images: images, count: 2)))
  }

  /// Weights that left the network are read by nobody, whatever the size of maps and batch.
  @Test(arguments: [0.0, 0.25, 0.5], [(32, 32), (20, 24), (9, 13), (64, 5)])
  func aSessionMayTakeTheParameters(alpha: Double, size: (height: Int, width: Int)) throws {
    let model = ModelConfiguration(
      name: "resnet18", alpha: alpha, stem: .cifar, classes: 7, inputHeight: size.height,
      inputWidth: size.width)
    var stream = RandomStream(seed: 9, "images")
    let images = (0..<3 * size.height * size.width * 3).map { _ in stream.normal() }
    let sharing = try InferenceSession(network: model.makeNetwork(seed: 3), batchSize: 3, threads: 2)
    let weights = try InferenceModel(model.makeNetwork(seed: 3), batchSize: 3, threads: 2)
    let taking = try InferenceSession(weights)
    for count in [3, 1, 2] {
      #expect(
        Array(taking.logits(images: images, count: count))
          == Array(sharing.logits(images: images, count: count)))
    }
    if size == (32, 32) { #expect(weights.network.parameters.isReleased) }
  }

  /// Updating each parameter as soon as its gradient is known gives the bits of an update after the backward pass.
  @Test(arguments: [OptimizerConfiguration.adam, .sgd])
  func updatesDuringTheBackwardPassAreThoseAfterIt(rule: OptimizerConfiguration) throws {
    func train(during: Bool) throws -> (losses: [Float], state: [Float], step: Int) {
      let network = try model(alpha: 0.25).makeNetwork(seed: 3)
      let session = try TrainingSession(network: network, batchSize: 4, threads: 2)
      let optimizer = Optimizer(
        parameters: network.parameters, configuration: rule, weightDecay: 0.1, excludeNormsAndBiases: true,
        threads: 2)
      var stream = RandomStream(seed: 2, "updates")
      var losses: [Float] = []
      for _ in 0..<3 {
        let images = (0..<4 * network.inputShape.count).map { _ in stream.normal() }
        let labels: [Int32] = [0, 5, 6, 2]
        if during {
          let result = session.step(
            images: images, labels: labels, count: 4, updating: optimizer, learningRate: 0.01)
          losses.append(result.loss)
        } else {
          losses.append(session.step(images: images, labels: labels, count: 4).loss)
          optimizer.update(learningRate: 0.01)
        }
      }
      let gradients = UnsafeBufferPointer(
        start: network.parameters.gradients, count: network.parameters.count)
      #expect(gradients.allSatisfy { $0 == 0 } == during)
      let values = UnsafeBufferPointer(start: network.parameters.values, count: network.parameters.count)
      let state = optimizer.state.flatMap {
        UnsafeBufferPointer(start: $0.floats, count: network.parameters.count)
      }
      return (losses, Array(values) + state, optimizer.step)
    }
    let (after, during) = try (train(during: false), train(during: true))
    #expect(after.losses == during.losses)
    #expect(after.state == during.state)
    #expect(during.step == 3)
  }

  /// A loss that is not a number leaves the parameters as they are.
  @Test func aDivergedStepUpdatesNothing() throws {
    let network = try model(alpha: 0.25).makeNetwork(seed: 3)
    let session = try TrainingSession(network: network, batchSize: 1, threads: 2)
    let optimizer = Optimizer(parameters: network.parameters, configuration: .adam, threads: 2)
    let before = Array(
      UnsafeBufferPointer(start: network.parameters.values, count: network.parameters.count))
    let images = [Float](repeating: .nan, count: network.inputShape.count)
    let result = session.step(images: images, labels: [0], count: 1, updating: optimizer, learningRate: 0.1)
    #expect(result.loss.isNaN)
    #expect(optimizer.step == 0)
    let values = UnsafeBufferPointer(start: network.parameters.values, count: network.parameters.count)
    #expect(before == Array(values))
  }

  @Test func aPartialBatchIsAsGoodAsASessionOfItsSize() throws {
    let exact = try run(model(alpha: 0.25), threads: 2, fused: true, capacity: 3, count: 3)
    let partial = try run(model(alpha: 0.25), threads: 2, fused: true, capacity: 8, count: 3)
    #expect(exact.gradients == partial.gradients)
    #expect(exact.logits == partial.logits)
  }

  @Test func aStepMovesStatisticsAndCounters() throws {
    let network = try model(alpha: 0.25).makeNetwork(seed: 1)
    let before = network.stateDictionary()
    let session = try TrainingSession(network: network, batchSize: 2, threads: 2)
    let images = [Float](repeating: 0.5, count: 2 * network.inputShape.count)
    _ = session.step(images: images, labels: [0, 1], count: 2)
    for ((name, old), (_, new)) in zip(before, network.stateDictionary()) {
      if name.hasSuffix("num_batches_tracked") { #expect(new == .counter(1)) }
      if name == "bn1.running_var" { #expect(new != old) }
      if name.hasSuffix("weight") { #expect(new == old) }
    }
  }

  /// The gradient against central differences of the loss, along a random direction of all parameters at once.
  @Test(arguments: [0.0, 0.5])
  func gradientsAreTheSlopeOfTheLoss(alpha: Double) throws {
    let network = try Network(inputShape: MapShape(height: 7, width: 9, channels: 3), seed: 5) { x in
      let first = OctConv2d(
        "first", inputChannels: 3, outputChannels: 12, kernelSize: 3, padding: 1, bias: true, alphaIn: 0,
        alphaOut: alpha)
      let last = OctConv2d(
        "last", inputChannels: 12, outputChannels: 8, kernelSize: 3, stride: 2, padding: 1, bias: true,
        alphaIn: alpha, alphaOut: 0)
      let x = try last(BatchNorm2d("norm", channels: 12, alpha: alpha)(first(x)))
      return try Linear("fc", inputChannels: 8, outputChannels: 4)(
        GlobalAvgPool()(AvgPool2d(kernelSize: 2, ceilMode: true)(x)))
    }
    var stream = RandomStream(seed: 11, "slope")
    let images = (0..<4 * network.inputShape.count).map { _ in stream.normal() }
    let labels: [Int32] = [0, 1, 2, 3]
    let session = try TrainingSession(network: network, batchSize: 4, threads: 2)
    func loss() -> Double { Double(session.step(images: images, labels: labels, count: 4).loss) }

    _ = loss()
    let start = network.stateDictionary()
    let gradients = Dictionary(
      uniqueKeysWithValues: network.gradients().map { ($0.name, $0.gradient.values) })
    var directions: [String: [Float]] = [:]
    var slope = 0.0
    for (name, gradient) in gradients.sorted(by: { $0.key < $1.key }) {
      let direction = gradient.map { _ in stream.normal() }
      slope += zip(direction, gradient).map { Double($0 * $1) }.reduce(0, +)
      directions[name] = direction
    }
    func loss(at distance: Float) throws -> Double {
      try network.load(
        start.map { name, value in
          guard case .tensor(var tensor) = value, let direction = directions[name] else {
            return (name, value)
          }
          for index in direction.indices { tensor.values[index] += distance * direction[index] }
          return (name, .tensor(tensor))
        })
      return loss()
    }
    let step: Float = 1e-3
    let numeric = try (loss(at: step) - loss(at: -step)) / Double(2 * step)
    #expect(abs(numeric - slope) < 0.01 * max(abs(slope), 0.1), "numeric \(numeric), gradient \(slope)")
  }
}
