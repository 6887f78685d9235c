/// How a convolution's weights begin; its biases begin with 0 beside `kaimingNormal`, and as PyTorch's beside the others.
public enum ConvInitialization: Hashable, Sendable {
  /// Normal with deviation √(2 / fan out), He et al. 2015, as torchvision's ResNets.
  case kaimingNormal
  /// Uniform in ±1 / √fan in, as PyTorch's `nn.Conv2d` without further words.
  case uniform
  /// The first filters pass on a channel each, as `nn.init.dirac_`, the others are uniform in ±1 / √fan in.
  ///
  /// Of an octave convolution, each new channel passes on the channel of its own octave and reads nothing of the other one;
  /// where there is no map of its octave, that of the other. Filters that are left read both.
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
  ///   - ownChannels: of the source that has the target's octave; 0 where there is none, or it is this path's.
  func weight(fanIn: Int, fanOut: Int, ownChannels: Int) -> Initializer {
    let bound = 1 / Float(fanIn).squareRoot()
    switch self {
    case .kaimingNormal: return .kaimingNormal(fanOut: fanOut)
    case .uniform: return .uniform(bound: bound)
    case .dirac: return ownChannels > 0 ? .zeroFilters(ownChannels, bound: bound) : .dirac(bound: bound)
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
