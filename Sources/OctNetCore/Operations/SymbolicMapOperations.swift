import OctNetSupport

extension SymbolicMap {
  /// - Throws: `OctNetError.graph` where the shapes differ.
  public static func + (a: SymbolicMap, b: SymbolicMap) throws(OctNetError) -> SymbolicMap {
    guard a.shape == b.shape else {
      throw a.builder.error("addition needs equal shapes, found \(a.shape) and \(b.shape)")
    }
    return try a.applying(Addition(shape: a.shape), b)
  }

  /// 2×2 average, ceil mode, border windows divide by the pixels really inside.
  func pooledByTwo() throws(OctNetError) -> SymbolicMap {
    // Several convolutions read the same feature: its average is taken once.
    if let known = builder.pooled[id] { return SymbolicMap(builder: builder, id: known) }
    let geometry = PoolGeometry(input: shape, kernelSize: 2, stride: 2, padding: 0, ceilMode: true)
    let map = try applying(AveragePooling(geometry: geometry))
    builder.pooled[id] = map.id
    return map
  }

  /// Nearest upsampling by two, cropped to height × width.
  func upsampledByTwo(height: Int, width: Int) throws(OctNetError) -> SymbolicMap {
    let output = MapShape(height: height, width: width, channels: shape.channels)
    return try applying(Upsampling(input: shape, output: output))
  }
}
