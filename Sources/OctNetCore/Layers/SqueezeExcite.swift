import OctNetSupport

/// Squeeze and excitation (Hu et al. 2018, arXiv 1709.01507), of both octaves at once:
///
///     q = ReLU(fc1(mean over pixels of high ‖ mean over pixels of low)),   x · σ(fc2(q))
///
/// Parameters: `fc1` and `fc2` with weights and biases as of PyTorch's linear layers; with two octaves `fc2_h` gives the gates
/// of the high map and `fc2_l` those of the low one.
public struct SqueezeExcite: Layer {
  public let name: String
  /// Outputs of `fc1`.
  public let squeezedChannels: Int

  /// At least one squeezed channel; `forward` refuses less.
  public init(_ name: String = "", squeezedChannels: Int) {
    self.name = name
    self.squeezedChannels = squeezedChannels
  }

  /// - Throws: `OctNetError.graph` for less than one squeezed channel.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    guard squeezedChannels > 0 else {
      throw x.builder.error(
        "squeeze and excitation needs a squeezed channel at least, found \(squeezedChannels)")
    }
    let maps = [x.high, x.low].compactMap { $0 }
    let means = try maps.map { OctFeature(try $0.applying(GlobalAveragePooling(input: $0.shape))) }
    let squeezed = try ReLU()(
      Linear("fc1", inputChannels: x.channels, outputChannels: squeezedChannels)(concatenated(means)))
    let isOctave = maps.count > 1
    func gated(_ map: SymbolicMap, _ key: String) throws -> SymbolicMap {
      let excite = Linear(
        isOctave ? key : "fc2", inputChannels: squeezedChannels, outputChannels: map.shape.channels)
      return try map.gated(by: Sigmoid()(excite(squeezed)).plain(for: "a gate"))
    }
    return OctFeature(
      high: try x.high.map { try gated($0, "fc2_h") }, low: try x.low.map { try gated($0, "fc2_l") },
      height: x.height, width: x.width, builder: x.builder)
  }
}
