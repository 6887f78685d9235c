import CKernels
import Testing

import OctNet
@testable import OctNetCore
@testable import OctNetTraining

/// The pieces of the recipe `speedrun94` against its own PyTorch code in float64.
@Suite struct SpeedrunFixtureTests {
  private static let fixture = Result { try Fixture("speedrun.safetensors") }

  @Test(arguments: ["wide", "tall", "row"]) func orthogonalFactor(name: String) throws {
    let fixture = try Self.fixture.get()
    let shape = try fixture.shape("orthogonal/\(name)/input")
    let (rows, columns) = (shape[0], shape[1])
    let isTall = rows > columns
    func transposed(_ values: [Float]) -> [Float] {
      (0..<columns).flatMap { column in (0..<rows).map { values[$0 * columns + column] } }
    }
    var x = try fixture.floats("orthogonal/\(name)/input")
    if !isTall { x = transposed(x) }
    let (least, most) = (min(rows, columns), max(rows, columns))
    let scratch = AlignedBuffer(byteCount: oct_newton_schulz_scratch_bytes(least, most, 2))
    check(oct_newton_schulz(least, most, 3, &x, scratch.base, 2))
    let expected = try fixture.floats("orthogonal/\(name)/output")
    expectClose(x, isTall ? expected : transposed(expected), within: 1e-5, "orthogonal \(name)")
  }

  /// On both ways to update: from all gradients together, and each beside the backward pass (`SpeedrunTests`).
  @Test func threeUpdatesByMuon() throws {
    let fixture = try Self.fixture.get()
    let network = try Network(inputShape: MapShape(height: 4, width: 4, channels: 3), seed: 1) { x in
      try Conv2d("conv", inputChannels: 3, outputChannels: 20, kernelSize: 3, padding: 1)(x)
    }
    let shape = [20, 3, 3, 3]
    try network.setParameter(
      "conv.weight", to: Tensor(shape: shape, values: try fixture.floats("muon/before")))
    let bias = try network.parameter("conv.bias").values
    let optimizer = Optimizer(
      parameters: network.parameters,
      configuration: .muon(momentum: 0.6, nesterov: true, iterations: 3, normalizesWeights: true), threads: 2)
    let entry = network.parameters.entries[0]
    for step in 0..<3 {
      let gradient = try fixture.floats("muon/gradient/\(step)")
      let layout = try #require(entry.layout)
      layout.pack(gradient, into: network.parameters.gradients + entry.range.lowerBound)
      optimizer.update(learningRate: 0.24 * (1 - Double(step) / 5))
      expectClose(
        try network.parameter("conv.weight").values, try fixture.floats("muon/after/\(step)"), within: 1e-5,
        "muon step \(step)")
    }
    #expect(try network.parameter("conv.bias").values == bias)
    let state = optimizer.stateDictionary(of: network)
    guard case .tensor(let velocity)? = state.first(where: { $0.name == "velocity.conv.weight" })?.value
    else {
      Issue.record("no velocity")
      return
    }
    expectClose(velocity.values, try fixture.floats("muon/velocity"), within: 1e-6, "muon velocity")
  }

  @Test func whitening() throws {
    let fixture = try Self.fixture.get()
    let shape = try fixture.shape("whitening/images")
    let images = try fixture.nhwc("whitening/images")
    let network = try Network(
      inputShape: MapShape(height: shape[2], width: shape[3], channels: shape[1]), seed: 1
    ) { x in
      try Conv2d(
        "whiten", inputChannels: 3, outputChannels: 24, kernelSize: 2,
        initialization: .whitening(epsilon: 5e-4))(x)
    }
    #expect(network.parameters.entries.map(\.isFrozen) == [true, false])
    var whitening = try #require(PatchWhitening(of: network))
    // In two parts: what counts is their sum.
    let half = images.count / 2
    images.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      whitening.add(base, count: shape[0] / 2, threads: 2)
      whitening.add(base + half, count: shape[0] / 2, threads: 1)
    }
    whitening.finish()
    let found = try network.parameter("whiten.weight").values
    let expected = try fixture.floats("whitening/weight")
    for filter in 0..<12 {
      let range = filter * 12..<(filter + 1) * 12
      // An eigenvector has no sign: the filter and its negative may have changed places.
      let sign: Float =
        zip(found[range], expected[range]).reduce(0) { $0 + $1.0 * $1.1 } < 0 ? -1 : 1
      expectClose(found[range].map { sign * $0 }, Array(expected[range]), within: 1e-4, "filter \(filter)")
      let negative = Array(found[144 + filter * 12..<144 + (filter + 1) * 12])
      #expect(negative == found[range].map { -$0 })
    }
  }

  private static var model: ModelConfiguration {
    ModelConfiguration(name: "airbench94", widthMultiplier: 0.0625)
  }

  /// Two steps an epoch: the schedule of the first bias ends after the sixth of ten.
  @Test func tenSteps() throws {
    let fixture = try Self.fixture.get()
    let network = try Self.model.makeNetwork()
    for name in network.parameterNames {
      let key = "network/before/\(name)"
      try network.setParameter(
        name, to: Tensor(shape: try fixture.shape(key), values: try fixture.floats(key)))
    }
    var configuration = try #require(
      TrainingConfiguration.recipe(named: "speedrun94", data: "cifar10:DIR", threads: 2))
    configuration.epochs = 5
    let session = try TrainingSession(
      network: network, batchSize: 16, threads: 2, loss: CrossEntropy(labelSmoothing: 0.2), reduction: .sum)
    let optimizer = try Optimizer(
      parameters: network.parameters, configuration: configuration.optimizer,
      weightDecay: configuration.weightDecay, groups: configuration.parameterGroups ?? [], threads: 2)
    for (step, loss) in try fixture.floats("network/losses").enumerated() {
      let images = HashTensor.images("speedrun.\(step)", count: 16, shape: [3, 32, 32])
      let labels = HashTensor.labels("speedrun.labels.\(step)", count: 16, classes: 10)
      optimizer.courses = configuration.courses(step: step, stepsPerEpoch: 2)
      let found = try session.step(
        images: images, labels: labels, updating: optimizer,
        learningRate: configuration.learningRate(step: step, stepsPerEpoch: 2))
      expectClose([found.loss], [loss], within: 1e-4, "step \(step)")
    }
    for name in network.parameterNames {
      expectClose(
        try network.parameter(name).values, try fixture.floats("network/after/\(name)"), within: 1e-3, name)
    }
    for buffer in network.graph.buffers {
      expectClose(
        try network.buffer(buffer.name).values, try fixture.floats("network/after/\(buffer.name)"),
        within: 1e-3, buffer.name)
    }
  }

  @Test(arguments: TestViews.allCases) func viewsOfImages(views: TestViews) throws {
    let fixture = try Self.fixture.get()
    let network = try Self.model.makeNetwork()
    var state: StateDictionary = []
    for (name, value) in network.stateDictionary() {
      guard case .tensor(let tensor) = value else {
        state.append((name, value))
        continue
      }
      let values = try fixture.floats("network/after/\(name)")
      state.append((name, .tensor(Tensor(shape: tensor.shape, values: values))))
    }
    try network.load(state)
    let images = HashTensor.images("speedrun.test", count: 6, shape: [3, 32, 32])
    let session = try InferenceSession(network: network, batchSize: 6, threads: 2)
    let average = ViewAverage(views, session, network, batchSize: 6)
    let logits = images.withUnsafeBufferPointer { buffer in
      buffer.baseAddress.map { Array(average.logits(images: $0, count: 6, threads: 2)) } ?? []
    }
    expectClose(
      logits, try fixture.floats("network/views/\(views.rawValue)"), within: 1e-5, "\(views) views")
  }
}
