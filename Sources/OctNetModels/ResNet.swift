import OctNetCore
import OctNetSupport

/// The ResNets: He et al. 2015, with 26 and 200 layers as in the octave paper.
public enum ResNetDepth: String, CaseIterable, Sendable {
  case resnet18, resnet26, resnet34, resnet50, resnet101, resnet152, resnet200
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
struct ResNet: Layer {
  let name = ""
  let depth: ResNetDepth
  let configuration: ModelConfiguration

  package func forward(_ x: OctFeature) throws -> OctFeature {
    let relu = ReLU()
    var x = try relu(BatchNorm2d("bn1", channels: depth.stemChannels)(stem(x)))
    if configuration.stem == .imagenet {
      x = try MaxPool2d(kernelSize: 3, stride: 2, padding: 1)(x)
    }
    var channels = depth.stemChannels
    var alphaIn = 0.0
    for (stage, blocks) in depth.blocks.enumerated() {
      let isLast = stage == depth.blocks.count - 1
      let alphaOut = isLast ? 0 : configuration.alpha
      let width = depth.stemChannels << stage
      for position in 0..<blocks {
        // The seed's first block of the last stage stays octave up to its last convolution.
        let staysOctave = isLast && position == 0 && configuration.variant == .seed
        let block = ResidualBlock(
          name: "layer\(stage + 1).\(position)", style: ConvNormStyle(configuration),
          isBottleneck: depth.isBottleneck, inputChannels: channels, width: width,
          stride: position == 0 && stage > 0 ? 2 : 1, alphaIn: alphaIn,
          alphaInner: staysOctave ? alphaIn : alphaOut, alphaOut: alphaOut)
        x = try block(x)
        channels = block.outputChannels
        alphaIn = alphaOut
      }
    }
    return try Linear("fc", inputChannels: channels, outputChannels: configuration.classes)(
      GlobalAvgPool()(x))
  }

  private var stem: Conv2d {
    let large = configuration.stem == .imagenet
    return Conv2d(
      "conv1", inputChannels: configuration.inputChannels, outputChannels: depth.stemChannels,
      kernelSize: large ? 7 : 3, stride: large ? 2 : 1, padding: large ? 3 : 1, bias: false)
  }
}
