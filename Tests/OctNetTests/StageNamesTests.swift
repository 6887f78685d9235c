import Testing

import OctNet
@testable import OctNetCore
@testable import OctNetModels

/// Into which stages the networks' costs are divided.
@Suite struct StageNamesTests {
  private func stages(_ name: String, alpha: Double) throws -> [CostSummary.Row] {
    let stem = try #require(NamedModel.named(name)).usualStem
    return try ModelConfiguration(
      name: name, alpha: alpha, classes: stem.usualClasses, inputHeight: stem.usualImageSize,
      inputWidth: stem.usualImageSize
    ).makeGraph().costSummary().stages
  }

  /// With two octaves and with one, which have different operations and keys.
  @Test(arguments: [
    ("resnet50", ["stem", "layer1", "layer2", "layer3", "layer4", "head"]),
    ("resnet26v2", ["stem", "layer1", "layer2", "layer3", "layer4", "head"]),
    (
      "densenet121",
      [
        "stem", "denseblock1", "transition1", "denseblock2", "transition2", "denseblock3", "transition3",
        "denseblock4", "head",
      ]
    ),
    (
      "mobilenet_v1",
      ["features.0-1", "features.2-3", "features.4-5", "features.6-11", "features.12-13", "head"]
    ),
    (
      "mobilenet_v2",
      ["features.0-1", "features.2-3", "features.4-6", "features.7-13", "features.14-18", "head"]
    ),
  ])
  func namedNetworks(name: String, expected: [String]) throws {
    for alpha in [0, 0.25] {
      #expect(try stages(name, alpha: alpha).map(\.name) == expected, "at \(alpha)")
    }
  }

  /// Huang et al., table 1, and Howard et al., table 1, layer by layer.
  @Test func stagesCostWhatTheirLayersCost() throws {
    let dense = try stages("densenet121", alpha: 0)
    let block1 = (0..<6).map { (64 + 32 * $0) * 128 + 9 * 128 * 32 }.reduce(0, +)
    #expect(dense[1].macs == block1 * 56 * 56)
    #expect(dense[1].parameters == block1 + (0..<6).map { 2 * (64 + 32 * $0) + 2 * 128 }.reduce(0, +))
    #expect(dense[2].macs == 256 * 128 * 56 * 56)
    #expect(dense[8].macs == 1024 * 1000)
    let mobile = try stages("mobilenet_v1", alpha: 0)
    #expect(mobile[1].macs == (9 * 64 + 64 * 128 + 9 * 128 + 128 * 128) * 56 * 56)
    #expect(mobile[3].macs == (9 * 256 + 256 * 512 + 5 * (9 * 512 + 512 * 512)) * 14 * 14)
  }

  /// No stage appears twice, so that each is compared with its own at α = 0; nothing is lost.
  @Test(arguments: NamedModel.all.map(\.name)) func everyNetworkIsDivided(name: String) throws {
    for alpha in [0, 0.5] {
      let rows = try stages(name, alpha: alpha)
      #expect(Set(rows.map(\.name)).count == rows.count && rows.count > 2, "\(rows.map(\.name)) at \(alpha)")
    }
  }

  private func names(_ layers: @escaping (OctFeature) throws -> OctFeature) throws -> [String] {
    let shape = MapShape(height: 8, width: 8, channels: 4)
    return try Graph(inputShape: shape, body: layers).costSummary().stages.map(\.name)
  }

  private func conv(_ name: String, stride: Int = 1) -> Conv2d {
    Conv2d(name, inputChannels: 4, outputChannels: 4, kernelSize: 3, stride: stride, padding: 1)
  }

  @Test func networksOfOnesOwn() throws {
    // Single layers before, between and after.
    #expect(
      try names { x in
        var x = try conv("first")(x)
        x = try x.builder.scoped("a") { try conv("conv2")(conv("conv1")(x)) }
        x = try conv("neck")(ReLU()(x))
        x = try x.builder.scoped("b") { try conv("conv2")(conv("conv1")(x)) }
        return try conv("last")(x)
      } == ["stem", "a", "neck", "b", "head"])
    // The only layer with layers inside, and they have none: a stage.
    #expect(
      try names { x in
        try conv("last")(x.builder.scoped("a") { try conv("conv2")(conv("conv1")(x)) })
      } == ["a", "head"])
    // Of several layers inside a stage, one has many and the others one.
    #expect(
      try names { x in
        var x = try x.builder.scoped("layer1.0") { try conv("conv1")(x) }
        x = try x.builder.scoped("layer2.0") { try conv("conv1")(x) }
        return try x.builder.scoped("layer2.1") { try conv("conv1")(x) }
      } == ["layer1", "layer2"])
    // Numbers, as of a Sequential, by the size of what they give.
    #expect(
      try names { x in
        try x.builder.scoped("body") {
          try conv("7")(conv("4", stride: 2)(ReLU()(conv("3", stride: 2)(conv("1")(conv("0")(x))))))
        }
      } == ["body.0-1", "body.3", "body.4-7"])
    #expect(try names { x in try conv("b")(conv("a")(x)) } == ["stem"])
  }
}
