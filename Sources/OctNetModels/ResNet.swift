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
/// merges in its first block.
///
/// ```swift
/// let resnet = try ResNet(ModelConfiguration(name: "resnet50", alpha: 0.25, classes: 10))
/// let network = try Network(inputShape: shape, seed: 1) { try resnet.features($0) }  // of all stages
/// ```
public struct ResNet: Layer {
  /// Their names.
  static let models = ResNetDepth.allCases.map { depth in
    NamedModel(depth.rawValue, usualStem: depth.isCIFAR ? .cifar : .imagenet) { try ResNet($0) }
  }

  public let name = ""
  /// Which one.
  public let depth: ResNetDepth
  /// Everything else that determines it.
  public let configuration: ModelConfiguration
  /// Behind every norm but a block's last, and behind its sum.
  public var activation: any Layer = ReLU()

  /// - Parameter configuration: its classes are those of the classifier; its input's height and width are not read.
  /// - Throws: `OctNetError.configuration` for an unknown name.
  public init(_ configuration: ModelConfiguration) throws(OctNetError) {
    guard let depth = ResNetDepth(rawValue: configuration.name) else {
      throw OctNetError.configuration(
        key: "model",
        "found \"\(configuration.name)\", expected one of \(ModelConfiguration.modelNames.joined(separator: ", "))"
      )
    }
    self.depth = depth
    self.configuration = configuration
  }

  /// The logits, a 1×1 map of as many channels as there are classes.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    var x = try stem(x)
    for stage in depth.blocks.indices { x = try self.stage(stage, x) }
    return try head(x)
  }

  /// What each part of the network gives, for a network that ends there: `stem`, `layer1`, … up to the last stage. Stages
  /// but the last are octave features. A checkpoint's weights load with `strict: false`, which leaves the classifier out.
  public func features(_ x: OctFeature) throws -> [(name: String, feature: OctFeature)] {
    var result = [(name: "stem", feature: try stem(x))]
    for stage in depth.blocks.indices {
      result.append(("layer\(stage + 1)", try self.stage(stage, result[stage].feature)))
    }
    return result
  }

  /// The layers before the first stage.
  public func stem(_ x: OctFeature) throws -> OctFeature {
    let large = configuration.stem == .imagenet
    let conv = Conv2d(
      "conv1", inputChannels: configuration.inputChannels, outputChannels: depth.stemChannels,
      kernelSize: large ? 7 : 3, stride: large ? 2 : 1, padding: large ? 3 : 1, bias: false)
    let x = try activation(BatchNorm2d("bn1", channels: depth.stemChannels)(conv(x)))
    return try large ? MaxPool2d(kernelSize: 3, stride: 2, padding: 1)(x) : x
  }

  /// Channels behind a stage, counted from 0.
  public func channels(ofStage stage: Int) -> Int {
    (depth.stemChannels << stage) * (depth.isBottleneck ? 4 : 1)
  }

  /// One of the stages, counted from 0, of what the one before it gives.
  public func stage(_ stage: Int, _ x: OctFeature) throws -> OctFeature {
    let isLast = stage == depth.blocks.count - 1
    let alphaOut = isLast ? 0 : configuration.alpha
    var channels = stage == 0 ? depth.stemChannels : channels(ofStage: stage - 1)
    var alphaIn = stage == 0 ? 0 : configuration.alpha
    var x = x
    for position in 0..<depth.blocks[stage] {
      // The seed's first block of the last stage stays octave up to its last convolution.
      let staysOctave = isLast && position == 0 && configuration.variant == .seed
      let block = ResidualBlock(
        name: "layer\(stage + 1).\(position)", style: ConvNormStyle(configuration),
        activation: activation, isBottleneck: depth.isBottleneck, inputChannels: channels,
        width: depth.stemChannels << stage,
        stride: position == 0 && stage > 0 ? 2 : 1, alphaIn: alphaIn,
        alphaInner: staysOctave ? alphaIn : alphaOut, alphaOut: alphaOut)
      x = try block(x)
      channels = block.outputChannels
      alphaIn = alphaOut
    }
    return x
  }

  /// The classifier of what the last stage gives.
  public func head(_ x: OctFeature) throws -> OctFeature {
    try Linear(
      "fc", inputChannels: channels(ofStage: depth.blocks.count - 1), outputChannels: configuration.classes)(
        GlobalAvgPool()(x))
  }
}
