import OctNetCore

/// The network of the fastest public training to 94 % on CIFAR-10 (Keller Jordan's `airbench94_muon`): frozen 2×2 filters
/// that whiten the images' patches, three groups of convolution, 2×2 max pooling, norm, GELU, convolution, norm, GELU, and a
/// linear head whose logits are divided by its inputs. Norms have no scale, momentum 0.4 and ε 1e-12.
///
/// Keys are those of the recipe's PyTorch module at α = 0: `whiten`, `body.N`, `head`. With α, groups 1 and 2 are octave:
/// the first convolution divides the channels, and the first one of group 3, at a quarter of the width, merges them, as the
/// octave paper's networks merge before their last stage.
///
/// Images of 28 to 43 pixels; the last pool takes all of the last map.
struct Airbench: Layer {
  /// Of the groups, at width 1.
  private static let widths = [64, 256, 256]
  private static let octaveGroups = 2

  static let models = [
    NamedModel("airbench94", usualStem: .cifar, stems: [.cifar], takesWidthMultiplier: true) {
      Airbench(configuration: $0)
    }
  ]

  let name = ""
  let configuration: ModelConfiguration

  package func forward(_ x: OctFeature) throws -> OctFeature {
    let whiten = Conv2d(
      "whiten", inputChannels: configuration.inputChannels, outputChannels: 8 * configuration.inputChannels,
      kernelSize: 2, initialization: .whitening(epsilon: 5e-4))
    var x = try GELU()(whiten(x))
    for (group, width) in Self.widths.enumerated() {
      let alpha = group < Self.octaveGroups ? configuration.alpha : 0
      let alphaIn = group == 0 ? 0 : configuration.alpha
      let first = 1 + 7 * group
      x = try MaxPool2d(kernelSize: 2)(convolution(first, x, width, alphaIn: alphaIn, alphaOut: alpha))
      x = try GELU()(norm(first + 2, x, alpha: alpha))
      x = try convolution(first + 4, x, width, alphaIn: alpha, alphaOut: alpha)
      x = try GELU()(norm(first + 5, x, alpha: alpha))
    }
    x = try MaxPool2d(kernelSize: x.height)(x)
    let head = Linear(
      "head", inputChannels: x.channels, outputChannels: configuration.classes, bias: false,
      startsWithUnitDeviation: true)
    return try Scale(1 / Float(x.channels))(head(x))
  }

  private var keys: OctaveKeys { configuration.alpha == 0 ? .plain : .octave }

  private func convolution(
    _ position: Int, _ x: OctFeature, _ width: Int, alphaIn: Double, alphaOut: Double
  ) throws -> OctFeature {
    try OctConv2d(
      "body.\(position)", inputChannels: x.channels, outputChannels: configuration.width(width),
      kernelSize: 3,
      padding: 1, alphaIn: alphaIn, alphaOut: alphaOut, lowToHigh: configuration.readsLow(alphaOut: alphaOut),
      highToLow: configuration.highToLow, variant: configuration.variant,
      downsampling: configuration.downsampling, keys: keys, initialization: .dirac)(x)
  }

  private func norm(_ position: Int, _ x: OctFeature, alpha: Double) throws -> OctFeature {
    try BatchNorm2d(
      "body.\(position)", channels: x.channels, alpha: alpha, epsilon: 1e-12, momentum: 0.4, scales: false,
      keys: keys)(x)
  }
}
