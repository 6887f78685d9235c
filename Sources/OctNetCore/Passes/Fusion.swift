extension GraphPass {
  /// conv + conv and conv + up2(low) become one accumulation; neither the summands nor the upsampled map ever exist.
  ///
  /// These are the two sums of an octave convolution (paper, equation 2).
  static let joiningConvolutions = GraphPass(name: "joining convolutions") { graph in
    let uses = GraphUses(graph)
    var replaced = Set<Int>()
    var joined: [Int: Graph.Node] = [:]

    for (index, node) in graph.nodes.enumerated() {
      guard case .addition = node.operation.role.kind, node.inputs[0] != node.inputs[1],
        let first = uses.onlyProducer(of: node.inputs[0]), let second = uses.onlyProducer(of: node.inputs[1])
      else { continue }
      let sum: (any JoinableConvolution)?
      let sources: [Int]
      switch (graph.nodes[first].operation.role.kind, graph.nodes[second].operation.role.kind) {
      case (.convolution(let a), .convolution(let b)):
        (sum, sources) = (a.adding(b), [first, second])
      case (.convolution(let conv), .upsampling):
        let low = graph.shape(of: graph.nodes[second].inputs[0])
        (sum, sources) = (conv.adding(upsampled: low), [first, second])
      case (.upsampling, .convolution(let conv)):
        let low = graph.shape(of: graph.nodes[first].inputs[0])
        (sum, sources) = (conv.adding(upsampled: low), [second, first])
      default: continue
      }
      guard let sum else { continue }
      joined[index] = Graph.Node(
        operation: sum, inputs: sources.flatMap { graph.nodes[$0].inputs }, output: node.output,
        path: node.path)
      replaced.formUnion(sources)
    }
    return graph.replacing(replaced, with: joined)
  }

  /// norm → activation and norm → addition → activation become one pass over memory.
  ///
  /// Only where nothing else reads the maps in between, and where the other summand exists before the norm runs or
  /// can: nodes keep their order, the joined node takes the place of the last of its parts.
  static let joiningNorms = GraphPass(name: "joining norms") { graph in
    let uses = GraphUses(graph)
    var replaced = Set<Int>()
    var joined: [Int: Graph.Node] = [:]

    for (index, node) in graph.nodes.enumerated() {
      guard case .activation(let activation) = node.operation.role.kind,
        let source = uses.onlyProducer(of: node.inputs[0])
      else { continue }
      switch graph.nodes[source].operation.role.kind {
      case .norm(let norm):
        guard let result = norm.activated(by: activation) else { continue }
        joined[index] = Graph.Node(
          operation: result, inputs: graph.nodes[source].inputs, output: node.output,
          path: graph.nodes[source].path)
        replaced.insert(source)
      case .addition:
        guard let (place, norm, residual) = uses.norm(in: source, besides: replaced),
          let result = norm.addingResidual()?.activated(by: activation)
        else { continue }
        joined[index] = Graph.Node(
          operation: result, inputs: [graph.nodes[place].inputs[0], residual], output: node.output,
          path: graph.nodes[place].path)
        replaced.formUnion([source, place])
      default: continue
      }
    }
    return graph.replacing(replaced, with: joined)
  }

  /// conv → norm becomes one operation that normalises its sums before it writes them. Only with running statistics:
  /// those of a batch are not known before the sums are.
  ///
  /// - Parameter demand: of a training pass: only what needs no gradient is joined.
  static func foldingNorms(_ demand: GradientDemand? = nil) -> GraphPass {
    GraphPass(name: "folding norms") { graph in
      graph.joiningWithConvolutions(demand) { conv, follower, isDifferentiated in
        // What only rests keeps to the statistics of its batches.
        guard !isDifferentiated, case .norm(let norm) = follower.operation.role.kind,
          demand == nil || norm.isFrozen
        else { return nil }
        return conv.normalized(by: norm)
      }
    }
  }

  /// conv → activation becomes one operation, the bias included, where no norm stands between.
  ///
  /// - Parameter demand: of a training pass: where a gradient is wanted, only activations whose derivative follows from
  ///   the output are joined, and none of the network's outputs, whose gradients are not the convolution's to change.
  static func foldingActivations(_ demand: GradientDemand? = nil) -> GraphPass {
    GraphPass(name: "folding activations") { graph in
      graph.joiningWithConvolutions(demand) { conv, follower, isDifferentiated in
        guard case .activation(let activation) = follower.operation.role.kind,
          !isDifferentiated || activation.keepsOutput && !graph.isOutput(follower.output)
        else { return nil }
        return conv.activated(by: activation)
      }
    }
  }
}

extension Graph {
  /// Takes each node into the convolution in front of it, where nothing else reads what is between them and `join` knows
  /// how. It hears whether somebody wants the gradient of what is joined.
  fileprivate func joiningWithConvolutions(
    _ demand: GradientDemand?,
    _ join: (any JoinableConvolution, Node, _ isDifferentiated: Bool) -> (any JoinableConvolution)?
  ) -> Graph {
    let uses = GraphUses(self)
    let needsGradient = demand?.values(of: self)
    var replaced = Set<Int>()
    var joined: [Int: Node] = [:]
    for (index, node) in nodes.enumerated() {
      guard let first = node.inputs.first, let source = uses.onlyProducer(of: first),
        case .convolution(let conv) = nodes[source].operation.role.kind,
        let result = join(conv, node, needsGradient?[node.output.index] == true)
      else { continue }
      joined[index] = Node(
        operation: result, inputs: nodes[source].inputs + node.inputs.dropFirst(), output: node.output,
        path: nodes[source].path)
      replaced.insert(source)
    }
    return replacing(replaced, with: joined)
  }

  /// The node that produces each value.
  func producers() -> [Int?] {
    var table = [Int?](repeating: nil, count: values.count)
    for (index, node) in nodes.enumerated() { table[node.output.index] = index }
    return table
  }
}

extension GraphUses {
  /// The summand of an addition that a norm makes for it alone, and the other summand.
  fileprivate func norm(
    in addition: Int, besides replaced: Set<Int>
  ) -> (place: Int, norm: any JoinableNorm, residual: ValueID)? {
    let inputs = graph.nodes[addition].inputs
    guard inputs[0] != inputs[1] else { return nil }
    for (candidate, other) in [(inputs[0], inputs[1]), (inputs[1], inputs[0])] {
      if let place = onlyProducer(of: candidate), !replaced.contains(place),
        case .norm(let norm) = graph.nodes[place].operation.role.kind,
        // One pass cannot write both of a map's gradients.
        graph.nodes[place].inputs[0] != other
      {
        return (place, norm, other)
      }
    }
    return nil
  }
}
