import Testing

import OctNet
@testable import OctNetCore

/// Which operations take the activation behind them, in training and in inference. That results stay the same is what the
/// random graphs and the fixtures of layers compare.
@Suite struct ActivationFusionTests {
  static let layers: [any ActivationLayer] = [
    ReLU(), ReLU6(), Clamp(low: -0.5, high: 0.5), LeakyReLU(), Sigmoid(), SiLU(), GELU(),
  ]

  private func kinds(
    _ pass: Pass, demand: GradientDemand = GradientDemand(),
    _ body: (OctFeature) throws -> OctFeature
  ) throws -> [String] {
    let graph = try Graph(inputShape: MapShape(height: 4, width: 3, channels: 3)) { x in
      let conv = Conv2d("conv", inputChannels: 3, outputChannels: 5, kernelSize: 3, padding: 1, bias: true)
      return try GlobalAvgPool()(body(conv(x)))
    }
    return graph.fused(for: pass, demand: demand).nodes.dropLast().map(\.operation.kind)
  }

  /// As in VGG: convolution with bias, activation.
  @Test(arguments: layers.indices) func behindAConvolution(index: Int) throws {
    let layer = Self.layers[index], kind = layer.activation.kind
    #expect(try kinds(.inference) { try layer($0) } == ["conv+\(kind)"])
    let training = try kinds(.trainingForward) { try layer($0) }
    #expect(training == (layer.activation.keepsOutput ? ["conv+\(kind)"] : ["conv", kind]))
    // Nobody asks for these gradients: as in inference.
    let frozen = GradientDemand(isFrozen: [true, true])
    #expect(try kinds(.trainingForward, demand: frozen) { try layer($0) } == ["conv+\(kind)"])
  }

  /// As in VGG with norms: the bias of the convolution goes into that of the norm.
  @Test(arguments: layers.indices) func behindANorm(index: Int) throws {
    let layer = Self.layers[index], kind = layer.activation.kind
    let norm = BatchNorm2d("norm", channels: 5)
    #expect(try kinds(.inference) { try layer(norm($0)) } == ["conv+batch_norm+\(kind)"])
    #expect(try kinds(.trainingForward) { try layer(norm($0)) } == ["conv", "batch_norm+\(kind)"])
  }

  /// What is added is a map that something else reads as well.
  @Test(arguments: layers.indices) func behindASum(index: Int) throws {
    let layer = Self.layers[index], kind = layer.activation.kind
    let norm = BatchNorm2d("norm", channels: 5)
    let conv = Conv2d("inner", inputChannels: 5, outputChannels: 5, kernelSize: 1, bias: true)
    func block(_ x: OctFeature) throws -> OctFeature { try layer(x + norm(conv(x))) }
    #expect(try kinds(.inference, block) == ["conv", "conv+batch_norm+add+\(kind)"])
    #expect(try kinds(.trainingForward, block) == ["conv", "conv", "batch_norm+add+\(kind)"])
  }

  /// The second of two activations stays on its own.
  @Test func oneActivationEach() throws {
    #expect(try kinds(.inference) { try SiLU()(ReLU()($0)) } == ["conv+relu", "silu"])
    let norm = BatchNorm2d("norm", channels: 5)
    #expect(
      try kinds(.trainingForward) { try ReLU6()(GELU()(norm($0))) } == ["conv", "batch_norm+gelu", "relu6"])
  }

  /// Backward changes the gradient of what is joined, and that of an output is its reader's.
  @Test func outputsKeepTheirGradients() throws {
    let network = try Network(inputShape: MapShape(height: 2, width: 2, channels: 3), seed: 1) { x in
      let conv = Conv2d("conv", inputChannels: 3, outputChannels: 4, kernelSize: 1, bias: true)
      return [("map", try ReLU()(conv(x)))]
    }
    #expect(network.graph.fused(for: .trainingForward).nodes.map(\.operation.kind) == ["conv", "relu"])
    #expect(network.graph.fused(for: .inference).nodes.map(\.operation.kind) == ["conv+relu"])
  }

  /// A norm that stands still differentiates from its output alone.
  @Test(arguments: layers.indices) func behindANormThatStandsStill(index: Int) throws {
    let layer = Self.layers[index], kind = layer.activation.kind
    let graph = try Graph(inputShape: MapShape(height: 4, width: 3, channels: 3)) { x in
      let conv = Conv2d("conv", inputChannels: 3, outputChannels: 5, kernelSize: 3, padding: 1, bias: false)
      return try GlobalAvgPool()(layer(BatchNorm2d("norm", channels: 5)(conv(x))))
    }
    // The convolution's weights are trained, the norm's scale and shift are not.
    let demand = GradientDemand(isFrozen: [false, true, true])
    let fused = graph.freezingNorms(demand).fused(for: .trainingForward, demand: demand)
    let kinds = fused.nodes.dropLast().map(\.operation.kind)
    #expect(
      kinds
        == (layer.activation.keepsOutput ? ["conv", "batch_norm+\(kind)"] : ["conv", "batch_norm", kind]))
  }
}
