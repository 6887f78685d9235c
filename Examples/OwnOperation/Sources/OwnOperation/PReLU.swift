import OctNetInference

/// The layer: a slope for each channel of each octave, under the names `prelu_h` and `prelu_l` (or `weight` alone, PyTorch's
/// name, for an ordinary feature).
public struct PReLU: Layer {
  public let name: String

  public init(_ name: String) { self.name = name }

  public func forward(_ x: OctFeature) throws -> OctFeature {
    func apply(_ map: SymbolicMap, _ parameter: String) throws -> SymbolicMap {
      // Not a weight: `excludeNormsAndBiases` leaves it without weight decay, as the paper does.
      let slope = try map.builder.addParameter(
        parameter, .normScale, shape: [map.shape.channels], .constant(0.25))
      return try map.applying(ParametricReLU(shape: map.shape, slope: slope))
    }
    guard let high = x.high, let low = x.low else {
      return OctFeature(try apply(x.plain(for: "a PReLU"), "weight"))
    }
    return try OctFeature(high: apply(high, "prelu_h"), low: apply(low, "prelu_l"))
  }
}
