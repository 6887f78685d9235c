/// Index of a feature map in `Graph.values`.
public struct ValueID: Hashable, Sendable {
  let index: Int
}

/// A network as data: feature maps, the operations between them in execution order, and the parameters they read.
///
/// Built once by `GraphBuilder`, then only read. Passes take a graph and return a graph or a table.
public struct Graph: Sendable {
  /// A feature map between two operations.
  public struct Value: Sendable {
    /// Of one image.
    public let shape: MapShape
  }

  /// An operation at its place in the network.
  public struct Node: Sendable {
    /// What it computes.
    public let operation: any Operation
    /// The maps it reads, in the operation's order.
    public let inputs: [ValueID]
    /// The map it writes.
    public let output: ValueID
    /// Dotted path of the layer that recorded the operation, such as `layer1.0.conv2`.
    public let path: String
  }

  /// A map that the network gives to its caller.
  public struct Output: Sendable {
    /// Unlike those of the others; the two maps of an octave feature are `name.high` and `name.low`.
    public let name: String
    /// The map, which a node makes.
    public let value: ValueID
  }

  /// All maps; a `ValueID` is an index.
  public internal(set) var values: [Value] = []
  /// In execution order.
  public internal(set) var nodes: [Node] = []
  /// A `ParameterID` is an index.
  public internal(set) var parameters: [Parameter] = []
  /// Running statistics; a `BufferID` is an index.
  public internal(set) var buffers: [StateBuffer] = []
  /// The lines of the state dictionary, in PyTorch's order.
  public internal(set) var stateSlots: [StateSlot] = []
  /// How many counters (`num_batches_tracked`) there are.
  public internal(set) var counters = 0
  /// The images.
  public internal(set) var input = ValueID(index: 0)
  /// At least one, each made by a node.
  public internal(set) var outputs: [Output] = []

  /// The first of the outputs, which are the logits of a classifier.
  public var output: ValueID { outputs[0].value }

  func isOutput(_ value: ValueID) -> Bool { outputs.contains { $0.value == value } }

  /// Shape of a map for one image.
  public func shape(of value: ValueID) -> MapShape { values[value.index].shape }

  /// The nodes that read each value.
  func consumers() -> [[Int]] {
    var table = Array(repeating: [Int](), count: values.count)
    for (index, node) in nodes.enumerated() {
      for input in node.inputs { table[input.index].append(index) }
    }
    return table
  }
}
