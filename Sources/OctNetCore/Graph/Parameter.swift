/// Index of a trainable parameter in `Graph.parameters`.
public struct ParameterID: Hashable, Sendable {
  package let index: Int

  package init(index: Int) { self.index = index }
}

/// Index of a running statistic in `Graph.buffers`.
public struct BufferID: Hashable, Sendable {
  package let index: Int

  package init(index: Int) { self.index = index }
}

/// What a parameter is for; weight decay may leave out norms and biases.
public enum ParameterKind: String, Codable, Sendable {
  /// Of a convolution or linear layer; its bias; a norm's γ; its β.
  case weight, bias, normScale, normShift
}

/// How a parameter starts.
public enum Initializer: Hashable, Sendable {
  /// The same number everywhere.
  case constant(Float)
  /// Normal with deviation √(2 / fan out), He et al. 2015, as torchvision's ResNets.
  case kaimingNormal(fanOut: Int)
  /// Uniform in ±bound, as PyTorch's `nn.Linear` with bound 1 / √inputs.
  case uniform(bound: Float)
  /// The same, divided by its deviation over all elements.
  case unitDeviation(bound: Float)
  /// Filter d of the first min(outputs, inputs) passes channel d on, by a 1 in the middle of its kernel, as PyTorch's
  /// `dirac_`; the others are uniform in ±bound.
  case dirac(bound: Float)
  /// The first so many filters are 0, the others uniform in ±bound.
  case zeroFilters(Int, bound: Float)
  /// Filters that whiten the patches of the network's images, and their negatives (`PatchWhitening`). Until somebody shows
  /// images, uniform in ±bound.
  case whitening(epsilon: Float, bound: Float)
}

/// A trainable parameter: its dotted name in the state dictionary, its shape there, and its place in memory.
public struct Parameter: Sendable {
  /// Dotted, as in the state dictionary.
  public let name: String
  /// What it is for.
  public let kind: ParameterKind
  /// PyTorch's shape: [out, in / groups, kh, kw] for convolutions, [out, in] for linear layers.
  public let shape: [Int]
  /// How it starts.
  public let initializer: Initializer
  /// How it lies in memory; nil where that is PyTorch's order.
  package let layout: (any ParameterLayout)?
  /// Training leaves it as it is, unless somebody says otherwise (`Network.unfreeze`).
  public package(set) var isFrozen = false

  /// Elements in the state dictionary.
  public var count: Int { shape.reduce(1, *) }
  /// Floats in memory, padding of its layout included.
  package var storedCount: Int { layout?.storedCount ?? count }
}

/// A running statistic, one float a channel.
public struct StateBuffer: Sendable {
  /// Dotted, as in the state dictionary.
  public let name: String
  /// One a channel.
  public let count: Int
  /// What it starts from.
  public let initial: Float
}

/// One line of the state dictionary, in PyTorch's order.
public enum StateSlot: Sendable {
  /// Trained.
  case parameter(ParameterID)
  /// A running statistic.
  case buffer(BufferID)
  /// `num_batches_tracked` of a batch norm; all count the same training steps but load independently.
  case counter(name: String, index: Int)
}
