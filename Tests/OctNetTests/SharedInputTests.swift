import OctNet
import Testing

@testable import OctNetCore

/// Operations that read one map twice: its gradient is the sum of both.
@Suite struct SharedInputTests {
  private static let shape = MapShape(height: 4, width: 5, channels: 20)

  /// ∂(Σ w·y)/∂(a convolution's weights and bias) in front of `tail`, and along a direction by differences of the loss.
  private func gradients(
    fused: Bool, step: Float = 2e-4, _ tail: @escaping (OctFeature) throws -> OctFeature
  ) throws -> (analytic: Double, numeric: Double, weights: [Float]) {
    let network = try Network(inputShape: Self.shape, seed: 5) { x in
      try tail(Conv2d("conv", inputChannels: 20, outputChannels: 20, kernelSize: 3, padding: 1)(x))
    }
    var stream = RandomStream(seed: 8, "numbers")
    let images = (0..<3 * Self.shape.count).map { _ in stream.normal() }
    let session = try TrainingSession(
      network: network, batchSize: 3, threads: 2, inputGradient: true, fused: fused)
    let direction = images.map { _ in stream.normal() }
    var factors: [Float] = []
    func loss(_ step: Float) throws -> Double {
      let output = try session.forward(images: zip(images, direction).map { $0 + step * $1 })[0]
      if factors.isEmpty { factors = output.map { _ in stream.normal() } }
      return zip(output, factors).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    }
    _ = try loss(0)
    try session.backward(outputGradients: ["output": factors])
    let analytic = zip(session.inputGradient(count: 3), direction).reduce(0.0) {
      $0 + Double($1.0) * Double($1.1)
    }
    let weights = try network.gradient("conv.weight").values
    return (analytic, try (loss(step) - loss(-step)) / Double(2 * step), weights)
  }

  @Test(arguments: [0, 1, 2]) func aNormPlusItsOwnInput(activation: Int) throws {
    func tail(_ x: OctFeature) throws -> OctFeature {
      let y = try BatchNorm2d("norm", channels: 20)(x) + x
      return try activation == 0 ? ReLU()(y) : activation == 1 ? SiLU()(y) : LeakyReLU()(y)
    }
    let (fused, apart) = (try gradients(fused: true, tail), try gradients(fused: false, tail))
    expectClose(fused.weights, apart.weights, within: 1e-4, "weights")
    #expect(abs(fused.analytic - apart.analytic) < 1e-3 * abs(apart.analytic) + 1e-3)
    // The others have kinks between the two points.
    guard activation == 1 else { return }
    #expect(abs(fused.analytic - fused.numeric) < 2e-2 * abs(fused.numeric) + 0.2)
  }

  @Test(arguments: [true, false]) func aGateThatIsItsOwnMap(fused: Bool) throws {
    let found = try gradients(fused: fused, step: 1e-2) { x in
      let mean = try GlobalAvgPool()(x).plain(for: "mean")
      return OctFeature(try mean.gated(by: mean))
    }
    #expect(abs(found.numeric) > 1e-3)
    #expect(abs(found.analytic - found.numeric) < 1e-2 * abs(found.numeric) + 1e-3)
  }
}
