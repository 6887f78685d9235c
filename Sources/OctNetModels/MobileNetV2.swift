import OctNetCore

/// MobileNet v2 (Sandler et al. 2018, arXiv 1801.04381, table 2), at α = 0 torchvision's: blocks that expand to six times
/// their channels, filter these one by one and give few channels again. Inputs and outputs of blocks are plain; with α the
/// expanded maps of blocks 1 to 13 have two octaves.
///
/// Block 1 expands by 1: torchvision's has no convolution for it, the octave paper's has one. Widths are ⌊·m⌋ as in the
/// paper, where torchvision rounds to multiples of 8.
public struct MobileNetV2: Layer {
  /// Outputs at width 1, and stride, of each block.
  private static let blocks = [
    (16, 1), (24, 2), (24, 1), (32, 2), (32, 1), (32, 1), (64, 2), (64, 1), (64, 1), (64, 1),
    (96, 1), (96, 1), (96, 1), (160, 2), (160, 1), (160, 1), (320, 1),
  ]
  /// Blocks from 1 on that are octave inside.
  private static let octaveBlocks = 1...13

  static let models = [
    NamedModel("mobilenet_v2", takesWidthMultiplier: true) { MobileNetV2($0) }
  ]

  public let name = ""
  /// What determines it; its α and width multiplier among them.
  public let configuration: ModelConfiguration
  /// Behind every norm but a block's last.
  public var activation: any Layer = ReLU6()

  /// - Parameter configuration: its classes are those of the classifier; its name and its input's height and width are not read.
  public init(_ configuration: ModelConfiguration) { self.configuration = configuration }

  /// The logits, a 1×1 map of as many channels as there are classes.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    var x = try MobileStem(configuration: configuration, activation: activation)(x)
    for (position, (outputs, stride)) in Self.blocks.enumerated() {
      let block = position + 1
      x = try InvertedResidual(
        name: "features.\(block).conv", style: ConvNormStyle(configuration),
        activation: activation, expansion: block == 1 ? 1 : 6, outputChannels: configuration.width(outputs),
        stride: stride,
        alpha: Self.octaveBlocks.contains(block) ? configuration.alpha : 0)(x)
    }
    x = try tail(x)
    return try Linear("classifier.1", inputChannels: x.channels, outputChannels: configuration.classes)(
      GlobalAvgPool()(x))
  }

  /// 1×1 to 1280 channels, or more, but not fewer, by the multiplier.
  private func tail(_ x: OctFeature) throws -> OctFeature {
    let channels = max(1280, configuration.width(1280))
    let conv = Conv2d(
      "0", inputChannels: x.channels, outputChannels: channels, kernelSize: 1, bias: false)
    return try x.builder.scoped("features.\(Self.blocks.count + 1)") {
      try activation(BatchNorm2d("1", channels: channels)(conv(x)))
    }
  }
}

/// 1×1 to the expanded maps, norm, activation; depthwise 3×3, norm, activation; 1×1, norm; plus the input where it has the output's
/// shape.
private struct InvertedResidual: Layer {
  let name: String
  let style: ConvNormStyle
  let activation: any Layer
  let expansion, outputChannels, stride: Int
  let alpha: Double

  func forward(_ x: OctFeature) throws -> OctFeature {
    let inner = x.channels * expansion
    var y = x
    var unit = 0
    // Torchvision's names count the units, and the last one's convolution and norm apart.
    if expansion > 1 || style.keys == .octave {
      y = try activation(convNorm(unit, x.channels, inner, kernel: 1, 0, alpha)(y))
      unit += 1
    }
    y = try activation(
      convNorm(unit, inner, inner, kernel: 3, stride: stride, groups: inner, alpha, alpha)(y))
    unit += 1
    y = try convNorm(unit, inner, outputChannels, kernel: 1, alpha, 0, isLast: true)(y)
    return stride == 1 && x.channels == outputChannels ? try y + x : y
  }

  private func convNorm(
    _ unit: Int, _ input: Int, _ output: Int, kernel: Int, stride: Int = 1, groups: Int = 1,
    _ alphaIn: Double, _ alphaOut: Double, isLast: Bool = false
  ) -> ConvNorm {
    ConvNorm(
      style: style, convName: isLast || style.keys == .octave ? "\(unit)" : "\(unit).0",
      normName: isLast ? "\(unit + 1)" : "\(unit).1", inputChannels: input, outputChannels: output,
      kernelSize: kernel, stride: stride, groups: groups, alphaIn: alphaIn, alphaOut: alphaOut)
  }
}
