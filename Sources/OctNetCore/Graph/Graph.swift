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

  public internal(set) var values: [Value] = []
  public internal(set) var nodes: [Node] = []
  public internal(set) var parameters: [Parameter] = []
  public internal(set) var buffers: [StateBuffer] = []
  public internal(set) var stateSlots: [StateSlot] = []
  public internal(set) var counters = 0
  public internal(set) var input = ValueID(index: 0)
  public internal(set) var output = ValueID(index: 0)

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
