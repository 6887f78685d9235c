import Foundation
import Testing

import OctNet
@testable import OctNetTraining
@testable import OctNetSupport
@testable import OctNetCheckpoint

/// Update rules against their formulas in double precision, on the parameters of a whole network.
@Suite struct OptimizerTests {
  /// One rule's formula for one parameter: gets the step (from 1), weight, gradient and memory, returns the weight.
  private typealias Rule = (_ step: Int, _ w: Double, _ g: Double, _ memory: inout [Double]) -> Double

  private func expect(
    _ configuration: OptimizerConfiguration, weightDecay: Float, exclude: Bool, gradientScale: Float = 1,
    sourceLocation: SourceLocation = #_sourceLocation, rule: (_ decay: Double) -> Rule
  ) throws {
    let network = try TinyRun.network()
    let store = network.parameters
    let optimizer = Optimizer(
      parameters: store, configuration: configuration, weightDecay: weightDecay,
      excludeNormsAndBiases: exclude,
      threads: 2)
    var stream = RandomStream(seed: 1, "optimizer test")
    var expected: [[Double]] = store.entries.map { entry in entry.range.map { Double(store.values[$0]) } }
    var memory = store.entries.map { entry in entry.range.map { _ in [0.0, 0.0] } }
    // Padding inside a convolution's weights is zero, and so are gradients there.
    let used = store.entries.enumerated().map { index, entry in
      let ones = Tensor(
        shape: network.graph.parameters[index].shape,
        values: Array(repeating: 1, count: network.graph.parameters[index].count))
      guard let layout = network.graph.parameters[index].layout else { return ones.values }
      var packed = [Float](repeating: 0, count: entry.range.count)
      packed.withUnsafeMutableBufferPointer { buffer in
        if let base = buffer.baseAddress { layout.pack(ones.values, into: base) }
      }
      return packed
    }

    for step in 1...4 {
      for (index, entry) in store.entries.enumerated() {
        let isExcluded = exclude && entry.kind != .weight
        let update = rule(isExcluded ? 0 : Double(weightDecay))
        for (i, place) in entry.range.enumerated() {
          let gradient = stream.normal() * used[index][i]
          store.gradients[place] = gradient
          expected[index][i] = update(
            step, expected[index][i], Double(gradient) * Double(gradientScale), &memory[index][i])
        }
      }
      optimizer.update(learningRate: 0.1, gradientScale: gradientScale)
      var worst = 0.0
      for (index, entry) in store.entries.enumerated() {
        for (i, place) in entry.range.enumerated() {
          worst = max(worst, abs(Double(store.values[place]) - expected[index][i]))
        }
      }
      #expect(worst < 2e-6, "step \(step)", sourceLocation: sourceLocation)
    }
    #expect(optimizer.step == 4)

    // Nothing has leaked into the gaps.
    var isUsed = [Bool](repeating: false, count: store.count)
    for entry in store.entries { for place in entry.range { isUsed[place] = true } }
    for place in 0..<store.count where !isUsed[place] {
      #expect(store.values[place] == 0 && optimizer.state.allSatisfy { $0.floats[place] == 0 })
    }
  }

  @Test(arguments: [(0.0, false), (0.9, false), (0.9, true)], [false, true])
  func sgd(settings: (momentum: Double, nesterov: Bool), exclude: Bool) throws {
    let (momentum, nesterov) = settings
    let configuration = OptimizerConfiguration.sgd(momentum: Float(momentum), nesterov: nesterov)
    try expect(configuration, weightDecay: 0.02, exclude: exclude, gradientScale: 0.5) { decay in
      { step, w, g, memory in
        let g = g + decay * w
        memory[0] = step == 1 ? g : momentum * memory[0] + g
        return w - 0.1 * (nesterov ? g + momentum * memory[0] : memory[0])
      }
    }
  }

  @Test(arguments: [false, true], [false, true])
  func adam(decoupled: Bool, exclude: Bool) throws {
    let configuration: OptimizerConfiguration = decoupled ? .adamW : .adam
    try expect(configuration, weightDecay: 0.02, exclude: exclude, gradientScale: 2) { decay in
      { step, w, g, memory in
        let g = decoupled ? g : g + decay * w
        let w = decoupled ? w * (1 - 0.1 * decay) : w
        memory[0] = 0.9 * memory[0] + 0.1 * g
        memory[1] = 0.999 * memory[1] + 0.001 * g * g
        let first = memory[0] / (1 - pow(0.9, Double(step)))
        let second = memory[1] / (1 - pow(0.999, Double(step)))
        return w - 0.1 * first / (second.squareRoot() + 1e-8)
      }
    }
  }

  @Test func equalNeighboursAreOneGroup() throws {
    let store = try TinyRun.network().parameters
    func groups(decay: Float, exclude: Bool) -> [Optimizer.Group] {
      Optimizer(
        parameters: store, configuration: .sgd, weightDecay: decay, excludeNormsAndBiases: exclude, threads: 1
      ).groups
    }
    func one(decay: Float) -> [Optimizer.Group] {
      [
        Optimizer.Group(
          range: 0..<store.count, settings: UpdateSettings(rule: .sgd, weightDecay: decay))
      ]
    }
    #expect(groups(decay: 0.1, exclude: false) == one(decay: 0.1))
    #expect(groups(decay: 0, exclude: true) == one(decay: 0))
    let split = groups(decay: 0.1, exclude: true)
    // enter's weights, norm1, leave's weights, norm2, classes.weight, classes.bias
    #expect(split.map(\.settings.weightDecay) == [0.1, 0, 0.1, 0, 0.1, 0])
    #expect(split.first?.range.lowerBound == 0 && split.last?.range.upperBound == store.count)
    for (a, b) in zip(split, split.dropFirst()) { #expect(a.range.upperBound == b.range.lowerBound) }
  }

  @Test func clippingLimitsTheNormOfAllGradients() throws {
    let store = try TinyRun.network().parameters
    let optimizer = Optimizer(parameters: store, configuration: .sgd, threads: 2)
    store.gradients[store.entries[0].range.lowerBound] = 3
    store.gradients[store.entries[store.entries.count - 1].range.lowerBound] = -4
    #expect(abs(optimizer.gradientNorm() - 5) < 1e-12)
    #expect(abs(optimizer.clippingScale(maximum: 1) - 0.2) < 1e-6)
    #expect(optimizer.clippingScale(maximum: 6) == 1)
  }

  @Test func stateComesBackToTheBit() throws {
    let network = try TinyRun.network()
    let store = network.parameters
    let optimizer = Optimizer(parameters: store, configuration: .adam, threads: 1)
    var stream = RandomStream(seed: 1, "state test")
    for entry in store.entries where entry.kind != .weight {
      for place in entry.range { store.gradients[place] = stream.normal() }
    }
    optimizer.update(learningRate: 0.1)
    let saved = optimizer.stateDictionary(of: network)
    #expect(saved.count == 2 * store.entries.count)

    let other = Optimizer(parameters: store, configuration: .adam, threads: 1)
    try other.load(saved, step: 1, of: network)
    #expect(other.step == 1)
    for (a, b) in zip(optimizer.state, other.state) {
      #expect((0..<store.count).allSatisfy { a.floats[$0].bitPattern == b.floats[$0].bitPattern })
    }
  }

  @Test func foreignStateIsRefusedWithAllProblems() throws {
    let network = try TinyRun.network()
    let optimizer = Optimizer(parameters: network.parameters, configuration: .sgd, threads: 1)
    var state = optimizer.stateDictionary(of: network)
    let first = state.removeFirst().name
    state[state.count - 1].value = .tensor(Tensor(shape: [1], values: [0]))
    state.append((name: "velocity.nobody", value: .tensor(Tensor(shape: [], values: [0]))))
    #expect(
      error { try optimizer.load(state, step: 3, of: network) }
        == .stateDictionary(
          StateMismatch(
            missing: ["optimizer.\(first) [3, 3, 3, 3]"], unexpected: ["optimizer.velocity.nobody []"],
            unfit: ["optimizer.velocity.classes.bias [1] instead of [4]"])))
    #expect(optimizer.step == 0)
  }

  @Test func jsonRoundTrip() throws {
    for configuration: OptimizerConfiguration in [
      .sgd(momentum: 0.8, nesterov: true), .adam(beta1: 0.8, beta2: 0.9, epsilon: 1e-3), .adamW,
    ] {
      let data = try JSONEncoder().encode(configuration)
      #expect(try JSONDecoder().decode(OptimizerConfiguration.self, from: data) == configuration)
    }
    #expect(
      try JSONDecoder().decode(OptimizerConfiguration.self, from: Data(#"{"name":"sgd"}"#.utf8)) == .sgd)
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode(OptimizerConfiguration.self, from: Data(#"{"name":"lion"}"#.utf8))
    }
  }
}
