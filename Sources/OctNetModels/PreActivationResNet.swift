import OctNetCore
import OctNetSupport

/// A pre-activation ResNet (He et al. 2016, arXiv 1603.05027), the form of the octave paper's ablations: norms and
/// activations stand in front of convolutions, and one more of each behind the last sum.
///
/// Wide ResNets for CIFAR are of the same form, but for two things: where a block changes the channels, its shortcut's
/// convolution reads the first norm's output; and their norms have PyTorch's usual ε, while the paper's have 1e-4.
public struct PreActivationResNet: ResidualNetwork {
  /// WRN-d-k: depth and factor of the width.
  private static let wide = [(16, 4), (16, 8), (22, 8), (28, 2), (28, 10), (40, 2), (40, 4)]

  /// Pre-activation ResNets, ResNeXts of 32 groups of 4 channels, Squeeze-and-Excitation networks, and Wide ResNets.
  public static let shapes: [(name: String, shape: ResidualShape)] =
    [ResNetDepth.resnet26, .resnet50, .resnet101, .resnet152, .resnet200].map {
      ($0.rawValue + "v2", ResidualShape($0))
    } + [
      ("resnext50v2_32x4d", ResidualShape(.resnet50, width: 128, groups: 32)),
      ("resnext101v2_32x4d", ResidualShape(.resnet101, width: 128, groups: 32)),
      ("seresnet50v2", ResidualShape(.resnet50, squeezes: true)),
      ("seresnet101v2", ResidualShape(.resnet101, squeezes: true)),
      ("seresnet152v2", ResidualShape(.resnet152, squeezes: true)),
    ] + wide.map { ("wrn\($0)_\($1)", ResidualShape(wideDepth: $0, factor: $1)) }
  static let models = shapes.map { name, shape in shape.named(name) { PreActivationResNet(shape, $0) } }

  public let shape: ResidualShape
  public let configuration: ModelConfiguration
  /// Behind every norm.
  public var activation: any Layer = ReLU()

  /// A network of any numbers, whatever the configuration's name.
  public init(_ shape: ResidualShape, _ configuration: ModelConfiguration) {
    self.shape = shape
    self.configuration = configuration
  }

  private var isWide: Bool { shape.isCIFAR }
  /// ε is part of a network: weights of the one kind are not for the other.
  private var epsilon: Float { isWide ? 1e-5 : 1e-4 }

  /// Wide ResNets begin with the convolution alone, unless the stem is one of ImageNet's.
  public func stem(_ x: OctFeature) throws -> OctFeature {
    guard isWide, configuration.stem == .cifar else {
      return try ResidualStem(
        kind: configuration.stem, inputChannels: configuration.inputChannels, channels: shape.stemChannels,
        activation: activation, epsilon: epsilon)(x)
    }
    return try Conv2d(
      "conv1", inputChannels: configuration.inputChannels, outputChannels: shape.stemChannels, kernelSize: 3,
      padding: 1, bias: false)(x)
  }

  public func stage(_ stage: Int, _ x: OctFeature) throws -> OctFeature {
    let style = ConvNormStyle(configuration, epsilon: epsilon, normsFirst: true)
    return try blocks(ofStage: stage, style: style, activation: activation)
      .reduce(x) { try PreActivationBlock(plan: $1, sharesFirstNorm: isWide)($0) }
  }

  public func head(_ x: OctFeature) throws -> OctFeature {
    let norm = BatchNorm2d("bn", channels: channels(ofStage: shape.blocks.count - 1), epsilon: epsilon)
    return try classifier(activation(norm(x)))
  }
}
