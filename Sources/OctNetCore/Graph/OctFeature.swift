/// A symbolic octave feature: a high-frequency map at full resolution and a low-frequency map at half resolution,
/// rounded up (paper, section 3.1).
///
/// Either part may be missing: without `low` it is an ordinary feature map (α = 0), without `high` everything is
/// low-frequency (α = 1).
public struct OctFeature {
  public let high: SymbolicMap?
  public let low: SymbolicMap?
  /// Full resolution; the low map has ⌈height / 2⌉ × ⌈width / 2⌉.
  public let height, width: Int

  package let builder: GraphBuilder

  init(high: SymbolicMap?, low: SymbolicMap?, height: Int, width: Int, builder: GraphBuilder) {
    self.high = high
    self.low = low
    self.height = height
    self.width = width
    self.builder = builder
  }

  init(_ map: SymbolicMap) {
    self.init(
      high: map, low: nil, height: map.shape.height, width: map.shape.width, builder: map.builder)
  }

  public var highChannels: Int { high?.shape.channels ?? 0 }
  public var lowChannels: Int { low?.shape.channels ?? 0 }
  public var channels: Int { highChannels + lowChannels }

  /// The only map of an ordinary feature.
  func plain(for purpose: String) throws -> SymbolicMap {
    guard let high, low == nil else {
      throw builder.error(
        "\(purpose) takes an ordinary feature map, found \(self); merge the octaves first with alphaOut 0")
    }
    return high
  }

  /// Applies the same map-to-map function to both parts.
  func mapParts(
    height: Int, width: Int, _ body: (SymbolicMap) throws -> SymbolicMap
  ) rethrows -> OctFeature {
    OctFeature(
      high: try high.map(body), low: try low.map(body), height: height, width: width, builder: builder)
  }

  /// Adds two features part by part, as a residual connection does.
  ///
  /// - Throws: `OctNetError.graph` where the shapes differ.
  public static func + (a: OctFeature, b: OctFeature) throws -> OctFeature {
    guard a.high?.shape == b.high?.shape, a.low?.shape == b.low?.shape else {
      throw a.builder.error("addition needs equal shapes, found \(a) and \(b)")
    }
    func add(_ a: SymbolicMap?, _ b: SymbolicMap?) -> SymbolicMap? {
      guard let a, let b else { return nil }
      return a + b
    }
    return OctFeature(
      high: add(a.high, b.high), low: add(a.low, b.low), height: a.height, width: a.width,
      builder: a.builder)
  }
}

extension OctFeature: CustomStringConvertible {
  public var description: String {
    let parts = [high.map { "high \($0.shape)" }, low.map { "low \($0.shape)" }]
    return parts.compactMap { $0 }.joined(separator: " and ")
  }
}

extension SymbolicMap {
  /// - Precondition: equal shapes.
  static func + (a: SymbolicMap, b: SymbolicMap) -> SymbolicMap {
    precondition(a.shape == b.shape)
    return a.builder.record(Addition(shape: a.shape), [a, b], shape: a.shape)
  }

  /// 2×2 average, ceil mode, border windows divide by the pixels really inside.
  func pooledByTwo() -> SymbolicMap {
    // Several convolutions read the same feature: its average is taken once.
    if let known = builder.pooled[id] { return known }
    let geometry = PoolGeometry(input: shape, kernelSize: 2, stride: 2, padding: 0, ceilMode: true)
    let map = builder.record(AveragePooling(geometry: geometry), [self], shape: geometry.output)
    builder.pooled[id] = map
    return map
  }

  /// Nearest upsampling by two, cropped to height × width.
  func upsampledByTwo(height: Int, width: Int) -> SymbolicMap {
    let output = MapShape(height: height, width: width, channels: shape.channels)
    return builder.record(Upsampling(input: shape, output: output), [self], shape: output)
  }
}
