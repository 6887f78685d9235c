/// How a convolution's weights begin; its biases begin with 0 beside `kaimingNormal`, and as PyTorch's beside the others.
public enum ConvInitialization: Hashable, Sendable {
  /// Normal with deviation √(2 / fan out), He et al. 2015, as torchvision's ResNets.
  case kaimingNormal
  /// Uniform in ±1 / √fan in, as PyTorch's `nn.Conv2d` without further words.
  case uniform
  /// The first filters pass on a channel each, as `nn.init.dirac_`, the others are uniform in ±1 / √fan in.
  ///
  /// Of an octave convolution, each new channel passes on the channel of its own octave and reads nothing of the other one;
  /// where there is no map of its octave, that of the other. Where both octaves are merged into a high map, the first filters
  /// pass on the high channels and the next ones the low ones, as one filter after the other does of an ordinary map. Filters
  /// that are left read both.
  case dirac
  /// Filters that whiten the patches of the network's input, and their negatives: see `PatchWhitening`. They are frozen.
  /// ε is added to the patches' variances.
  case whitening(epsilon: Float)
}

extension ConvInitialization {
  /// Of one of an octave convolution's paths.
  ///
  /// - Parameters:
  ///   - fanIn: of all paths into the target together.
  ///   - fanOut: of this path.
  ///   - passing: filters that pass on a channel of this path under `dirac`.
  ///   - zeros: filters that pass on one of any path, and those before them.
  func weight(fanIn: Int, fanOut: Int, passing: Range<Int>, zeros: Int) -> Initializer {
    let bound = 1 / Float(fanIn).squareRoot()
    switch self {
    case .kaimingNormal: return .kaimingNormal(fanOut: fanOut)
    case .uniform: return .uniform(bound: bound)
    case .dirac: return .dirac(passing: passing, zeros: zeros, bound: bound)
    case .whitening(let epsilon): return .whitening(epsilon: epsilon, bound: bound)
    }
  }

  func bias(fanIn: Int) -> Initializer {
    self == .kaimingNormal ? .constant(0) : .uniform(bound: 1 / Float(fanIn).squareRoot())
  }

  var isFrozen: Bool {
    if case .whitening = self { return true }
    return false
  }
}
