import OctNetSupport

/// Records operations while layers are applied to symbolic features.
///
/// Layers name their parameters relative to themselves; the builder keeps the stack of layer names, so that nested
/// layers give PyTorch's dotted names.
public final class GraphBuilder {
  var graph = Graph()
  private var scopes: [String] = []
  /// The 2×2 average of each value that has one.
  var pooled: [ValueID: ValueID] = [:]
  private var parameterNames: Set<String> = []
  private var targets = 0

  init() {}

  /// Dotted path of the layer being applied.
  public var path: String { scopes.joined(separator: ".") }

  /// Names what `body` records below the current layer; an empty name adds nothing.
  public func scoped<Result>(_ name: String, _ body: () throws -> Result) rethrows -> Result {
    guard !name.isEmpty else { return try body() }
    scopes.append(name)
    defer { scopes.removeLast() }
    return try body()
  }

  /// An error of the layer that is being applied: the shapes or settings found, and the rule.
  public func error(_ problem: String) -> OctNetError { .graph(layer: path, problem) }

  private func dotted(_ name: String) -> String { (scopes + [name]).joined(separator: ".") }

  func addInput(_ shape: MapShape) -> SymbolicMap {
    let map = addValue(shape)
    graph.input = map.id
    return map
  }

  private func addValue(_ shape: MapShape) -> SymbolicMap {
    graph.values.append(.init(shape: shape))
    return SymbolicMap(builder: self, id: ValueID(index: graph.values.count - 1))
  }

  /// Records an operation on these maps.
  /// - Throws: `OctNetError.graph` where the operation refuses them.
  package func record(_ operation: any Operation, _ inputs: [SymbolicMap]) throws(OctNetError) -> SymbolicMap
  {
    let shape: MapShape
    do {
      shape = try operation.outputShape(inputs.map(\.shape))
    } catch {
      guard case .graph(layer: "", let problem) = error else { throw error }
      throw self.error(problem)
    }
    let output = addValue(shape)
    graph.nodes.append(
      .init(operation: operation, inputs: inputs.map(\.id), output: output.id, path: path))
    return output
  }

  /// A parameter of the layer that is being applied.
  ///
  /// - Parameters:
  ///   - initializer: how it starts.
  ///   - kind: what it is for.
  ///   - name: its name below the layer's path, such as `weight`.
  ///   - shape: as in the state dictionary.
  ///   - layout: how it lies in memory; nil where that is the order of the state dictionary.
  ///   - isFrozen: whether training leaves it as it is (`Network.freeze`).
  /// - Throws: `OctNetError.graph` where the network has a parameter of this name already.
  public func addParameter(
    _ name: String, _ kind: ParameterKind, shape: [Int], _ initializer: Initializer,
    layout: (any ParameterLayout)? = nil, isFrozen: Bool = false
  ) throws -> ParameterID {
    try addParameter(name, kind, shape: shape, initializer, layout: layout, isFrozen: isFrozen, target: nil)
  }

  /// A map that filters write to, for `FilterTarget`.
  func addTarget() -> Int {
    defer { targets += 1 }
    return targets
  }

  func addParameter(
    _ name: String, _ kind: ParameterKind, shape: [Int], _ initializer: Initializer,
    layout: (any ParameterLayout)?, isFrozen: Bool, target: FilterTarget?
  ) throws -> ParameterID {
    let full = dotted(name)
    guard parameterNames.insert(full).inserted else {
      throw error(
        "parameter \(full) exists already; give each layer a name of its own (found twice, expected once)")
    }
    graph.parameters.append(
      Parameter(
        name: full, kind: kind, shape: shape, initializer: initializer, layout: layout, isFrozen: isFrozen,
        target: target))
    let id = ParameterID(index: graph.parameters.count - 1)
    graph.stateSlots.append(.parameter(id))
    return id
  }

  /// A running statistic of the layer that is being applied; the state dictionary has it under this name below the path.
  public func addBuffer(_ name: String, count: Int, initial: Float) -> BufferID {
    graph.buffers.append(StateBuffer(name: dotted(name), count: count, initial: initial))
    let id = BufferID(index: graph.buffers.count - 1)
    graph.stateSlots.append(.buffer(id))
    return id
  }

  /// A number that counts training steps in the state dictionary, such as `num_batches_tracked` of PyTorch's norms.
  public func addCounter(_ name: String) {
    graph.stateSlots.append(.counter(name: dotted(name), index: graph.counters))
    graph.counters += 1
  }

  /// The finished graph: only nodes that the outputs depend on.
  func finish(outputs: [Graph.Output]) -> Graph {
    var result = graph
    result.outputs = outputs
    var needed = Set(outputs.map(\.value))
    var kept: [Graph.Node] = []
    for node in result.nodes.reversed() where needed.contains(node.output) {
      needed.formUnion(node.inputs)
      kept.append(node)
    }
    result.nodes = kept.reversed()
    return result
  }
}

extension Graph {
  /// Records what `body` does to a symbolic input of `inputShape`. No memory is allocated.
  ///
  /// - Throws: what `body` throws; `OctNetError.graph` where its output still has two octaves.
  public init(inputShape: MapShape, body: (OctFeature) throws -> OctFeature) throws {
    try self.init(inputShape: inputShape) { x in
      let output = try OctFeature(body(x).plain(for: "the network's output"))
      return [(name: "output", feature: output)]
    }
  }

  /// The same for a network of several outputs: maps of any size, some of which may be on the way to others. An octave
  /// feature gives two, `name.high` and `name.low`, or the one of them that it has.
  ///
  /// ```swift
  /// let graph = try Graph(inputShape: shape) { x in
  ///   let stem = try stem(x)
  ///   return [("logits", try head(stem)), ("stem", stem)]
  /// }
  /// ```
  ///
  /// - Throws: what `body` throws; `OctNetError.graph` for outputs without a name of their own, for one map under two names,
  ///   and for the input itself.
  public init(
    inputShape: MapShape, outputs body: (OctFeature) throws -> [(name: String, feature: OctFeature)]
  ) throws {
    try Machine.checkEnvironment()
    let builder = GraphBuilder()
    guard inputShape.height > 0, inputShape.width > 0, inputShape.channels > 0 else {
      throw builder.error("the input needs at least one pixel and channel, found \(inputShape)")
    }
    let outputs = try body(OctFeature(builder.addInput(inputShape))).flatMap { name, feature in
      precondition(feature.builder === builder, "an output of another network")
      let maps = [
        (feature.low == nil ? name : name + ".high", feature.high), (name + ".low", feature.low),
      ]
      return maps.compactMap { name, map in map.map { Graph.Output(name: name, value: $0.id) } }
    }
    guard let first = outputs.first else { throw builder.error("the network has no output") }
    for (index, output) in outputs.enumerated() {
      guard !output.name.isEmpty, output.value != builder.graph.input else {
        throw builder.error(
          output.name.isEmpty
            ? "output \(index + 1) has no name" : "the network has no layers before \(output.name)")
      }
      if let other = outputs[..<index].first(where: { $0.name == output.name || $0.value == output.value }) {
        throw builder.error(
          other.name == output.name
            ? "two outputs are called \(output.name)" : "\(other.name) and \(output.name) are the same map")
      }
    }
    self = builder.finish(outputs: outputs)
    precondition(isOutput(first.value) && !nodes.isEmpty)
  }
}

/// A feature map that will exist when the network runs.
public struct SymbolicMap {
  /// What records the operations on it.
  public let builder: GraphBuilder
  let id: ValueID

  /// Of one image.
  public var shape: MapShape { builder.graph.shape(of: id) }

  /// The output of an operation on this map and more of the same network.
  /// - Throws: `OctNetError.graph` where the operation refuses their shapes.
  /// - Precondition: all maps are of one network.
  public func applying(_ operation: some Operation, _ more: SymbolicMap...) throws(OctNetError) -> SymbolicMap
  {
    precondition(more.allSatisfy { $0.builder === builder }, "maps of different networks do not meet")
    return try builder.record(operation, [self] + more)
  }
}
