import OctNetSupport

/// factor · x on both octaves: of logits, an inverse temperature.
public struct Scale: Layer {
  public let name = ""
  /// Of every element.
  public let factor: Float

  /// - Parameter factor: of every element; not trained.
  public init(_ factor: Float) { self.factor = factor }

  /// - Throws: `OctNetError.graph` for a factor that is no finite number.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    guard factor.isFinite else { throw x.builder.error("a scale is a finite number, found \(factor)") }
    return try x.mapParts { map in try map.applying(Scaling(shape: map.shape, factor: factor)) }
  }
}
