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

/// What filters write to. All that have one map are filters of the same channels: their outputs are added up in it.
package struct FilterTarget: Hashable, Sendable {
  /// From `GraphBuilder.addTarget`.
  package let map: Int
  /// The order in which they stand side by side in one matrix.
  package let position: Int
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
  /// Each filter of `passing` passes a channel on, the first one channel 0, as far as there are filters and channels: a 1 in the
  /// middle of its kernel, as PyTorch's `dirac_`. Of the other filters the first `zeros` of all are 0, the rest is uniform in
  /// ±bound.
  case dirac(passing: Range<Int>, zeros: Int, bound: Float)
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
  /// Of filters that are not alone.
  package let target: FilterTarget?

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
