extension Graph {
  /// Whether both compute the same from the same seed: equal operations in equal order on equal maps, with equal names,
  /// shapes and initial values of the parameters that they read. Parameters that no output depends on, such as those of low
  /// maps without a way to the classifier, make no difference.
  package func isSameNetwork(as other: Graph) -> Bool { steps == other.steps && ends == other.ends }

  private struct Step: Equatable {
    var kind: String
    var macs: Int
    var inputs: [Int]
    var output: MapShape
    var names: [String]
    var shapes: [[Int]]
    var initializers: [Initializer]
  }

  /// The nodes with their inputs by position: numbers of maps and parameters count those that are not read, too.
  private var steps: [Step] {
    let positions = positions
    return nodes.map { node in
      let read = node.operation.parameters.map { parameters[$0.index] }
      return Step(
        kind: node.operation.kind, macs: node.operation.macs, inputs: node.inputs.map { positions[$0] ?? -1 },
        output: shape(of: node.output), names: read.map(\.name), shapes: read.map(\.shape),
        initializers: read.map(\.initializer))
    }
  }

  private var ends: [Int?] {
    let positions = positions
    return outputs.map { positions[$0.value] }
  }

  private var positions: [ValueID: Int] {
    var positions = [input: 0]
    for (index, node) in nodes.enumerated() { positions[node.output] = index + 1 }
    return positions
  }
}
