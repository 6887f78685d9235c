import OctNetCore
import OctNetSupport

/// A node with parameters, as slicing sees it.
struct LayerPath {
  enum Kind {
    /// Every output channel reads every input channel of its group.
    case convolution(groups: Int, kernel: [Int])
    case linear
    case batchNorm(epsilon: Float)
    case other
  }

  /// Index in `Graph.nodes`.
  let node: Int
  let kind: Kind
  /// Of the keys of its parameters, the last dot included.
  let prefix: String
  let inputs, outputs: Int
  /// Whether it reads, and writes, a low map.
  let readsLow, writesLow: Bool
}

/// A layer of a network: one node, or the paths of an octave layer.
struct NetworkLayer {
  var paths: [LayerPath]
  let name: String

  /// Channels of the maps that its paths write.
  var high: Int { paths.first { !$0.writesLow }?.outputs ?? 0 }
  var low: Int { paths.first { $0.writesLow }?.outputs ?? 0 }
  /// Channels of the maps that its paths read.
  var inputs: Int {
    (paths.first { !$0.readsLow }?.inputs ?? 0) + (paths.first { $0.readsLow }?.inputs ?? 0)
  }
  var outputs: Int { high + low }

  /// Groups, where each output channel does not read all inputs; 1 elsewhere.
  var groups: Int {
    if case .convolution(let groups, _) = paths[0].kind { return groups }
    return 1
  }
  /// One input channel for each output channel. Asked of ordinary networks: a path of one channel could be either.
  var isDepthwise: Bool { groups > 1 && groups == inputs && groups == outputs }
  var isNorm: Bool {
    if case .batchNorm = paths[0].kind { return true }
    return false
  }

  /// Whether this layer of an octave network is that layer of the ordinary one. Paths that a network leaves out take
  /// inputs away, and low maps that nothing reads any more.
  func isOctave(of ordinary: NetworkLayer) -> Bool {
    guard outputs <= ordinary.outputs, inputs <= ordinary.inputs else { return false }
    switch (paths[0].kind, ordinary.paths[0].kind) {
    case (.convolution(_, let kernel), .convolution(_, let other)): return kernel == other
    case (.linear, .linear), (.batchNorm, .batchNorm): return true
    default: return false
    }
  }

  /// Whether it can be the identity.
  var canBeIdentity: Bool {
    guard case .convolution(1, [1, 1]) = paths[0].kind else { return isNorm }
    return outputs <= inputs && !paths.contains(where: \.readsLow)
  }

  /// All layers in the order of the graph.
  static func all(of graph: Graph) throws(OctNetError) -> [NetworkLayer] {
    var layers: [NetworkLayer] = []
    var places: [String: Int] = [:]
    for (index, node) in graph.nodes.enumerated() where !node.operation.parameters.isEmpty {
      let path = try path(of: node, index, in: graph)
      let name = layerName(path.prefix)
      if let place = places[name] {
        layers[place].paths.append(path)
      } else {
        places[name] = layers.count
        layers.append(NetworkLayer(paths: [path], name: name))
      }
    }
    return layers
  }

  private static func path(of node: Graph.Node, _ index: Int, in graph: Graph) throws(OctNetError)
    -> LayerPath
  {
    let kind: LayerPath.Kind
    switch node.operation.knownForm {
    case .convolution(let geometry, _, _):
      kind = .convolution(groups: geometry.groups, kernel: [geometry.kernelHeight, geometry.kernelWidth])
    case .linear: kind = .linear
    case .batchNorm(_, _, _, _, let epsilon): kind = .batchNorm(epsilon: epsilon)
    default: kind = .other
    }
    guard case let names = node.operation.parameters.map({ graph.parameters[$0.index].name }),
      let name = names.first, let dot = name.lastIndex(of: ".")
    else { throw .graph(layer: node.path, "a layer without a name has no place in another network") }
    let prefix = String(name[...dot])
    let ends = octaves(prefix)
    return LayerPath(
      node: index, kind: kind, prefix: prefix,
      inputs: node.inputs.reduce(0) { $0 + graph.shape(of: $1).channels },
      outputs: graph.shape(of: node.output).channels, readsLow: ends.reads, writesLow: ends.writes)
  }

  /// `layer1.0.conv1.conv.conv_h2l.` → `layer1.0.conv1.conv`.
  private static func layerName(_ prefix: String) -> String {
    var parts = prefix.split(separator: ".")
    guard let last = parts.last else { return "" }
    if ["conv_h2h", "conv_h2l", "conv_l2h", "conv_l2l", "bn_h", "bn_l"].contains(last) {
      parts.removeLast()
    } else if last.hasSuffix("_h") || last.hasSuffix("_l") {
      parts[parts.count - 1] = last.dropLast(2)
    }
    return parts.joined(separator: ".")
  }

  private static func octaves(_ prefix: String) -> (reads: Bool, writes: Bool) {
    let last = prefix.split(separator: ".").last ?? ""
    switch last {
    case "conv_h2l": return (false, true)
    case "conv_l2h": return (true, false)
    case "conv_l2l": return (true, true)
    case "bn_l": return (true, true)
    // Gates of the low map, of what both maps together say.
    default: return (false, last.hasSuffix("_l"))
    }
  }
}
