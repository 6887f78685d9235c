import OctNetSupport

/// Group normalisation of each octave on its own (Wu, He 2018, arXiv 1803.08494): γ · (x − mean) / √(var + ε) + β with the
/// statistics of each image over the pixels and the channels / groups channels of a group. It is the same in training and
/// inference, and knows no batch.
///
/// `weight` and `bias` are those of PyTorch's `GroupNorm`; with two octaves `gn_h.weight`, … and `gn_l.weight`, ….
public struct GroupNorm: Layer {
  public let name: String
  /// Of each map.
  public let groups: Int
  /// Of both maps together.
  public let channels: Int
  /// Share of the channels in the low map, 0 ... 1.
  public let alpha: Double
  /// ε beside the variance.
  public let epsilon: Float
  /// Names in the state dictionary.
  public let keys: OctaveKeys

  /// - Parameters:
  ///   - alpha: share of the channels in the low map, 0 ... 1.
  ///   - channels: of both maps together.
  ///   - epsilon: added to the variance.
  ///   - groups: of each map.
  ///   - name: its part of the dotted path of its parameters.
  ///   - keys: defaults to `plain` at α = 0 and `octave` elsewhere.
  public init(
    _ name: String = "", groups: Int, channels: Int, alpha: Double = 0, epsilon: Float = 1e-5,
    keys: OctaveKeys? = nil
  ) {
    self.name = name
    self.groups = groups
    self.channels = channels
    self.alpha = alpha
    self.epsilon = epsilon
    self.keys = keys ?? (alpha == 0 ? .plain : .octave)
  }

  /// - Throws: `OctNetError.graph` where x does not have the channels that α says, or groups do not divide them.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    let split = try OctaveSplit(channels: channels, alpha: alpha, in: x.builder)
    guard split.high == x.highChannels, split.low == x.lowChannels else {
      throw x.builder.error(
        "group norm of \(numbered(channels, "channel")) at alpha \(alpha) expects \(split.high) high and \(split.low) low, "
          + "found \(x)")
    }
    func normalize(_ map: SymbolicMap, key: String) throws -> SymbolicMap {
      let builder = map.builder
      let count = map.shape.channels
      guard groups > 0, count.isMultiple(of: groups) else {
        throw builder.error("\(numbered(groups, "group")) do not divide \(numbered(count, "channel"))")
      }
      return try builder.scoped(keys == .octave ? key : "") {
        let scale = try builder.addParameter("weight", .normScale, shape: [count], .constant(1))
        let shift = try builder.addParameter("bias", .normShift, shape: [count], .constant(0))
        return try map.applying(
          GroupNormalization(shape: map.shape, groups: groups, scale: scale, shift: shift, epsilon: epsilon))
      }
    }
    return OctFeature(
      high: try x.high.map { try normalize($0, key: "gn_h") },
      low: try x.low.map { try normalize($0, key: "gn_l") }, height: x.height, width: x.width,
      builder: x.builder)
  }
}
