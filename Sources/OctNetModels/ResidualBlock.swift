import OctNetCore

/// What a residual block is made of, whatever the order of its norms and convolutions.
struct ResidualPlan {
  let name: String
  let style: ConvNormStyle
  let activation: any Layer
  let shape: ResidualShape
  let inputChannels, width, outputChannels, stride: Int
  /// Ratio of the input, of the maps inside, and of the output.
  let alphaIn, alphaInner, alphaOut: Double

  /// 1×1, 3×3, 1×1, or two 3×3; the 3×3 (the first of them) strides.
  var units: [ConvNorm] {
    guard shape.isBottleneck else {
      return [
        unit(1, inputChannels, width, kernel: 3, stride: stride, alphaIn, alphaInner),
        unit(2, width, outputChannels, kernel: 3, alphaInner, alphaOut),
      ]
    }
    return [
      unit(1, inputChannels, width, kernel: 1, alphaIn, alphaInner),
      unit(2, width, width, kernel: 3, stride: stride, groups: shape.groups, alphaInner, alphaInner),
      unit(3, width, outputChannels, kernel: 1, alphaInner, alphaOut),
    ]
  }

  /// A 1×1 convolution where size, channels or ratio change; `nil` adds the input as it is.
  var shortcut: ConvNorm? {
    if stride == 1, inputChannels == outputChannels, alphaIn == alphaOut { return nil }
    return ConvNorm(
      style: style, convName: "downsample.0", normName: "downsample.1", inputChannels: inputChannels,
      outputChannels: outputChannels, kernelSize: 1, stride: stride, alphaIn: alphaIn, alphaOut: alphaOut)
  }

  /// What the convolutions give on its way to the sum: with squeeze and excitation where the network has it.
  func squeezed(_ y: OctFeature) throws -> OctFeature {
    shape.squeezes ? try SqueezeExcite("se", squeezedChannels: outputChannels / 16)(y) : y
  }

  private func unit(
    _ index: Int, _ input: Int, _ output: Int, kernel: Int, stride: Int = 1, groups: Int = 1,
    _ alphaIn: Double, _ alphaOut: Double
  ) -> ConvNorm {
    ConvNorm(
      style: style, convName: "conv\(index)", normName: "bn\(index)", inputChannels: input,
      outputChannels: output, kernelSize: kernel, stride: stride, groups: groups, alphaIn: alphaIn,
      alphaOut: alphaOut)
  }
}

/// Norms and activations behind convolutions (He et al. 2015): activation(body(x) + shortcut(x)).
struct ResidualBlock: Layer {
  let plan: ResidualPlan
  var name: String { plan.name }

  package func forward(_ x: OctFeature) throws -> OctFeature {
    let units = plan.units
    var y = x
    for unit in units.dropLast() { y = try plan.activation(unit(y)) }
    y = try plan.squeezed(units[units.count - 1](y))
    return try plan.activation(y + (plan.shortcut.map { try $0(x) } ?? x))
  }
}

/// Norms and activations in front of convolutions (He et al. 2016, arXiv 1603.05027): body(x) + shortcut(x), and nothing
/// behind the sum.
struct PreActivationBlock: Layer {
  let plan: ResidualPlan
  /// The shortcut's convolution reads what the first one reads, as in Wide ResNets; else it has a norm of its own.
  let sharesFirstNorm: Bool
  var name: String { plan.name }

  package func forward(_ x: OctFeature) throws -> OctFeature {
    let units = plan.units
    let first = try plan.activation(units[0].norm(x))
    var y = try units[0].conv(first)
    for unit in units.dropFirst() { y = try unit.conv(plan.activation(unit.norm(y))) }
    y = try plan.squeezed(y)
    guard let shortcut = plan.shortcut else { return try y + x }
    return try y + shortcut.conv(sharesFirstNorm ? first : plan.activation(shortcut.norm(x)))
  }
}
