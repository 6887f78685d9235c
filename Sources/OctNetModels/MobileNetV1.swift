import OctNetCore

/// MobileNet (Howard et al. 2017, arXiv 1704.04861, table 1): depthwise 3×3 and pointwise convolutions. With α, block 1's
/// pointwise convolution divides the channels, blocks 2 to 10 are octave, and block 11's pointwise convolution merges.
///
/// Depthwise convolutions have no exchange between the octaves: the pointwise ones have it.
public struct MobileNetV1: Layer {
  /// Outputs at width 1, and stride, of each block.
  private static let blocks = [
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1), (512, 1),
    (512, 1), (1024, 2), (1024, 1),
  ]
  /// Blocks from 1 on whose outputs have two octaves.
  private static let octaveBlocks = 1...10

  static let models = [
    NamedModel("mobilenet_v1", takesWidthMultiplier: true) { MobileNetV1($0) }
  ]

  public let name = ""
  /// What determines it; its α and width multiplier among them.
  public let configuration: ModelConfiguration
  /// Behind every norm.
  public var activation: any Layer = ReLU()

  /// - Parameter configuration: its classes are those of the classifier; its name and its input's height and width are not read.
  public init(_ configuration: ModelConfiguration) { self.configuration = configuration }

  /// The logits, a 1×1 map of as many channels as there are classes.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    let style = ConvNormStyle(configuration)
    let isOctave = style.keys == .octave
    var x = try MobileStem(configuration: configuration, activation: activation)(x)
    for (position, (outputs, stride)) in Self.blocks.enumerated() {
      let block = position + 1
      let alphaIn = Self.octaveBlocks.contains(block - 1) ? configuration.alpha : 0
      let alphaOut = Self.octaveBlocks.contains(block) ? configuration.alpha : 0
      let channels = x.channels
      let depthwise = ConvNorm(
        style: style, convName: isOctave ? "0" : "0.0", normName: "0.1", inputChannels: channels,
        outputChannels: channels, kernelSize: 3, stride: stride, groups: channels, alphaIn: alphaIn,
        alphaOut: alphaIn)
      let pointwise = ConvNorm(
        style: style, convName: isOctave ? "1" : "1.0", normName: "1.1", inputChannels: channels,
        outputChannels: configuration.width(outputs), kernelSize: 1, stride: 1, alphaIn: alphaIn,
        alphaOut: alphaOut)
      x = try x.builder.scoped("features.\(block)") { try activation(pointwise(activation(depthwise(x)))) }
    }
    return try Linear("fc", inputChannels: x.channels, outputChannels: configuration.classes)(
      GlobalAvgPool()(x))
  }
}

/// What MobileNets begin with: a plain 3×3 convolution to 32 channels, with stride 2, or 1 for images of CIFAR's size.
struct MobileStem: Layer {
  let name = "features.0"
  let configuration: ModelConfiguration
  let activation: any Layer

  package func forward(_ x: OctFeature) throws -> OctFeature {
    let channels = configuration.width(32)
    let conv = Conv2d(
      "0", inputChannels: configuration.inputChannels, outputChannels: channels, kernelSize: 3,
      stride: configuration.stem == .cifar ? 1 : 2, padding: 1, bias: false)
    return try activation(BatchNorm2d("1", channels: channels)(conv(x)))
  }
}

extension ModelConfiguration {
  /// ⌊channels · widthMultiplier⌋.
  func width(_ channels: Int) -> Int { Int(Double(channels) * (widthMultiplier ?? 1)) }
}
