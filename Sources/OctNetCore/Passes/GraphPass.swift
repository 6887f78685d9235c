/// A graph made from a graph: the same outputs within rounding, by other operations.
struct GraphPass: Sendable {
  let name: String
  let apply: @Sendable (Graph) -> Graph
}

/// Joins operations that share their memory traffic. Models never mention it; results agree with the unfused
/// graph within rounding.
extension Graph {
  /// The fused graph for a pass.
  ///
  /// - Parameter demand: in training: whose gradients are wanted. What lies below the first of them runs as in inference.
  package func fused(for pass: Pass, demand: GradientDemand = GradientDemand()) -> Graph {
    Self.passes(for: pass, demand: demand).reduce(self) { $1.apply($0) }
  }

  static func passes(for pass: Pass, demand: GradientDemand = GradientDemand()) -> [GraphPass] {
    let joining = [GraphPass.joiningConvolutions, .joiningNorms]
    if pass == .inference { return joining + [.foldingNorms(), .foldingActivations()] }
    return joining + [.foldingNorms(demand), .foldingActivations(demand)]
  }

  /// Norms that are not trained with running statistics: not a question of speed, so of unfused graphs too.
  package func freezingNorms(_ demand: GradientDemand) -> Graph {
    var result = self
    for (index, node) in nodes.enumerated() {
      guard case .norm(let norm) = node.operation.role.kind, !norm.parameters.isEmpty,
        !norm.parameters.contains(where: demand.isTrained)
      else { continue }
      result.nodes[index] = Node(
        operation: norm.frozen(), inputs: node.inputs, output: node.output, path: node.path)
    }
    return result
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
    !graph.isOutput(value) && consumers[value.index].count == 1 ? producers[value.index] : nil
  }
}
