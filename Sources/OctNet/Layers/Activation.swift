/// max(0, x) on both octaves.
public struct ReLU: Layer {
  public let name = ""

  public init() {}

  public func forward(_ x: OctFeature) throws -> OctFeature {
    x.mapParts(height: x.height, width: x.width) { map in
      map.builder.record(Rectification(shape: map.shape), [map], shape: map.shape)
    }
  }
}

/// Drops each element with `probability` while training, on both octaves; the rest is scaled by 1 / (1 − p).
public struct Dropout: Layer {
  public let name = ""
  public let probability: Float

  public init(_ probability: Float) { self.probability = probability }

  /// - Throws: `OctNetError.graph` where the probability is outside 0 ..< 1.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    guard (0..<1).contains(probability) else {
      throw x.builder.error("the dropout probability is in 0 ..< 1, found \(probability)")
    }
    return x.mapParts(height: x.height, width: x.width) { map in
      map.builder.record(
        Dropping(shape: map.shape, probability: probability), [map], shape: map.shape)
    }
  }
}
