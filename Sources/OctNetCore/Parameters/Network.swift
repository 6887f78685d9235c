import OctNetSupport

/// A network: its graph, and the parameters and running statistics that training changes.
///
/// ```swift
/// let network = try Network(inputShape: MapShape(height: 32, width: 32, channels: 3), seed: 1) { x in
///   let x = try ReLU()(BatchNorm2d("norm", channels: 32, alpha: 0.5)(conv(x)))
///   ...
/// }
/// ```
///
/// Not for use from several threads at once.
public final class Network {
  /// What it computes.
  public let graph: Graph
  /// Of one image.
  public let inputShape: MapShape
  /// Values and gradients.
  public let parameters: ParameterStore
  /// `num_batches_tracked` of each batch norm.
  package var counters: [Int64]

  /// Builds the graph by applying `body` to the symbolic input and initialises the parameters.
  ///
  /// Each parameter starts from a random stream of its own, named after it: adding a layer does not change
  /// the others.
  ///
  /// - Throws: what `body` throws; `OctNetError.graph` where its output still has two octaves.
  public convenience init(
    inputShape: MapShape, seed: UInt64, body: (OctFeature) throws -> OctFeature
  ) throws {
    self.init(graph: try Graph(inputShape: inputShape, body: body), seed: seed)
  }

  /// The same for a network of several outputs, see `Graph.init(inputShape:outputs:)`.
  public convenience init(
    inputShape: MapShape, seed: UInt64,
    outputs body: (OctFeature) throws -> [(name: String, feature: OctFeature)]
  ) throws {
    self.init(graph: try Graph(inputShape: inputShape, outputs: body), seed: seed)
  }

  /// Initialises the parameters of a graph.
  public init(graph: Graph, seed: UInt64) {
    self.graph = graph
    inputShape = graph.shape(of: graph.input)
    parameters = ParameterStore(graph: graph)
    counters = Array(repeating: 0, count: graph.counters)
    initialize(seed: seed)
  }

  /// A network of the same graph and numbers that changes on its own.
  public init(copying other: Network) {
    graph = other.graph
    inputShape = other.inputShape
    parameters = ParameterStore(graph: graph)
    counters = other.counters
    parameters.entries = other.parameters.entries
    parameters.values.update(from: other.parameters.values, count: parameters.count)
    parameters.states.update(from: other.parameters.states, count: parameters.stateCount)
  }

  /// An output of a network.
  public struct Output: Hashable, Sendable {
    /// As the graph names it.
    public let name: String
    /// Of one image.
    public let shape: MapShape
  }

  /// At least one; see `Graph.init(inputShape:outputs:)`.
  public var outputs: [Output] { graph.networkOutputs }

  /// Shape of one image's first output; `channels` is the number of classes of a classifier.
  public var outputShape: MapShape { graph.shape(of: graph.output) }

  private func initialize(seed: UInt64) {
    let largest = graph.parameters.map(\.count).max() ?? 0
    // One buffer for all, which goes back to the system.
    let buffer = AlignedBuffer(byteCount: largest * MemoryLayout<Float>.stride)
    for (index, parameter) in graph.parameters.enumerated() {
      let values = UnsafeMutableBufferPointer(start: buffer.floats, count: parameter.count)
      var stream = RandomStream(seed: seed, "initialize " + parameter.name)
      parameter.initializer.fill(values, shape: parameter.shape, from: &stream)
      store(UnsafeBufferPointer(values), in: ParameterID(index: index))
    }
    for (index, buffer) in graph.buffers.enumerated() {
      parameters.buffer(BufferID(index: index)).update(repeating: buffer.initial, count: buffer.count)
    }
  }

  /// A parameter from PyTorch's layout.
  package func store(_ values: UnsafeBufferPointer<Float>, in id: ParameterID) {
    guard let source = values.baseAddress else { return }
    let entry = parameters.entries[id.index]
    entry.pack(source, into: parameters.values + entry.range.lowerBound)
  }

  /// A parameter, or its gradient, in PyTorch's layout.
  package func load(_ id: ParameterID, from source: UnsafePointer<Float>) -> Tensor {
    let parameter = graph.parameters[id.index]
    let entry = parameters.entries[id.index]
    let values = [Float](unsafeUninitializedCapacity: parameter.count) { buffer, count in
      if let target = buffer.baseAddress { entry.unpack(source + entry.range.lowerBound, into: target) }
      count = parameter.count
    }
    return Tensor(shape: parameter.shape, values: values)
  }

  /// Gradients of the last training step by parameter name, in PyTorch's layout.
  public func gradients() -> [(name: String, gradient: Tensor)] {
    graph.parameters.indices.map { index in
      (graph.parameters[index].name, load(ParameterID(index: index), from: parameters.gradients))
    }
  }
}

extension Graph {
  /// At least one.
  package var networkOutputs: [Network.Output] {
    outputs.map { Network.Output(name: $0.name, shape: shape(of: $0.value)) }
  }
}
