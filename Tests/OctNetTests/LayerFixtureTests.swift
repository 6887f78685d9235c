import Testing

import OctNet
@testable import OctNetCore

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

  @Test func upsampling() throws {
    for (height, width) in [(5, 4), (1, 1), (3, 7)] {
      for scale in [2, 3] {
        for mode in Upsample.Mode.allCases {
          try check("upsample/\(mode)_\(scale)_\(height)x\(width)") {
            try Upsample(scale: scale, mode: mode)($0)
          }
        }
      }
    }
  }

  @Test(
    arguments: [
      (1, "6_5x4"), (3, "6_5x4"), (6, "6_9x8"), (4, "16_1x1"), (5, "35_17x9"),
    ])
  func groupNorm(groups: Int, name: String) throws {
    try check("group_norm/\(groups)_of_\(name)") { x in
      try GroupNorm("norm", groups: groups, channels: x.channels, alpha: 0.5)(x)
    }
  }

  @Test(arguments: ["7_5_5x4", "32_16_1x1", "17_3_6x9"])
  func squeezeExcite(name: String) throws {
    try check("squeeze_excite/\(name)") { try SqueezeExcite("se", squeezedChannels: 3)($0) }
  }

  /// Kernel, stride, padding, output padding and groups of the cases, as in their names.
  @Test(
    arguments: [
      (3, 2, 1, 1, 1), (2, 2, 0, 0, 1), (4, 2, 1, 0, 2), (1, 1, 0, 0, 1), (5, 3, 2, 1, 1), (3, 1, 1, 0, 4),
      (2, 3, 0, 2, 1), (3, 4, 0, 1, 1),
    ])
  func transposedConvolution(kernel: Int, stride: Int, padding: Int, extra: Int, groups: Int) throws {
    var checked = 0
    for (input, output, alphaOut) in [((8, 4), (12, 4), 0.25), ((16, 32), (8, 8), 0.5)] {
      let name = "conv_transpose/k\(kernel)s\(stride)p\(padding)o\(extra)g\(groups)_\(input.0)_\(output.0)"
      guard fixture.has(name + "/src_high") else { continue }
      try check(name) { x in
        try OctConvTranspose2d(
          "up", inputChannels: input.0 + input.1, outputChannels: output.0 + output.1, kernelSize: kernel,
          stride: stride, padding: padding, outputPadding: extra, groups: groups,
          alphaIn: (Double(input.1) + 0.5) / Double(input.0 + input.1), alphaOut: alphaOut)(x)
      }
      checked += 1
    }
    #expect(checked == 2)
  }

  /// As a sum over the maps where convolutions read them, and as a map where something else does.
  @Test(arguments: [false, true]) func concatenation(readsMap: Bool) throws {
    var kinds: [String] = []
    try check("concat/\(readsMap ? "map" : "sum")") { x in
      func part(_ map: SymbolicMap, _ octave: String) throws -> SymbolicMap {
        let x = OctFeature(map)
        let channels = map.shape.channels
        let a = Conv2d("a_\(octave)", inputChannels: channels, outputChannels: 4, kernelSize: 3, padding: 1)
        let b = Conv2d("b_\(octave)", inputChannels: channels, outputChannels: 17, kernelSize: 1)
        let last = Conv2d(
          "last_\(octave)", inputChannels: channels + 21, outputChannels: 6, kernelSize: 3, padding: 1)
        let joined = try concatenated([a(x), x, b(x)])
        let y = try last(joined)
        return try (readsMap ? concatenated([y, Sigmoid()(joined)]) : y).plain(for: "a test")
      }
      let result = OctFeature(
        high: try x.high.map { try part($0, "high") }, low: try x.low.map { try part($0, "low") },
        height: x.height, width: x.width, builder: x.builder)
      kinds = x.builder.graph.nodes.map(\.operation.kind)
      return result
    }
    #expect(kinds.contains("conv+conv"))
  }

  @Test func concatenationsThatNobodyReadsAreNotMade() throws {
    let shape = MapShape(height: 6, width: 5, channels: 8)
    func kinds(_ count: Int, groups: Int = 1) throws -> [String] {
      try Graph(inputShape: shape) { x in
        let parts = try (0..<count).map {
          try ReLU6()(AvgPool2d(kernelSize: $0 + 1, stride: 1, padding: 0)(x))
        }
        guard count > 1 else { return x }
        let same = try parts.map { try Upsample(scale: 1)($0) }.filter { $0.height == 6 }
        let joined = try concatenated([x] + same)
        return try Conv2d(
          "last", inputChannels: joined.channels, outputChannels: 16, kernelSize: 3, padding: 1,
          groups: groups)(
            joined)
      }.nodes.map(\.operation.kind)
    }
    #expect(try !kinds(2).contains("concat"))
    #expect(try kinds(2, groups: 2).contains("concat"))
    // The kernels sum over four maps; more are copied.
    let five = try Graph(inputShape: shape) { x in
      let maps = [x] + (try (0..<4).map { _ in try ReLU6()(x) })
      return try Conv2d("last", inputChannels: 40, outputChannels: 4, kernelSize: 1)(concatenated(maps))
    }
    #expect(five.nodes.map(\.operation.kind).contains("concat"))
  }

  @Test func whatLayersRefuse() throws {
    func problem(_ body: (OctFeature) throws -> OctFeature) -> String {
      do {
        _ = try Graph(inputShape: MapShape(height: 4, width: 4, channels: 6), body: body)
        return "nothing"
      } catch { return "\(error)" }
    }
    #expect(
      problem { try GroupNorm("gn", groups: 4, channels: 6)($0) }
        == "gn: 4 groups do not divide 6 channels")
    #expect(
      problem { try Upsample(scale: 0)($0) } == "network: upsampling takes a factor of 1 ... 64, found 0")
    #expect(
      problem { try concatenated([$0, AvgPool2d(kernelSize: 2)($0)]) }
        == "network: concatenation needs features of one height and width, found 4×4, 2×2")
    #expect(
      problem { x in
        let gate = try x.plain(for: "x")
        return OctFeature(try gate.gated(by: gate))
      } == "network: a gate of 4×4×6 is 1×1×6, found 4×4×6")
    #expect(
      problem {
        try OctConvTranspose2d(
          "up", inputChannels: 6, outputChannels: 4, kernelSize: 2, stride: 2, outputPadding: 2)($0)
      }.contains("outputPadding is below the stride"))
    #expect(
      problem {
        try OctConvTranspose2d("up", inputChannels: 6, outputChannels: 4, kernelSize: 1, padding: 2)($0)
      } == "up: padding 2 leaves nothing of a map of 4×4×6")
  }
}
