import OctNetCore
import OctNetSupport

/// The ResNets: He et al. 2015, with 26 and 200 layers as in the octave paper.
public enum ResNetDepth: String, CaseIterable, Sendable {
  /// Four stages, for ImageNet.
  case resnet18, resnet26, resnet34, resnet50, resnet101, resnet152, resnet200
  /// Three stages, for CIFAR.
  case resnet20, resnet32, resnet44, resnet56, resnet110

  /// Three stages of 16, 32 and 64 channels instead of four from 64 on.
  public var isCIFAR: Bool { blocks.count == 3 }

  /// Blocks of each stage.
  public var blocks: [Int] {
    switch self {
    case .resnet18, .resnet26: return [2, 2, 2, 2]
    case .resnet34, .resnet50: return [3, 4, 6, 3]
    case .resnet101: return [3, 4, 23, 3]
    case .resnet152: return [3, 8, 36, 3]
    case .resnet200: return [3, 24, 36, 3]
    case .resnet20: return [3, 3, 3]
    case .resnet32: return [5, 5, 5]
    case .resnet44: return [7, 7, 7]
    case .resnet56: return [9, 9, 9]
    case .resnet110: return [18, 18, 18]
    }
  }

  /// Blocks of 1×1, 3×3 and 1×1 convolutions; else of two 3×3.
  public var isBottleneck: Bool {
    switch self {
    case .resnet26, .resnet50, .resnet101, .resnet152, .resnet200: return true
    default: return false
    }
  }

  /// Channels of the stem; the width of a block doubles at every stage.
  public var stemChannels: Int { isCIFAR ? 16 : 64 }
}

/// An Oct-ResNet (paper, section 3.3): the stem is plain, all stages but the last are octave, and the last stage
/// merges in its first block. Norms stand behind convolutions; at α = 0 it is torchvision's network.
///
/// ```swift
/// let resnet = try ResNet(ModelConfiguration(name: "resnet50", alpha: 0.25, classes: 10))
/// let network = try Network(inputShape: shape, seed: 1) { try resnet.features($0) }  // of all stages
/// ```
public struct ResNet: ResidualNetwork {
  /// ResNets, ResNeXts of 32 groups of 4 channels, Squeeze-and-Excitation networks, and ResNets twice as wide inside.
  public static let shapes: [(name: String, shape: ResidualShape)] =
    ResNetDepth.allCases.map { ($0.rawValue, ResidualShape($0)) } + [
      ("resnext50_32x4d", ResidualShape(.resnet50, width: 128, groups: 32)),
      ("resnext101_32x4d", ResidualShape(.resnet101, width: 128, groups: 32)),
      ("seresnet50", ResidualShape(.resnet50, squeezes: true)),
      ("seresnet101", ResidualShape(.resnet101, squeezes: true)),
      ("seresnet152", ResidualShape(.resnet152, squeezes: true)),
      ("wide_resnet50_2", ResidualShape(.resnet50, width: 128)),
      ("wide_resnet101_2", ResidualShape(.resnet101, width: 128)),
    ]
  static let models = shapes.map { name, shape in shape.named(name) { ResNet(shape, $0) } }

  public let shape: ResidualShape
  public let configuration: ModelConfiguration
  /// Behind every norm but a block's last, and behind its sum.
  public var activation: any Layer = ReLU()

  /// A network of any numbers, whatever the configuration's name.
  public init(_ shape: ResidualShape, _ configuration: ModelConfiguration) {
    self.shape = shape
    self.configuration = configuration
  }

  public func stem(_ x: OctFeature) throws -> OctFeature {
    try ResidualStem(
      kind: configuration.stem, inputChannels: configuration.inputChannels, channels: shape.stemChannels,
      activation: activation, epsilon: 1e-5)(x)
  }

  public func stage(_ stage: Int, _ x: OctFeature) throws -> OctFeature {
    try blocks(ofStage: stage, style: ConvNormStyle(configuration), activation: activation)
      .reduce(x) { try ResidualBlock(plan: $1)($0) }
  }

  public func head(_ x: OctFeature) throws -> OctFeature { try classifier(x) }
}
