import Testing

import OctNet
@testable import OctNetModels

/// Parameters and multiply–accumulates of the families, to the unit: at 224×224 with 1000 classes, or as published for CIFAR.
@Suite struct FamilyCostTests {
  struct Network: Sendable {
    let name: String
    let parameters: Int
    /// At α = 0, 0.125, 0.25, 0.5 and 0.75; nil where groups divide no path.
    let macs: [Int?]
  }

  /// The networks of the octave paper's table 4, which have as many parameters at every α.
  static let networks = [
    Network(
      name: "resnet26v2", parameters: 15_991_336,
      macs: [2_342_256_640, 2_086_961_152, 1_858_158_592, 1_480_032_256, 1_207_877_632]),
    Network(
      name: "resnet50v2", parameters: 25_553_192,
      macs: [4_089_184_256, 3_565_196_288, 3_103_526_912, 2_367_143_936, 1_880_035_328]),
    Network(
      name: "resnet101v2", parameters: 44_545_320,
      macs: [7_801_405_440, 6_624_878_592, 5_597_675_520, 3_991_240_704, 2_982_100_992]),
    Network(
      name: "resnet200v2", parameters: 64_669_992,
      macs: [15_007_481_856, 12_564_261_888, 10_439_258_112, 7_143_899_136, 5_121_404_928]),
    Network(
      name: "resnext50v2_32x4d", parameters: 25_025_064,
      macs: [4_230_479_872, nil, 3_170_988_544, 2_386_511_872, 1_877_049_856]),
    Network(
      name: "resnext101v2_32x4d", parameters: 44_173_864,
      macs: [7_969_996_800, nil, 5_683_476_480, 4_022_550_528, 2_987_218_944]),
    Network(
      name: "seresnet50v2", parameters: 28_084_184,
      macs: [4_091_699_200, 3_567_711_232, 3_106_041_856, 2_369_658_880, 1_882_550_272]),
    Network(name: "densenet121", parameters: 7_978_856, macs: [2_834_161_664, 2_398_420_736, 2_017_246_208]),
  ]

  private func cost(_ name: String, alpha: Double = 0) throws -> CostSummary {
    let stem = try #require(NamedModel.named(name)).usualStem
    return try ModelConfiguration(
      name: name, alpha: alpha, classes: stem.usualClasses, inputHeight: stem.usualImageSize,
      inputWidth: stem.usualImageSize
    ).makeGraph().costSummary()
  }

  @Test(arguments: networks) func publishedAblations(network: Network) throws {
    for (alpha, macs) in zip([0, 0.125, 0.25, 0.5, 0.75], network.macs) {
      #expect(NamedModel.named(network.name)?.alphas.contains(alpha) == (macs != nil))
      guard let macs else { continue }
      let cost = try cost(network.name, alpha: alpha)
      #expect(cost.total.macs == macs, "\(network.name) at \(alpha)")
      // A norm in front of a convolution has a scale and a shift for each input, wherever the map lies.
      #expect(cost.total.parameters == network.parameters, "\(network.name) at \(alpha)")
    }
  }

  /// The octave MobileNets of the paper's table 4. α that leaves no low channel gives the form of α > 0 in v2, whose first
  /// block has a 1×1 convolution that torchvision's has not.
  @Test(arguments: [
    ("mobilenet_v1", 0.75, 0, 325_400_448, 2_585_560), ("mobilenet_v1", 0.75, 0.375, 211_379_016, 2_585_560),
    ("mobilenet_v1", 1, 0, 568_740_352, 4_231_976), ("mobilenet_v1", 1, 0.5, 318_167_680, 4_231_976),
    ("mobilenet_v2", 1, 1e-6, 313_619_328, 3_505_960), ("mobilenet_v2", 1, 0.375, 254_031_408, 3_505_960),
    ("mobilenet_v2", 1.125, 0.5, 292_764_600, 4_243_006),
  ])
  func mobile(name: String, multiplier: Double, alpha: Double, macs: Int, parameters: Int) throws {
    let cost = try ModelConfiguration(
      name: name, alpha: alpha, widthMultiplier: multiplier, classes: 1000, inputHeight: 224, inputWidth: 224
    ).makeGraph().costSummary()
    #expect(cost.total.macs == macs && cost.total.parameters == parameters)
  }

  /// As torchvision counts its own, timm SE-ResNets, and Zagoruyko & Komodakis Wide ResNets.
  @Test(arguments: [
    ("resnext50_32x4d", 25_028_904), ("resnext101_32x4d", 44_177_704), ("seresnet50", 28_088_024),
    ("seresnet101", 49_326_872), ("seresnet152", 66_821_848), ("wide_resnet50_2", 68_883_240),
    ("wide_resnet101_2", 126_886_696), ("wrn16_4", 2_748_890), ("wrn28_10", 36_479_194),
    ("wrn40_2", 2_243_546), ("densenet121", 7_978_856), ("densenet161", 28_681_000),
    ("densenet169", 14_149_480), ("densenet201", 20_013_928), ("mobilenet_v1", 4_231_976),
    ("mobilenet_v2", 3_504_872),
  ])
  func publishedParameters(name: String, parameters: Int) throws {
    #expect(try cost(name).total.parameters == parameters)
  }

  /// 3×3×3×8 at 224×224; then at 112×112 8→32, 32→64, 1×1 64→32; at 56×56 3×3 32→32, 1×1 32→64 and 64→64; in place of
  /// 7×7 3→64 at 112×112.
  @Test func largeStem() throws {
    let plain = try cost("resnet50").stages[0]
    let large = try ModelConfiguration(
      name: "resnet50", stem: .large, classes: 1000, inputHeight: 224, inputWidth: 224
    ).makeGraph().costSummary()
    #expect(plain.macs == 49 * 3 * 64 * 112 * 112)
    let half = 9 * 8 * 32 + 9 * 32 * 64 + 64 * 32
    let quarter = 9 * 32 * 32 + 32 * 64 + 64 * 64
    #expect(large.stages[0].macs == 27 * 8 * 224 * 224 + half * 112 * 112 + quarter * 56 * 56)
    #expect(large.stages.count == 6)
  }

  @Test func groupsThatDivideNoPath() throws {
    let model = ModelConfiguration(name: "resnext50_32x4d", alpha: 0.125)
    do {
      _ = try model.makeGraph()
      Issue.record("32 groups do not divide 16 channels")
    } catch {
      #expect(
        "\(error)" == "layer1.0.conv2.conv.conv_l2h: 32 groups do not divide the path's 16 → 112 channels "
          + "(alpha 0.125 → 0.125)")
    }
  }
}
