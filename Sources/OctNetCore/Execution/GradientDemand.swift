/// Whose gradients a backward pass computes.
package struct GradientDemand: Sendable {
  /// Of each parameter: its gradient is not wanted. Empty where all are.
  package var isFrozen: [Bool] = []
  /// Whether that of the network's input is.
  package var input = false

  package init(isFrozen: [Bool] = [], input: Bool = false) {
    self.isFrozen = isFrozen
    self.input = input
  }

  /// The same, but that nobody asks for the gradients of these parameters.
  package func without(_ resting: Set<Int>) -> GradientDemand {
    guard !resting.isEmpty else { return self }
    var result = self
    for index in resting { result.isFrozen[index] = true }
    return result
  }

  func isTrained(_ parameter: ParameterID) -> Bool { isFrozen.isEmpty || !isFrozen[parameter.index] }

  /// Of each value: whether something wanted lies upstream. Gradients of the others are never computed.
  func values(of graph: Graph) -> [Bool] {
    var result = Array(repeating: false, count: graph.values.count)
    result[graph.input.index] = input
    for node in graph.nodes {
      result[node.output.index] =
        node.operation.parameters.contains(where: isTrained) || node.inputs.contains { result[$0.index] }
    }
    return result
  }
}
