import Testing

import OctNet
@testable import OctNetCore
@testable import OctNetTraining

/// Parameters that no update changes any more, of which no gradient is computed.
@Suite struct RestingTests {
  /// A filter that is frozen with a bias that will rest, and more behind it.
  private static func network() throws -> Network {
    let network = try Network(inputShape: MapShape(height: 7, width: 6, channels: 3), seed: 3) { x in
      var x = try GELU()(
        Conv2d("first", inputChannels: 3, outputChannels: 20, kernelSize: 3, padding: 1)(x))
      x = try MaxPool2d(kernelSize: 2)(
        OctConv2d(
          "second", inputChannels: 20, outputChannels: 12, kernelSize: 3, padding: 1, alphaIn: 0,
          alphaOut: 0.5)(x))
      x = try GELU()(BatchNorm2d("norm", channels: 12, alpha: 0.5)(x))
      x = try OctConv2d(
        "third", inputChannels: 12, outputChannels: 8, kernelSize: 3, padding: 1, alphaIn: 0.5, alphaOut: 0)(
          x)
      return try Linear("head", inputChannels: 8, outputChannels: 4)(GlobalAvgPool()(x))
    }
    try network.freeze("first.weight")
    return network
  }

  private static func indices(_ network: Network, _ names: String...) -> Set<Int> {
    Set(network.parameters.entries.indices.filter { names.contains(network.parameters.entries[$0].name) })
  }

  /// The others' gradients have the bits they have with all; theirs are 0, though an earlier step left others. A norm
  /// whose parameters rest keeps to its batch.
  @Test(arguments: [["first.bias"], ["first.bias", "norm.bn_h.weight", "norm.bn_h.bias"]])
  func othersHaveTheirBits(names: [String]) throws {
    var stream = RandomStream(seed: 5, "images")
    let images = (0..<5 * 126).map { _ in stream.normal() }
    let labels: [Int32] = [0, 3, 1, 2, 2]
    let whole = try Self.network(), part = try Self.network()
    let all = try TrainingSession(network: whole, batchSize: 5, threads: 2)
    let expected = try all.step(images: images, labels: labels)

    let before = try TrainingSession(network: part, batchSize: 5, threads: 2)
    try before.step(images: images, labels: labels)
    let start = try Self.network()
    try part.load(start.stateDictionary())
    let resting = Set(names.flatMap { Self.indices(part, $0) })
    try #require(resting.count == names.count, "\(part.parameterNames)")
    let session = try TrainingSession(network: part, batchSize: 5, threads: 2, resting: resting) { _ in 0 }
    let found = try session.step(images: images, labels: labels)
    #expect(found == expected)
    for name in part.parameterNames where name != "first.weight" {
      let gradient = try part.gradient(name).values
      if names.contains(name) {
        #expect(gradient.allSatisfy { $0 == 0 }, "\(name)")
      } else {
        #expect(try gradient == whole.gradient(name).values, "\(name)")
      }
    }
    for buffer in part.graph.buffers {
      #expect(try part.buffer(buffer.name).values == whole.buffer(buffer.name).values)
    }
  }

  /// Nothing in front of these norms is trained any more, one reads the images, the other one a convolution alone.
  @Test(arguments: [["first", "conv1", "norm"], ["first"]], [true, false])
  func normsWithoutGradientsKeepToTheirBatches(names: [String], fused: Bool) throws {
    for recomputes in [true, false] {
      try compare(resting: names, fused: fused, recomputes: recomputes)
    }
  }

  private func compare(resting names: [String], fused: Bool, recomputes: Bool) throws {
    var stream = RandomStream(seed: 5, "images")
    let images = (0..<5 * 126).map { _ in 2 + 3 * stream.normal() }
    let labels: [Int32] = [0, 3, 1, 2, 2]
    func step(resting names: [String]) throws -> (StepResult, Network) {
      let network = try Network(inputShape: MapShape(height: 7, width: 6, channels: 3), seed: 3) { x in
        let y = try Conv2d("conv1", inputChannels: 3, outputChannels: 20, kernelSize: 3, padding: 1)(
          BatchNorm2d("first", channels: 3)(x))
        let z = try ReLU()(BatchNorm2d("norm", channels: 20)(y))
        return try Linear("head", inputChannels: 6, outputChannels: 4)(
          GlobalAvgPool()(
            ReLU()(
              BatchNorm2d("last", channels: 6)(
                Conv2d("conv2", inputChannels: 20, outputChannels: 6, kernelSize: 3)(z)))))
      }
      let resting = Set(
        network.parameters.entries.indices.filter { index in
          names.contains { Network.names($0, network.parameters.entries[index].name) }
        })
      let session = try TrainingSession(
        network: network, batchSize: 5, threads: 2, fused: fused, recomputes: recomputes, resting: resting
      ) { _ in 0 }
      return (try session.step(images: images, labels: labels), network)
    }
    let (expected, whole) = try step(resting: [])
    let (found, part) = try step(resting: names)
    #expect(found == expected)
    for name in part.parameterNames where !names.contains(where: { Network.names($0, name) }) {
      #expect(try part.gradient(name).values == whole.gradient(name).values, "\(name)")
    }
    for buffer in part.graph.buffers {
      #expect(try part.buffer(buffer.name).values == whole.buffer(buffer.name).values, "\(buffer.name)")
    }
  }

  /// Less is planned where nothing in front of a convolution is wanted.
  @Test func whatOnlyTheyNeedIsNotComputed() throws {
    let network = try Self.network()
    let all = try TrainingSession(network: network, batchSize: 5, threads: 1)
    let session = try TrainingSession(
      network: network, batchSize: 5, threads: 1, resting: Self.indices(network, "first.bias")
    ) { _ in 0 }
    #expect(session.arenaBytes < all.arenaBytes)
  }

  /// An update with gradients of all parameters and one without those of the group whose schedule is over.
  @Test func updatesAreThoseWithAllGradients() throws {
    var stream = RandomStream(seed: 6, "images")
    let images = (0..<5 * 126).map { _ in stream.normal() }
    let labels: [Int32] = [2, 0, 1, 3, 0]
    func trained(rests: Bool) throws -> Network {
      let network = try Self.network()
      let optimizer = try Optimizer(
        parameters: network.parameters, configuration: .sgd,
        groups: [ParameterGroup("first.bias", epochs: 1)],
        threads: 2)
      var resting: Set<Int> = []
      for rate in [1.0, 0, 0] {
        optimizer.courses = [0: rate]
        if rests { resting = optimizer.resting }
        #expect(optimizer.resting == (rate == 0 ? Self.indices(network, "first.bias") : []))
        let session = try TrainingSession(
          network: network, batchSize: 5, threads: 2, resting: resting
        ) { _ in 0 }
        try session.step(images: images, labels: labels, updating: optimizer, learningRate: 0.1)
      }
      return network
    }
    let network = try trained(rests: true), other = try trained(rests: false)
    for name in network.parameterNames {
      #expect(try network.parameter(name).values == other.parameter(name).values, "\(name)")
    }
    #expect(try network.parameter("first.bias").values != Self.network().parameter("first.bias").values)
  }
}
