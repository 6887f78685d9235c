import OctNetSupport

/// A symbolic octave feature: a high-frequency map at full resolution and a low-frequency map at half resolution,
/// rounded up (paper, section 3.1).
///
/// Either part may be missing: without `low` it is an ordinary feature map (α = 0), without `high` everything is
/// low-frequency (α = 1).
public struct OctFeature {
  /// Full resolution; nil where α = 1.
  public let high: SymbolicMap?
  /// Half resolution, rounded up; nil where α = 0.
  public let low: SymbolicMap?
  /// Full resolution; the low map has ⌈height / 2⌉ × ⌈width / 2⌉.
  public let height, width: Int

  /// What records the operations on it.
  public let builder: GraphBuilder

  package init(high: SymbolicMap?, low: SymbolicMap?, height: Int, width: Int, builder: GraphBuilder) {
    self.high = high
    self.low = low
    self.height = height
    self.width = width
    self.builder = builder
  }

  /// An ordinary feature map.
  public init(_ map: SymbolicMap) {
    self.init(
      high: map, low: nil, height: map.shape.height, width: map.shape.width, builder: map.builder)
  }

  /// A feature of two maps of one network: `low` has half the resolution of `high`, rounded up.
  /// - Throws: `OctNetError.graph` where it does not.
  public init(high: SymbolicMap, low: SymbolicMap) throws(OctNetError) {
    precondition(high.builder === low.builder, "maps of different networks do not meet")
    let (full, half) = (high.shape, low.shape)
    guard half.height == (full.height + 1) / 2, half.width == (full.width + 1) / 2 else {
      throw high.builder.error(
        "a low map of \(half) beside a high one of \(full); the rule is half of it, rounded up")
    }
    self.init(high: high, low: low, height: full.height, width: full.width, builder: high.builder)
  }

  /// Channels of the two maps, 0 for one that is missing, and of both.
  public var highChannels: Int { high?.shape.channels ?? 0 }
  /// Channels of the low map, 0 where it is missing.
  public var lowChannels: Int { low?.shape.channels ?? 0 }
  /// Channels of both maps.
  public var channels: Int { highChannels + lowChannels }

  /// The only map of an ordinary feature.
  ///
  /// - Parameter purpose: who asks, for the error.
  /// - Throws: `OctNetError.graph` for a feature of two octaves, or of the low one alone.
  public func plain(for purpose: String) throws -> SymbolicMap {
    guard let high, low == nil else {
      throw builder.error(
        "\(purpose) takes an ordinary feature map, found \(self); merge the octaves first with alphaOut 0")
    }
    return high
  }

  /// Applies the same map-to-map function to both parts, as an activation or a norm does.
  ///
  /// - Throws: what `body` throws.
  /// - Precondition: `body` keeps the heights and widths.
  public func mapParts(_ body: (SymbolicMap) throws -> SymbolicMap) rethrows -> OctFeature {
    let result = try mapParts(height: height, width: width, body)
    precondition(
      zip([high, low], [result.high, result.low]).allSatisfy { old, new in
        old?.shape.height == new?.shape.height && old?.shape.width == new?.shape.width
      }, "mapParts keeps heights and widths")
    return result
  }

  /// The same where the full resolution becomes height × width.
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
    func add(_ a: SymbolicMap?, _ b: SymbolicMap?) throws -> SymbolicMap? {
      guard let a, let b else { return nil }
      return try a + b
    }
    return OctFeature(
      high: try add(a.high, b.high), low: try add(a.low, b.low), height: a.height, width: a.width,
      builder: a.builder)
  }
}

extension OctFeature: CustomStringConvertible {
  public var description: String {
    let parts = [high.map { "high \($0.shape)" }, low.map { "low \($0.shape)" }]
    return parts.compactMap { $0 }.joined(separator: " and ")
  }
}
