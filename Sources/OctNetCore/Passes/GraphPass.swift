/// A graph made from a graph: the same outputs within rounding, by other operations.
struct GraphPass: Sendable {
  let name: String
  let apply: @Sendable (Graph) -> Graph
}

/// Joins operations that share their memory traffic. Models never mention it; results agree with the unfused
/// graph within rounding.
extension Graph {
  /// The fused graph for a pass.
  package func fused(for pass: Pass) -> Graph {
    Self.passes(for: pass).reduce(self) { $1.apply($0) }
  }

  static func passes(for pass: Pass) -> [GraphPass] {
    [.joiningConvolutions, .joiningNorms] + (pass == .inference ? [.foldingNorms, .foldingActivations] : [])
  }

  func replacing(_ removed: Set<Int>, with joined: [Int: Node]) -> Graph {
    var result = self
    result.nodes = nodes.indices.compactMap { index in
      removed.contains(index) ? nil : joined[index] ?? nodes[index]
    }
    return result
  }
}

/// Who makes each value, and who reads it.
struct GraphUses {
  let graph: Graph
  /// The nodes that read each value.
  let consumers: [[Int]]
  /// The node that makes each value; none makes the input.
  let producers: [Int?]

  init(_ graph: Graph) {
    self.graph = graph
    consumers = graph.consumers()
    producers = graph.producers()
  }

  /// The node that makes a value which one input of one node reads, and nobody else; nil for outputs of the network.
  func onlyProducer(of value: ValueID) -> Int? {
    value != graph.output && consumers[value.index].count == 1 ? producers[value.index] : nil
  }
}
