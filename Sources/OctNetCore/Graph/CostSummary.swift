/// What a network costs for one image, stage by stage.
public struct CostSummary: Codable, Equatable, Sendable {
  /// What a part of the network costs.
  public struct Row: Codable, Equatable, Sendable {
    /// Top-level name of the state dictionary, such as `layer1`; `stem` and `head` for what stands before and after.
    public let name: String
    /// Trainable numbers.
    public internal(set) var parameters = 0
    /// Multiply–accumulates of convolutions and linear layers, border taps counted as in the literature.
    public internal(set) var macs = 0
    /// Bytes of all float32 maps that are computed, normalisations and additions joined as in training.
    public internal(set) var activationBytes = 0
  }

  /// By the first part of the layers' paths, in order.
  public let stages: [Row]
  /// Over all stages.
  public let total: Row
}

extension Graph {
  /// Costs for one image, stage by stage.
  public func costSummary() -> CostSummary {
    var rows: [CostSummary.Row] = []
    for node in fused(for: .trainingForward).nodes {
      let name = Self.stage(of: node.path, isFirst: rows.allSatisfy { $0.name == "stem" })
      if rows.last?.name != name { rows.append(.init(name: name)) }
      let last = rows.count - 1
      rows[last].macs += node.operation.macs
      rows[last].parameters += node.operation.parameters.map { parameters[$0.index].count }.reduce(0, +)
      rows[last].activationBytes += shape(of: node.output).count * MemoryLayout<Float>.stride
    }
    var total = CostSummary.Row(name: "total")
    for row in rows {
      total.macs += row.macs
      total.parameters += row.parameters
      total.activationBytes += row.activationBytes
    }
    return CostSummary(stages: rows, total: total)
  }

  /// A layer with layers inside is a stage; single layers before and after the stages are stem and head.
  private static func stage(of path: String, isFirst: Bool) -> String {
    guard let dot = path.firstIndex(of: ".") else { return isFirst ? "stem" : "head" }
    return String(path[..<dot])
  }
}
