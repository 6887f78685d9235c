import OctNetSupport

/// Finds the dictionary of tensors in what a PyTorch file holds, which is that itself or a training's whole state.
struct StateSearch {
  /// Keys below which trainers keep the weights, the one to take first.
  static let wrappers = [
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "weights", "params",
    "generator", "ema", "state_dict_ema", "model_ema", "ema_state_dict",
  ]
  private static let maximumDepth = 8

  /// Keys that were gone through, from outside in.
  private(set) var path: [String] = []
  private(set) var tensors: [(name: String, tensor: Int)] = []
  /// Keys that hold tensors, too, and were not gone through.
  private(set) var others: [String] = []
  /// Keys beside the tensors that hold something else.
  private(set) var leftOut: [String] = []
  private let machine: PickleMachine

  /// - Throws: `OctNetError.file` where there are no tensors under names.
  init(_ root: PickleValue, in machine: PickleMachine, file: String) throws(OctNetError) {
    self.machine = machine
    var current = root
    while true {
      guard case .dictionary(let index) = current else {
        throw OctNetError.file(
          path: file, "\(place): expected a dictionary of tensors, found \(current.kind)")
      }
      let members = named(machine.dictionaries[index])
      if let repeated = members.repeated {
        throw OctNetError.file(
          path: file, "\(place): \"\(StateMismatch.shortened(repeated))\" is there twice")
      }
      if let inner = inner(members.pairs), path.count < Self.maximumDepth {
        others += inner.others
        path.append(inner.key)
        current = inner.value
        continue
      }
      take(members.pairs)
      guard !tensors.isEmpty else {
        let keys = members.pairs.prefix(5).map { "\"\(StateMismatch.shortened($0.key))\"" }
        throw OctNetError.file(
          path: file,
          "\(place): expected tensors under names, found \(keys.isEmpty ? "an empty dictionary" : keys.joined(separator: ", "))"
        )
      }
      return
    }
  }

  private var place: String {
    path.isEmpty
      ? "what was saved" : path.map { "\"\(StateMismatch.shortened($0))\"" }.joined(separator: " → ")
  }

  /// What was seen through and left out, a line each.
  var notes: [String] {
    var notes: [String] = []
    if !path.isEmpty {
      let also = others.prefix(3).map { "\"\(StateMismatch.shortened($0))\"" }.joined(separator: ", ")
      notes.append(
        "weights under \(place)" + (others.isEmpty ? "" : "; not taken, though there are tensors: \(also)"))
    }
    if let list = StateMismatch.list(leftOut, "without a tensor left out") { notes.append(list) }
    return notes
  }

  private func named(
    _ pairs: [(key: PickleValue, value: PickleValue)]
  ) -> (pairs: [(key: String, value: PickleValue)], repeated: String?) {
    var result: [(key: String, value: PickleValue)] = []
    var seen: Set<String> = []
    var repeated: String?
    for (key, value) in pairs {
      guard case .text(let name) = key else { continue }
      if !seen.insert(name).inserted { repeated = name }
      result.append((name, value))
    }
    return (result, repeated)
  }

  /// The dictionary to go on with: a wrapper's, or the only one with tensors.
  private func inner(
    _ pairs: [(key: String, value: PickleValue)]
  ) -> (key: String, value: PickleValue, others: [String])? {
    let dictionaries = pairs.filter { holdsTensors($0.value, depth: 0) }
    // Beside tensors under names, a dictionary is something else.
    guard
      !pairs.contains(where: { if case .tensor = $0.value { true } else { false } }) || dictionaries.isEmpty
    else {
      guard let wrapper = Self.wrappers.lazy.compactMap({ key in dictionaries.first { $0.key == key } }).first
      else { return nil }
      return (wrapper.key, wrapper.value, [])
    }
    for key in Self.wrappers {
      guard let found = dictionaries.first(where: { $0.key == key }) else { continue }
      let others = dictionaries.map(\.key).filter { $0 != key && Self.wrappers.contains($0) }
      return (key, found.value, others)
    }
    guard dictionaries.count == 1 else { return nil }
    return (dictionaries[0].key, dictionaries[0].value, [])
  }

  /// A dictionary with a tensor in it, or in one of a wrapper's.
  private func holdsTensors(_ value: PickleValue, depth: Int) -> Bool {
    guard case .dictionary(let index) = value, depth < 2 else { return false }
    return machine.dictionaries[index].contains { key, value in
      if case .tensor = value { return true }
      guard case .text(let name) = key, Self.wrappers.contains(name) else { return false }
      return holdsTensors(value, depth: depth + 1)
    }
  }

  private mutating func take(_ pairs: [(key: String, value: PickleValue)]) {
    for (key, value) in pairs {
      if case .tensor(let index) = value { tensors.append((key, index)) } else { leftOut.append(key) }
    }
  }
}
