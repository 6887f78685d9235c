/// How α divides channels: low = ⌊α · channels⌋, high is the rest (paper, section 3.1).
struct OctaveSplit: Equatable {
  let high, low: Int

  /// - Throws: `OctNetError.graph` for an α that is not in 0 … 1.
  init(channels: Int, alpha: Double, named key: String = "alpha", in builder: GraphBuilder) throws {
    guard (0...1).contains(alpha) else { throw builder.error("\(key) is in 0 … 1, found \(alpha)") }
    low = Int(alpha * Double(channels))
    high = channels - low
  }
}

/// How the parameters of an octave layer are named in the state dictionary.
public enum OctaveKeys: Sendable {
  /// One map: `weight`, as torchvision.
  case plain
  /// One set a path or octave: `conv_h2h.weight`, `bn_h.weight`, as d-li14/octconv.pytorch.
  case octave
}
