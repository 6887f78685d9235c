import OctNetCore
import OctNetSupport

/// Where a channel of a map comes from: a channel of an ordinary layer's output. Layer −1 is the image.
struct ChannelLabel: Hashable {
  let layer, channel: Int
}

/// The labels of the channels of each map of a network, node by node: what concatenations and groups make of the order of
/// channels needs no rule of its own.
struct ChannelTrace {
  private let graph: Graph
  private var labels: [ValueID: [ChannelLabel]]

  init(_ graph: Graph) {
    self.graph = graph
    let image = graph.shape(of: graph.input).channels
    labels = [graph.input: (0..<image).map { ChannelLabel(layer: -1, channel: $0) }]
  }

  /// Of the channels that a node reads, those of several inputs side by side.
  func inputs(of node: Int) -> [ChannelLabel] {
    graph.nodes[node].inputs.flatMap { labels[$0] ?? [] }
  }

  mutating func set(_ channels: [ChannelLabel], of node: Int) { labels[graph.nodes[node].output] = channels }

  /// A node without parameters keeps the channels of its first input; those of a sum or a gate agree.
  mutating func pass(_ node: Int) throws(OctNetError) {
    let node = graph.nodes[node]
    if case .concatenation? = node.operation.knownForm {
      labels[node.output] = node.inputs.flatMap { labels[$0] ?? [] }
      return
    }
    let all = node.inputs.map { labels[$0] ?? [] }
    guard let first = all.first, all.allSatisfy({ $0.map(\.channel) == first.map(\.channel) }) else {
      throw .graph(layer: node.path, "adds channels that are not the same ones of the ordinary network")
    }
    labels[node.output] = first
  }

  /// The layers whose channels meet in a sum or a gate.
  private func ties(of node: Int) -> [[Int]] {
    let node = graph.nodes[node]
    guard node.inputs.count > 1 else { return [] }
    if case .concatenation? = node.operation.knownForm { return [] }
    let all = node.inputs.map { labels[$0] ?? [] }
    guard let length = all.map(\.count).min() else { return [] }
    let ties = (0..<length).map { position in
      Set(all.map { $0[position].layer }.filter { $0 >= 0 }).sorted()
    }
    return Set(ties).filter { $0.count > 1 }.sorted { $0[0] < $1[0] }
  }

  /// The labels of what each layer of an ordinary network reads, and how many groups read what it gives.
  static func ordinary(
    _ graph: Graph, _ layers: [NetworkLayer]
  ) throws(OctNetError) -> (inputs: [[ChannelLabel]], groups: [Int]) {
    var trace = ChannelTrace(graph)
    var inputs = Array(repeating: [ChannelLabel](), count: layers.count)
    var groups = Array(repeating: 1, count: layers.count)
    // Layers whose channels are added or gated, one to one, are divided alike.
    var ties: [[Int]] = []
    let places = Dictionary(
      layers.enumerated().flatMap { place, layer in layer.paths.map { ($0.node, place) } },
      uniquingKeysWith: { first, _ in first })
    for node in graph.nodes.indices {
      guard let place = places[node] else {
        try trace.pass(node)
        ties += trace.ties(of: node)
        continue
      }
      let layer = layers[place]
      inputs[place] = trace.inputs(of: node)
      if layer.isNorm || layer.isDepthwise {
        trace.set(inputs[place], of: node)
        continue
      }
      trace.set((0..<layer.outputs).map { ChannelLabel(layer: place, channel: $0) }, of: node)
      if layer.groups > 1 {
        groups[place] = layer.groups
        for label in inputs[place] where label.layer >= 0 { groups[label.layer] = layer.groups }
      }
    }
    var isSettled = false
    while !isSettled {
      isSettled = true
      for tie in ties {
        let most = tie.reduce(1) { max($0, groups[$1]) }
        for layer in tie where groups[layer] < most {
          groups[layer] = most
          isSettled = false
        }
      }
    }
    return (inputs, groups)
  }
}
