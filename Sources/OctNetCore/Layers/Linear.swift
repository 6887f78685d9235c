import OctNetSupport

/// y = x · weightᵀ + bias on a 1×1 map; `weight` has PyTorch's shape [outputs, inputs].
public struct Linear: Layer {
  public let name: String
  /// Columns and rows of the weight.
  public let inputChannels, outputChannels: Int
  /// Whether each output has one.
  public let bias: Bool
  /// Whether the weight begins with deviation 1.
  public let startsWithUnitDeviation: Bool

  /// Weight and bias begin as PyTorch's, uniform in ±1 / √inputs.
  ///
  /// With `startsWithUnitDeviation` the first weight is divided by the deviation of its elements.
  public init(
    _ name: String = "", inputChannels: Int, outputChannels: Int, bias: Bool = true,
    startsWithUnitDeviation: Bool = false
  ) {
    self.startsWithUnitDeviation = startsWithUnitDeviation
    self.name = name
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    self.bias = bias
  }

  /// - Throws: `OctNetError.graph` where x is not an ordinary 1×1 map of `inputChannels`.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    let map = try x.plain(for: "a linear layer")
    let builder = map.builder
    guard map.shape == MapShape(height: 1, width: 1, channels: inputChannels) else {
      throw builder.error(
        "a linear layer of \(numbered(inputChannels, "input")) expects a map of 1×1×\(inputChannels), found \(map.shape)"
      )
    }
    let geometry = ConvGeometry(
      input: map.shape, outputChannels: outputChannels, kernelHeight: 1, kernelWidth: 1, stride: 1,
      padding: 0, groups: 1)
    // As PyTorch's nn.Linear: Kaiming uniform with a = √5 comes to ±1 / √inputs.
    let bound = 1 / Float(inputChannels).squareRoot()
    let weight = try builder.addParameter(
      "weight", .weight, shape: [outputChannels, inputChannels],
      startsWithUnitDeviation ? .unitDeviation(bound: bound) : .uniform(bound: bound), layout: geometry)
    let bias =
      try bias ? builder.addParameter("bias", .bias, shape: [outputChannels], .uniform(bound: bound)) : nil
    let operation = Convolution(geometry: geometry, weight: weight, bias: bias, name: "linear")
    return OctFeature(try map.applying(operation))
  }
}
