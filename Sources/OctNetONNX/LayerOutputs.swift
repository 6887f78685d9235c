import OctNetCore
import OctNetSupport

extension Graph {
  /// What a layer, or a group of layers such as `layer3`, gives to the rest of the network: a map of this name, or the two of
  /// an octave feature as `name.high` and `name.low`.
  ///
  /// - Parameter layer: dotted path, as in front of the names of its parameters.
  /// - Throws: `OctNetError.configuration` for a name under which the network has nothing, and for layers that give several
  ///   features.
  func outputs(ofLayer layer: String) throws(OctNetError) -> [(name: String, value: ValueID)] {
    let isInside = nodes.map { Network.names(layer, $0.path) }
    guard !layer.isEmpty, isInside.contains(true) else {
      throw .configuration(
        key: "outputs", "the network has no layer \(layer); it has \(layerNames.joined(separator: ", "))")
    }
    var read = Set(outputs.map(\.value))
    for (node, isInside) in zip(nodes, isInside) where !isInside { read.formUnion(node.inputs) }
    let inside = zip(nodes, isInside).filter(\.1).map(\.0)
    let made = Set(inside.map(\.output))
    let all = inside.filter { read.contains($0.output) }
    // Averages of what the layer reads are made once, for it and for a layer beside it, and are no output of either.
    var averages: Set<ValueID> = []
    for node in inside {
      guard case .averagePool? = node.operation.knownForm else { continue }
      let input = node.inputs[0]
      if !made.contains(input) || averages.contains(input) { averages.insert(node.output) }
    }
    let own = all.map(\.output).filter { !averages.contains($0) }
    let given = own.isEmpty ? all.map(\.output) : own
    if given.count == 1 { return [(layer, given[0])] }
    let byHeight = given.sorted { shape(of: $0).height > shape(of: $1).height }
    guard given.count == 2, case let (high, low) = (shape(of: byHeight[0]), shape(of: byHeight[1])),
      high != low, low.height == (high.height + 1) / 2, low.width == (high.width + 1) / 2
    else {
      let shapes = given.map { shape(of: $0).description }.joined(separator: ", ")
      throw .configuration(
        key: "outputs",
        "\(layer) gives the rest of the network \(shapes), expected one map or the two of an octave feature"
      )
    }
    return [(layer + ".high", byHeight[0]), (layer + ".low", byHeight[1])]
  }

  /// First parts of the layers' paths, in order.
  private var layerNames: [String] {
    nodes.reduce(into: []) { names, node in
      let name = String(node.path.prefix { $0 != "." })
      if !name.isEmpty, !names.contains(name) { names.append(name) }
    }
  }
}
