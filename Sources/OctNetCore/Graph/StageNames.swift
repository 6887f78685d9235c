extension Graph {
  /// The part of the network that each node belongs to, from the layers' paths.
  ///
  /// A layer with layers inside is a stage: `layer1`. Where one layer holds all the others of that kind, such as `features` of
  /// torchvision's networks, the layers in it are the stages: `denseblock1`. Of those, layers that are called by numbers are
  /// one stage as long as their outputs have the same size: `features.2-3`. Single layers before and after all stages are
  /// `stem` and `head`, between them stages of their own. What has no name belongs to what is in front of it.
  func stageNames() -> [String] {
    let paths = nodes.map { $0.path.split(separator: ".") }
    let container = Self.container(of: paths)
    let depth = container == nil ? 0 : 1
    var keys = paths.map { path -> Substring? in
      guard path.count > depth, container == nil || path[0] == container else { return nil }
      return path.count > depth + 1 || container != nil && Self.isNumber(path[1]) ? path[depth] : nil
    }
    // What a stage does itself, such as a pool at its end.
    let stages = Set(keys.compactMap { $0 })
    for (index, path) in paths.enumerated() where path.count == depth + 1 {
      let isInside = container == nil || path[0] == container
      if isInside && stages.contains(path[depth]) { keys[index] = path[depth] }
    }
    guard let first = keys.firstIndex(where: { $0 != nil }), let last = keys.lastIndex(where: { $0 != nil })
    else { return Array(repeating: "stem", count: nodes.count) }

    let numbered = container.map { numberedStages(keys, in: $0) } ?? [:]
    var names: [String] = []
    for (index, path) in paths.enumerated() {
      if let key = keys[index] {
        names.append(numbered[key] ?? String(key))
      } else if index < first {
        names.append("stem")
      } else if index > last {
        names.append("head")
      } else if let name = path.last, path.count > 1 || name != container {
        names.append(String(name))
      } else {
        names.append(names[index - 1])
      }
    }
    return names
  }

  /// The layer in which all layers are that have layers inside, but for a last one such as `classifier.1`.
  private static func container(of paths: [[Substring]]) -> Substring? {
    var children: [Substring: Set<Substring>] = [:]
    for path in paths where path.count > 1 { children[path[0], default: []].insert(path[1]) }
    let holders = children.filter { $0.value.count > 1 }
    guard holders.count == 1, let holder = holders.first else { return nil }
    let deep = paths.filter { $0.count > 2 }
    guard deep.allSatisfy({ $0[0] == holder.key }) else { return nil }
    // Single layers inside make it a stage.
    return deep.isEmpty && !holder.value.contains(where: isNumber) ? nil : holder.key
  }

  private static func isNumber(_ name: Substring) -> Bool { name.allSatisfy(\.isWholeNumber) }

  /// Names of the stages that layers called by numbers are in.
  private func numberedStages(_ keys: [Substring?], in container: Substring) -> [Substring: String] {
    let consumers = consumers()
    // Of what others read, the octave of full resolution.
    var pixels: [Substring: Int] = [:]
    var order: [Substring] = []
    for (index, node) in nodes.enumerated() {
      guard let key = keys[index] else { continue }
      if order.last != key { order.append(key) }
      if isOutput(node.output) || consumers[node.output.index].contains(where: { keys[$0] != key }) {
        let shape = shape(of: node.output)
        pixels[key] = max(pixels[key] ?? 0, shape.height * shape.width)
      }
    }
    var names: [Substring: String] = [:]
    var start = 0
    for (position, key) in order.enumerated() where Self.isNumber(key) {
      let goesOn =
        position > 0 && Self.isNumber(order[position - 1]) && pixels[order[position - 1]] == pixels[key]
      if !goesOn { start = position }
      for member in order[start...position] {
        names[member] =
          start == position ? "\(container).\(key)" : "\(container).\(order[start])-\(key)"
      }
    }
    return names
  }
}
