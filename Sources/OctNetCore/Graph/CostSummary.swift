/// What a network costs for one image, stage by stage.
public struct CostSummary: Codable, Equatable, Sendable {
  /// What a part of the network costs.
  public struct Row: Codable, Equatable, Sendable {
    /// A part of the state dictionary, such as `layer1` or `denseblock1`, or several of the same resolution, such as
    /// `features.2-3`; `stem` and `head` for what stands before and after.
    public let name: String
    /// Trainable numbers.
    public internal(set) var parameters = 0
    /// Multiply–accumulates of convolutions and linear layers, border taps counted as in the literature.
    public internal(set) var macs = 0
    /// Bytes of all float32 maps that are computed, normalisations and additions joined as in training.
    public internal(set) var activationBytes = 0
  }

  /// By the layers' paths, in order.
  public let stages: [Row]
  /// Over all stages.
  public let total: Row
}

extension Graph {
  /// Costs for one image, stage by stage.
  public func costSummary() -> CostSummary {
    let graph = fused(for: .trainingForward)
    var rows: [CostSummary.Row] = []
    for (node, name) in zip(graph.nodes, graph.stageNames()) {
      let row = rows.firstIndex { $0.name == name } ?? rows.endIndex
      if row == rows.endIndex { rows.append(.init(name: name)) }
      rows[row].macs += node.operation.macs
      rows[row].parameters += node.operation.parameters.map { parameters[$0.index].count }.reduce(0, +)
      rows[row].activationBytes += shape(of: node.output).count * MemoryLayout<Float>.stride
    }
    var total = CostSummary.Row(name: "total")
    for row in rows {
      total.macs += row.macs
      total.parameters += row.parameters
      total.activationBytes += row.activationBytes
    }
    return CostSummary(stages: rows, total: total)
  }
}
