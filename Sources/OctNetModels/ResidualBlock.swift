import OctNetCore

/// What all convolutions of a model share.
struct ConvNormStyle {
  let lowToHigh, highToLow: Bool
  let variant: Variant
  let downsampling: Downsampling
  /// Names of the state dictionary: torchvision's at α = 0, d-li14/octconv.pytorch's elsewhere, also for the plain
  /// last stage of an octave network.
  let keys: OctaveKeys

  init(_ configuration: ModelConfiguration) {
    lowToHigh = configuration.lowToHigh
    highToLow = configuration.highToLow
    variant = configuration.variant
    downsampling = configuration.downsampling
    keys = configuration.alpha == 0 ? .plain : .octave
  }
}

/// Octave convolution and batch norm: the unit ResNets are made of.
struct ConvNorm: Layer {
  let name = ""
  let style: ConvNormStyle
  /// Torchvision calls the pair `conv1`, `bn1` (or `downsample.0`, `downsample.1`); octave networks nest both
  /// under the first name.
  let convName, normName: String
  let inputChannels, outputChannels, kernelSize, stride: Int
  let alphaIn, alphaOut: Double

  package func forward(_ x: OctFeature) throws -> OctFeature {
    let isOctave = style.keys == .octave
    let conv = OctConv2d(
      isOctave ? "conv" : convName, inputChannels: inputChannels, outputChannels: outputChannels,
      kernelSize: kernelSize, stride: stride, padding: kernelSize / 2, alphaIn: alphaIn, alphaOut: alphaOut,
      lowToHigh: style.lowToHigh, highToLow: style.highToLow, variant: style.variant,
      downsampling: style.downsampling, keys: style.keys)
    let norm = BatchNorm2d(
      isOctave ? "" : normName, channels: outputChannels, alpha: alphaOut, keys: style.keys)
    return try x.builder.scoped(isOctave ? convName : "") { try norm(conv(x)) }
  }
}

/// Two 3×3 convolutions, or 1×1, 3×3, 1×1 with four times the width at the end; the 3×3 (the first of them) strides.
struct ResidualBlock: Layer {
  let name: String
  let style: ConvNormStyle
  let activation: any Layer
  let isBottleneck: Bool
  let inputChannels, width, stride: Int
  /// Ratio of the input, of the maps inside, and of the output.
  let alphaIn, alphaInner, alphaOut: Double

  var outputChannels: Int { isBottleneck ? 4 * width : width }

  package func forward(_ x: OctFeature) throws -> OctFeature {
    var y: OctFeature
    if isBottleneck {
      y = try activation(unit(1, inputChannels, width, kernel: 1, stride: 1, alphaIn, alphaInner)(x))
      y = try activation(unit(2, width, width, kernel: 3, stride: stride, alphaInner, alphaInner)(y))
      y = try unit(3, width, outputChannels, kernel: 1, stride: 1, alphaInner, alphaOut)(y)
    } else {
      y = try activation(unit(1, inputChannels, width, kernel: 3, stride: stride, alphaIn, alphaInner)(x))
      y = try unit(2, width, width, kernel: 3, stride: 1, alphaInner, alphaOut)(y)
    }
    return try activation(y + shortcut(x))
  }

  private func unit(
    _ index: Int, _ input: Int, _ output: Int, kernel: Int, stride: Int, _ alphaIn: Double, _ alphaOut: Double
  ) -> ConvNorm {
    ConvNorm(
      style: style, convName: "conv\(index)", normName: "bn\(index)", inputChannels: input,
      outputChannels: output, kernelSize: kernel, stride: stride, alphaIn: alphaIn, alphaOut: alphaOut)
  }

  /// The input itself, or a 1×1 convolution of it where size, channels or ratio change.
  private func shortcut(_ x: OctFeature) throws -> OctFeature {
    if stride == 1, inputChannels == outputChannels, alphaIn == alphaOut { return x }
    return try ConvNorm(
      style: style, convName: "downsample.0", normName: "downsample.1", inputChannels: inputChannels,
      outputChannels: outputChannels, kernelSize: 1, stride: stride, alphaIn: alphaIn, alphaOut: alphaOut)(x)
  }
}
