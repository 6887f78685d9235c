import OctNetSupport

/// Batch normalisation of each octave on its own: γ · (x − mean) / √(var + ε) + β.
///
/// Training normalises with the biased variance of the batch and keeps the unbiased one; `momentum` is the fraction
/// of the new value in the running statistics, as in PyTorch.
public struct BatchNorm2d: Layer {
  public let name: String
  /// Of both maps together.
  public let channels: Int
  /// Share of the channels in the low map, 0 ... 1.
  public let alpha: Double
  /// ε beside the variance; the fraction of the new value in the running statistics.
  public let epsilon, momentum: Float
  /// Whether γ is trained; otherwise it is frozen at 1.
  public let scales: Bool
  /// Names in the state dictionary.
  public let keys: OctaveKeys

  /// - Parameters:
  ///   - alpha: share of the channels in the low map, 0 ... 1.
  ///   - channels: of both maps together.
  ///   - epsilon: added to the variance.
  ///   - momentum: fraction of the new value in the running statistics.
  ///   - name: its part of the dotted path of its parameters.
  ///   - scales: false leaves out γ: it is there, as 1, for the state dictionary, but frozen.
  ///   - keys: defaults to `plain` at α = 0 and `octave` elsewhere.
  public init(
    _ name: String = "", channels: Int, alpha: Double = 0, epsilon: Float = 1e-5, momentum: Float = 0.1,
    scales: Bool = true, keys: OctaveKeys? = nil
  ) {
    self.name = name
    self.channels = channels
    self.alpha = alpha
    self.epsilon = epsilon
    self.momentum = momentum
    self.scales = scales
    self.keys = keys ?? (alpha == 0 ? .plain : .octave)
  }

  /// - Throws: `OctNetError.graph` where x does not have the channels that α says.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    let split = try OctaveSplit(channels: channels, alpha: alpha, in: x.builder)
    guard split.high == x.highChannels, split.low == x.lowChannels else {
      throw x.builder.error(
        "batch norm of \(numbered(channels, "channel")) at alpha \(alpha) expects \(split.high) high and \(split.low) low, "
          + "found \(x)")
    }
    let high = try x.high.map { try normalize($0, key: "bn_h") }
    let low = try x.low.map { try normalize($0, key: "bn_l") }
    return OctFeature(high: high, low: low, height: x.height, width: x.width, builder: x.builder)
  }

  private func normalize(_ map: SymbolicMap, key: String) throws -> SymbolicMap {
    let builder = map.builder
    return try builder.scoped(keys == .octave ? key : "") {
      let count = map.shape.channels
      let scale = try builder.addParameter(
        "weight", .normScale, shape: [count], .constant(1), isFrozen: !scales)
      let shift = try builder.addParameter("bias", .normShift, shape: [count], .constant(0))
      let mean = builder.addBuffer("running_mean", count: count, initial: 0)
      let variance = builder.addBuffer("running_var", count: count, initial: 1)
      builder.addCounter("num_batches_tracked")
      let operation = BatchNormalization(
        shape: map.shape, scale: scale, shift: shift, runningMean: mean, runningVariance: variance,
        epsilon: epsilon, momentum: momentum)
      return try map.applying(operation)
    }
  }
}
