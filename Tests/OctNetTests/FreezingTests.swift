import OctNet
import Testing

@testable import OctNetCore
@testable import OctNetTraining

/// Parameters that stay as they are, and groups with settings of their own.
struct FreezingTests {
  private static func model(alpha: Double) -> ModelConfiguration {
    ModelConfiguration(
      name: "resnet20", alpha: alpha, stem: .cifar, classes: 7, inputHeight: 13, inputWidth: 16)
  }

  private static func batch(_ network: Network, count: Int) -> (images: [Float], labels: [Int32]) {
    var stream = RandomStream(seed: 3, "images")
    return (
      (0..<count * network.inputShape.count).map { _ in stream.normal() },
      (0..<count).map { _ in Int32(stream.index(below: 7)) }
    )
  }

  private static let frozen = ["conv1", "bn1", "layer1", "layer2.0"]

  /// A few steps first, so that running statistics are not those of the beginning.
  private static func trained(alpha: Double) throws -> Network {
    let network = try model(alpha: alpha).makeNetwork(seed: 3)
    let session = try TrainingSession(network: network, batchSize: 6, threads: 2)
    let (images, labels) = batch(network, count: 6)
    for _ in 0..<30 { try session.step(images: images, labels: labels) }
    return network
  }

  @Test(arguments: [0, 0.25], [OptimizerConfiguration.adam, .sgd])
  func frozenParametersAndStatisticsStand(alpha: Double, rule: OptimizerConfiguration) throws {
    let network = try Self.trained(alpha: alpha)
    let before = network.stateDictionary()
    for module in Self.frozen { try network.freeze(module) }
    let (images, labels) = Self.batch(network, count: 6)
    let session = try TrainingSession(network: network, batchSize: 6, threads: 2)
    let optimizer = Optimizer(
      parameters: network.parameters, configuration: rule, weightDecay: 0.1, threads: 2)
    for step in 0..<4 {
      if step < 2 {
        try session.step(images: images, labels: labels)
        optimizer.update(learningRate: 0.01)
      } else {
        try session.step(images: images, labels: labels, updating: optimizer, learningRate: 0.01)
      }
    }
    for ((name, old), (_, new)) in zip(before, network.stateDictionary()) {
      let isFrozen = Self.frozen.contains { Network.names($0, name) }
      #expect((old == new) == isFrozen, "\(name)")
    }
    for (name, gradient) in network.gradients() where Self.frozen.contains(where: { Network.names($0, name) })
    {
      #expect(gradient.values.allSatisfy { $0 == 0 }, "\(name)")
    }
  }

  /// Fused, folded into convolutions and shortened, the step has the gradients of the network as it was recorded; and those of
  /// the whole network, where nothing but the norms of the frozen part is different.
  @Test(arguments: [0, 0.25, 0.5]) func gradientsAreThoseOfTheWholeNetwork(alpha: Double) throws {
    func gradients(fused: Bool, frozen: [String], recomputes: Bool = false) throws -> [String: [Float]] {
      let network = try Self.trained(alpha: alpha)
      for module in frozen { try network.freeze(module) }
      let (images, labels) = Self.batch(network, count: 6)
      let session = try TrainingSession(
        network: network, batchSize: 6, threads: 2, fused: fused, recomputes: recomputes)
      try session.step(images: images, labels: labels)
      return Dictionary(uniqueKeysWithValues: network.gradients().map { ($0.name, $0.gradient.values) })
    }
    let fused = try gradients(fused: true, frozen: Self.frozen)
    #expect(try gradients(fused: true, frozen: Self.frozen, recomputes: true) == fused)
    for (name, expected) in try gradients(fused: false, frozen: Self.frozen) {
      expectClose(fused[name] ?? [], expected, within: 1e-4, name)
    }
    // Convolutions alone: their norms go on with the batch's statistics, and all other gradients are as they were.
    let whole = try gradients(fused: true, frozen: [])
    let convs = try gradients(
      fused: true,
      frozen: ["layer3.0.conv1", "fc.bias"].map {
        alpha > 0 && $0.hasSuffix("conv1") ? "layer3.0.conv1.conv" : $0
      })
    for (name, expected) in whole {
      let isFrozen = name.hasPrefix("layer3.0.conv1.") && !name.contains("bn") || name == "fc.bias"
      #expect(convs[name] == (isFrozen ? expected.map { _ in 0 } : expected), "\(name)")
    }
  }

  /// Frozen norms between trained layers, with and without an activation and a sum behind them: joined with both and apart.
  @Test(arguments: [0, 0.25]) func frozenNormsHaveGradients(alpha: Double) throws {
    func gradients(fused: Bool) throws -> (input: [Float], parameters: [String: [Float]]) {
      let network = try Self.trained(alpha: alpha)
      network.freeze { $0.kind == .normScale || $0.kind == .normShift }
      let (images, labels) = Self.batch(network, count: 3)
      let session = try TrainingSession(
        network: network, batchSize: 3, threads: 2, inputGradient: true, fused: fused)
      try session.step(images: images, labels: labels)
      // Then training mode is inference.
      let inference = try InferenceSession(network: network, batchSize: 3, threads: 2, fused: fused)
      expectClose(
        try session.forward(images: images)[0], try inference.logits(images: images), within: 1e-5, "logits")
      return (
        session.inputGradient(count: 3),
        Dictionary(uniqueKeysWithValues: network.gradients().map { ($0.name, $0.gradient.values) })
      )
    }
    let (fused, apart) = (try gradients(fused: true), try gradients(fused: false))
    #expect(apart.input.contains { $0 != 0 })
    expectClose(fused.input, apart.input, within: 1e-4, "input")
    for (name, expected) in apart.parameters {
      expectClose(fused.parameters[name] ?? [], expected, within: 1e-4, name)
    }
  }

  /// The same against differences, where there are no kinks.
  @Test func frozenNormsAgainstDifferences() throws {
    let shape = MapShape(height: 7, width: 6, channels: 5)
    let network = try Network(inputShape: shape, seed: 5) { x in
      func conv(_ name: String) -> Conv2d {
        Conv2d(name, inputChannels: 5, outputChannels: 5, kernelSize: 3, padding: 1, bias: false)
      }
      let y = try SiLU()(BatchNorm2d("norm1", channels: 5)(conv("conv1")(x)))
      return try BatchNorm2d("norm2", channels: 5)(conv("conv2")(y)) + y
    }
    var stream = RandomStream(seed: 8, "numbers")
    let images = (0..<2 * shape.count).map { _ in stream.normal() }
    let weights = images.map { _ in stream.normal() }
    let direction = images.map { _ in stream.normal() }
    // Statistics and parameters that are not 0 and 1.
    let warm = try TrainingSession(network: network, batchSize: 2, threads: 1, loss: MeanSquaredError())
    for _ in 0..<5 { try warm.step(images: images, values: weights) }
    for name in ["norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"] {
      var values = try network.parameter(name)
      for index in values.values.indices { values.values[index] += 0.3 * stream.normal() }
      try network.setParameter(name, to: values)
    }
    try network.freeze("norm1", "norm2")
    let session = try TrainingSession(network: network, batchSize: 2, threads: 2, inputGradient: true)
    func loss(_ step: Float) throws -> Double {
      let output = try session.forward(images: zip(images, direction).map { $0 + step * $1 })[0]
      return zip(output, weights).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    }
    _ = try loss(0)
    try session.backward(outputGradients: ["output": weights])
    let analytic = zip(session.inputGradient(count: 2), direction).reduce(0.0) {
      $0 + Double($1.0) * Double($1.1)
    }
    let numeric = try (loss(1e-2) - loss(-1e-2)) / 2e-2
    #expect(abs(numeric - analytic) < 2e-3 * abs(analytic) + 2e-3, "\(numeric) \(analytic)")
  }

  /// Convolutions that are not trained run no updates: those of the layers behind them wait on, while other gradients come.
  @Test(
    arguments: [
      ["layer2.2"], ["layer2.2.conv1"], ["layer2", "layer3.0.conv2"], ["layer3.1", "layer1.0.conv1"],
    ],
    [0, 0.25])
  func updatesBesideFrozenConvolutions(frozen: [String], alpha: Double) throws {
    func trained(queued: Bool, threads: Int) throws -> StateDictionary {
      let network = try Self.trained(alpha: alpha)
      for module in frozen { try network.freeze(module) }
      let (images, labels) = Self.batch(network, count: 6)
      let session = try TrainingSession(network: network, batchSize: 6, threads: threads)
      let optimizer = Optimizer(
        parameters: network.parameters, configuration: .sgd, weightDecay: 0.01, threads: threads)
      for _ in 0..<3 {
        if queued {
          try session.step(images: images, labels: labels, updating: optimizer, learningRate: 0.05)
        } else {
          try session.step(images: images, labels: labels)
          optimizer.update(learningRate: 0.05)
        }
      }
      return network.stateDictionary()
    }
    let expected = try trained(queued: false, threads: 2)
    for threads in [1, 2] {
      for ((name, value), (_, other)) in zip(expected, try trained(queued: true, threads: threads)) {
        #expect(value == other, "\(name), \(threads) threads")
      }
    }
  }

  /// The same with one frozen layer between two, whose gradients have the same size and place.
  @Test func updatesBesideOneFrozenLayer() throws {
    func trained(queued: Bool) throws -> StateDictionary {
      let network = try Network(inputShape: MapShape(height: 1, width: 1, channels: 24), seed: 4) { x in
        let y = try ReLU()(Linear("a", inputChannels: 24, outputChannels: 24)(x))
        return try Linear("c", inputChannels: 24, outputChannels: 24)(
          ReLU()(Linear("b", inputChannels: 24, outputChannels: 24)(y)))
      }
      try network.freeze("b")
      var stream = RandomStream(seed: 3, "images")
      let images = (0..<4 * 24).map { _ in stream.normal() }
      let session = try TrainingSession(network: network, batchSize: 4, threads: 1)
      let optimizer = Optimizer(parameters: network.parameters, configuration: .sgd, threads: 1)
      for _ in 0..<2 {
        if queued {
          try session.step(images: images, labels: [0, 3, 9, 1], updating: optimizer, learningRate: 0.1)
        } else {
          try session.step(images: images, labels: [0, 3, 9, 1])
          optimizer.update(learningRate: 0.1)
        }
      }
      return network.stateDictionary()
    }
    for ((name, value), (_, other)) in zip(try trained(queued: false), try trained(queued: true)) {
      #expect(value == other, "\(name)")
    }
  }

  @Test func namesAreChecked() throws {
    let network = try Self.model(alpha: 0).makeNetwork(seed: 1)
    #expect(throws: OctNetError.self) { try network.freeze("layer1", "layer") }
    #expect(network.parameters.entries.allSatisfy { !$0.isFrozen })
    try network.freeze("layer1")
    #expect(network.parameters.entries.count { $0.isFrozen } == 18)
    try network.unfreeze("layer1.0", "layer1.1.conv1.weight")
    #expect(network.parameters.entries.count { $0.isFrozen } == 11)
  }

  /// A group's rate is the rate of an optimizer of its own, and its decay too.
  @Test(arguments: [OptimizerConfiguration.adamW, .sgd])
  func groupsHaveTheirOwnSettings(rule: OptimizerConfiguration) throws {
    func trained(_ rate: Double, _ decay: Float, groups: [ParameterGroup]) throws -> [String: Tensor] {
      let network = try Self.model(alpha: 0.25).makeNetwork(seed: 3)
      let (images, labels) = Self.batch(network, count: 4)
      let session = try TrainingSession(network: network, batchSize: 4, threads: 2)
      let optimizer = try Optimizer(
        parameters: network.parameters, configuration: rule, weightDecay: decay, groups: groups, threads: 2)
      try session.step(images: images, labels: labels, updating: optimizer, learningRate: rate)
      return Dictionary(
        uniqueKeysWithValues: try network.parameterNames.map { ($0, try network.parameter($0)) })
    }
    let all = try trained(0.01, 0.1, groups: [])
    let faster = try trained(0.08, 0.3, groups: [])
    let mixed = try trained(
      0.01, 0.1,
      groups: [ParameterGroup("fc", learningRateScale: 8, weightDecay: 0.3), ParameterGroup("fc.bias")])
    for (name, value) in mixed { #expect(value == (name.hasPrefix("fc.") ? faster : all)[name], "\(name)") }
    #expect(all["fc.weight"] != faster["fc.weight"])
    #expect(throws: OctNetError.self) { try trained(0.1, 0, groups: [ParameterGroup("head")]) }
  }
}
