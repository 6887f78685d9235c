import OctNetCore

/// What all convolutions of a model share.
struct ConvNormStyle {
  let configuration: ModelConfiguration
  /// Names of the state dictionary: torchvision's at α = 0, d-li14/octconv.pytorch's elsewhere, also for the plain
  /// last stage of an octave network.
  let keys: OctaveKeys
  /// ε of the norms.
  let epsilon: Float
  /// Norms are of what convolutions read, not of what they give.
  let normsFirst: Bool

  init(_ configuration: ModelConfiguration, epsilon: Float = 1e-5, normsFirst: Bool = false) {
    self.configuration = configuration
    keys = configuration.alpha == 0 ? .plain : .octave
    self.epsilon = epsilon
    self.normsFirst = normsFirst
  }
}

/// Octave convolution and batch norm: the unit that networks are made of.
struct ConvNorm: Layer {
  let name = ""
  let style: ConvNormStyle
  /// Torchvision calls the pair `conv1`, `bn1` (or `downsample.0`, `downsample.1`); octave networks nest both
  /// under the first name.
  let convName, normName: String
  let inputChannels, outputChannels, kernelSize, stride: Int
  var groups = 1
  let alphaIn, alphaOut: Double

  /// Convolution and norm behind it.
  package func forward(_ x: OctFeature) throws -> OctFeature { try norm(conv(x)) }

  /// The convolution alone.
  func conv(_ x: OctFeature) throws -> OctFeature {
    let isOctave = style.keys == .octave
    let configuration = style.configuration
    let conv = OctConv2d(
      isOctave ? "conv" : convName, inputChannels: inputChannels, outputChannels: outputChannels,
      kernelSize: kernelSize, stride: stride, padding: kernelSize / 2, groups: groups, alphaIn: alphaIn,
      alphaOut: alphaOut, lowToHigh: configuration.readsLow(alphaOut: alphaOut),
      highToLow: configuration.highToLow, variant: configuration.variant,
      downsampling: configuration.downsampling, keys: style.keys)
    return try x.builder.scoped(isOctave ? convName : "") { try conv(x) }
  }

  /// The norm alone: of the convolution's output, or of its input where norms come first.
  func norm(_ x: OctFeature) throws -> OctFeature {
    let isOctave = style.keys == .octave
    let norm = BatchNorm2d(
      isOctave ? "" : normName, channels: style.normsFirst ? inputChannels : outputChannels,
      alpha: style.normsFirst ? alphaIn : alphaOut, epsilon: style.epsilon, keys: style.keys)
    return try x.builder.scoped(isOctave ? convName : "") { try norm(x) }
  }
}
