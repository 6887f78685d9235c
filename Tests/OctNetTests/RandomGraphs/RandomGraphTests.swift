import Foundation
import Testing

import OctNet
import RandomNetworks
@testable import OctNetTraining

/// Fusion changes nothing but rounding, whatever the graph: training with its gradients, and inference.
///
/// `OCTNET_RANDOM_GRAPHS` is how many graphs are built (default 3000); `OCTNET_RANDOM_GRAPH` is the seed of a single one.
@Suite struct RandomGraphTests {
  private static let batch = 3

  private static func setting(_ name: String) -> Int? {
    ProcessInfo.processInfo.environment[name].flatMap { Int($0) }
  }

  /// In parts, which the test's runner spreads over the processors.
  static let parts: [Range<UInt64>] = {
    if let seed = setting("OCTNET_RANDOM_GRAPH") { return [UInt64(seed)..<UInt64(seed) + 1] }
    let count = UInt64(setting("OCTNET_RANDOM_GRAPHS") ?? 3000)
    return stride(from: 0, to: count, by: 100).map { $0..<min($0 + 100, count) }
  }()

  @Test(arguments: parts) func fusionChangesNothing(seeds: Range<UInt64>) throws {
    for seed in seeds {
      let network = RandomNetwork(seed: seed)
      // A sum within rounding of zero may fall on either side of a ReLU, and two candidates of a maximum may be equal, so
      // that gradients part. That depends on the numbers; a wrong fusion is wrong for all of them.
      var differences: [String] = []
      for images in 0..<4 {
        guard let difference = try difference(of: network, images: images) else { break }
        differences.append(difference)
      }
      #expect(differences.count < 4, "OCTNET_RANDOM_GRAPH=\(seed): \(differences)")
    }
  }

  /// The graphs are worth comparing: everything that fusion makes is among them.
  @Test func everyJoinedKindOccurs() throws {
    var training: Set<String> = [], inference: Set<String> = []
    for seed in 0..<UInt64(400) {
      let graph = try RandomNetwork(seed: seed).make().graph
      training.formUnion(graph.fused(for: .trainingForward).nodes.map(\.operation.kind))
      inference.formUnion(graph.fused(for: .inference).nodes.map(\.operation.kind))
    }
    let sums: Set = ["conv+conv", "conv+up"]
    let norms: Set = ["batch_norm", "batch_norm+relu", "batch_norm+add+relu"]
    #expect(training.isSuperset(of: sums.union(norms)), "\(training)")
    let others: Set = [
      "concat", "gate", "group_norm", "nearest", "bilinear", "conv_transpose", "conv+conv+up", "crop",
    ]
    #expect(training.isSuperset(of: others), "\(training)")
    var folded: Set<String> = []
    for sum in sums.union(["conv"]) { for norm in norms { folded.insert(sum + "+" + norm) } }
    #expect(inference.isSuperset(of: folded), "\(inference)")
    // SiLU and GELU are differentiated from their argument, which a convolution does not keep.
    let activations = ["relu", "relu6", "clamp", "leaky_relu", "sigmoid", "silu", "gelu"]
    for activation in activations {
      for norm in ["batch_norm", "batch_norm+add"] {
        #expect(training.contains("\(norm)+\(activation)"))
        #expect(inference.contains("conv+\(norm)+\(activation)"))
      }
      #expect(inference.contains("conv+\(activation)"))
      #expect(training.contains("conv+\(activation)") == !["silu", "gelu"].contains(activation))
    }
  }

  /// Convolutions of unlike groups meet in a sum, as in networks made of parallel branches.
  @Test func sumsOfUnlikeGroupsStayApart() throws {
    for groups in [2, 8] {
      let network = try Network(inputShape: MapShape(height: 5, width: 4, channels: 8), seed: 1) { x in
        let grouped = Conv2d(
          "a", inputChannels: 8, outputChannels: 8, kernelSize: 3, padding: 1, groups: groups, bias: false)
        let whole = Conv2d("b", inputChannels: 8, outputChannels: 8, kernelSize: 1, bias: false)
        return try GlobalAvgPool()(grouped(x) + whole(x))
      }
      let kinds = network.graph.fused(for: .inference).nodes.map(\.operation.kind)
      #expect(!kinds.contains("conv+conv"))
      let images = (0..<network.inputShape.count).map { Float($0 % 7) - 3 }
      let outputs = try [true, false].map { fused in
        let session = try InferenceSession(network: network, batchSize: 1, threads: 2, fused: fused)
        return Array(session.logits(images: images, count: 1))
      }
      #expect(zip(outputs[0], outputs[1]).allSatisfy { abs($0 - $1) < 1e-5 })
    }
  }

  /// Where the fused network parts from the one as written; nil where it does not.
  private func difference(of random: RandomNetwork, images seed: Int) throws -> String? {
    let written = try Pass(random, images: seed, fused: false)
    let fused = try Pass(random, images: seed, fused: true)
    guard abs(written.loss - fused.loss) <= 1e-5 * max(1, abs(written.loss)) else {
      return "loss \(fused.loss), expected \(written.loss)"
    }
    for (what, found, expected) in [
      ("training logits", fused.logits, written.logits),
      ("inference logits", fused.inference, written.inference),
    ] {
      if let problem = Self.problem(found, expected, scale: 1) { return "\(what): \(problem)" }
    }
    // Gradients of different parameters have different sizes, and those that should be zero are rounding: all of them
    // are measured by the largest one.
    let scale = written.gradients.joined().map(abs).max() ?? 0
    for (name, (found, expected)) in zip(written.names, zip(fused.gradients, written.gradients)) {
      if let problem = Self.problem(found, expected, scale: scale) {
        return "gradient of \(name): \(problem)"
      }
    }
    for (name, (found, expected)) in zip(written.stateNames, zip(fused.state, written.state)) {
      if let problem = Self.problem(found, expected, scale: 1) { return "\(name): \(problem)" }
    }
    return nil
  }

  private static func problem(_ found: [Float], _ expected: [Float], scale: Float) -> String? {
    guard found.count == expected.count else { return "\(found.count) numbers, expected \(expected.count)" }
    let largest = max(scale, expected.map(abs).max() ?? 0)
    for (index, (a, b)) in zip(found, expected).enumerated() where !(abs(a - b) <= 1e-4 * largest) {
      return "\(a) at \(index), expected \(b)"
    }
    return nil
  }

  /// A training step and an inference of one network.
  private struct Pass {
    let loss: Float
    let logits, inference: [Float]
    let names: [String]
    let gradients: [[Float]]
    let stateNames: [String]
    let state: [[Float]]

    init(_ random: RandomNetwork, images seed: Int, fused: Bool) throws {
      let network = try random.make()
      var stream = RandomStream(seed: random.seed, "images", seed)
      let images = (0..<batch * network.inputShape.count).map { _ in stream.normal() }
      let labels = (0..<batch).map { _ in Int32(stream.index(below: RandomNetwork.classes)) }
      // Norms that do nothing would hide how they are folded.
      network.scatterNorms(&stream)
      let training = try TrainingSession(network: network, batchSize: batch, threads: 2, fused: fused)
      let inference = try InferenceSession(network: network, batchSize: batch, threads: 2, fused: fused)
      self.inference = Array(inference.logits(images: images, count: batch))
      loss = training.step(images: images, labels: labels, count: batch).loss
      let gradients = network.gradients()
      names = gradients.map(\.name)
      self.gradients = gradients.map(\.gradient.values)
      let tensors = network.stateDictionary().compactMap { name, value -> (String, [Float])? in
        if case .tensor(let tensor) = value { return (name, tensor.values) }
        return nil
      }
      stateNames = tensors.map(\.0)
      state = tensors.map(\.1)
      logits = training.lastLogits(images: images, count: batch)
    }
  }
}
