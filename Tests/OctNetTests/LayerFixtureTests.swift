import Testing

import OctNet

/// Layers beyond those of ResNets against PyTorch's, forward and backward, with and without fusion.
@Suite struct LayerFixtureTests {
  private static let fixture = Result { try Fixture("layers.safetensors") }
  private let fixture: Fixture

  init() throws { fixture = try Self.fixture.get() }

  private func check(_ name: String, _ layer: (OctFeature) throws -> OctFeature) throws {
    for fused in [false, true] {
      try LayerFixture(fixture: fixture, batch: 2, tolerance: 3e-6).check(name, fused: fused, layer)
    }
  }

  @Test(
    arguments: [
      ("relu", ReLU()), ("relu6", ReLU6()), ("hardtanh", Clamp(low: -0.5, high: 0.75)),
      ("leaky_relu", LeakyReLU()),
      ("leaky_relu_0.2", LeakyReLU(slope: 0.2)), ("sigmoid", Sigmoid()), ("silu", SiLU()), ("gelu", GELU()),
    ] as [(String, any ActivationLayer)])
  func activations(name: String, layer: any ActivationLayer) throws {
    try check("activation/\(name)") { try layer($0) }
    // Behind a norm, where ReLU becomes part of it.
    try check("norm_activation/\(name)") { x in
      try layer(BatchNorm2d("norm", channels: x.channels, alpha: 0.5)(x))
    }
  }

  @Test func unusableActivationsAreRefused() throws {
    for layer in [Clamp(low: 1, high: 1), Clamp(low: .nan, high: 1), LeakyReLU(slope: 0)] as [any Layer] {
      #expect(throws: OctNetError.self) {
        try Graph(inputShape: MapShape(height: 2, width: 2, channels: 3)) { x in try GlobalAvgPool()(layer(x))
        }
      }
    }
  }
}
