/// A value of a state dictionary.
public enum StateValue: Equatable, Sendable {
  case tensor(Tensor)
  /// `num_batches_tracked`, a 64-bit scalar in PyTorch.
  case counter(Int64)

  var shape: [Int] {
    switch self {
    case .tensor(let tensor): return tensor.shape
    case .counter: return []
    }
  }
}

/// Named parameters and running statistics in PyTorch's order, names and layouts.
public typealias StateDictionary = [(name: String, value: StateValue)]

extension Network {
  /// Everything `load` needs to restore this network: parameters (OIHW for convolutions) and running statistics.
  public func stateDictionary() -> StateDictionary {
    graph.stateSlots.map { slot in (name(of: slot), value(of: slot)) }
  }

  /// Replaces all parameters and running statistics.
  ///
  /// - Throws: `OctNetError.stateDictionary` with every missing, unexpected, repeated and misshaped key; then nothing
  ///   has been changed.
  public func load(_ state: StateDictionary) throws(OctNetError) {
    var given: [String: StateValue] = [:]
    var problems: [String] = []
    for (name, value) in state where given.updateValue(value, forKey: name) != nil {
      problems.append("repeated key \(name)")
    }
    var expected = Set<String>()
    for slot in graph.stateSlots {
      let name = name(of: slot)
      expected.insert(name)
      guard let value = given[name] else {
        problems.append("missing key \(name), expected shape \(shape(of: slot))")
        continue
      }
      if value.shape != shape(of: slot) || isCounter(slot) != value.isCounter {
        problems.append("\(name) has shape \(value.shape), expected \(shape(of: slot))")
      }
    }
    for (name, value) in state where !expected.contains(name) {
      problems.append("unexpected key \(name) of shape \(value.shape)")
    }
    guard problems.isEmpty else { throw .stateDictionary(problems) }

    for slot in graph.stateSlots {
      switch (slot, given[name(of: slot)]) {
      case (.parameter(let id), .tensor(let tensor)):
        tensor.values.withUnsafeBufferPointer { store($0, in: id) }
      case (.buffer(let id), .tensor(let tensor)):
        parameters.buffer(id).update(from: tensor.values, count: tensor.values.count)
      case (.counter(_, let index), .counter(let count)):
        counters[index] = count
      default:
        preconditionFailure("the shapes were checked above")
      }
    }
  }

  /// Replaces all parameters and running statistics by those of a network that was trained before, for fine-tuning: as
  /// `load`, but a classifier (PyTorch's `fc`) for another number of classes keeps this network's own values.
  ///
  /// - Returns: the keys that kept their values.
  /// - Throws: `OctNetError.stateDictionary` as `load`.
  public func loadPretrained(_ state: StateDictionary) throws(OctNetError) -> [String] {
    let own = Dictionary(
      stateDictionary().map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    var kept: [String] = []
    var fitting = state
    for (index, (name, value)) in state.enumerated() where name.hasPrefix("fc.") {
      guard let mine = own[name], mine.shape.first != value.shape.first,
        mine.shape.dropFirst() == value.shape.dropFirst()
      else { continue }
      fitting[index].value = mine
      kept.append(name)
    }
    try load(fitting)
    return kept
  }

  private func name(of slot: StateSlot) -> String {
    switch slot {
    case .parameter(let id): return graph.parameters[id.index].name
    case .buffer(let id): return graph.buffers[id.index].name
    case .counter(let name, _): return name
    }
  }

  private func shape(of slot: StateSlot) -> [Int] {
    switch slot {
    case .parameter(let id): return graph.parameters[id.index].shape
    case .buffer(let id): return [graph.buffers[id.index].count]
    case .counter: return []
    }
  }

  private func isCounter(_ slot: StateSlot) -> Bool {
    if case .counter = slot { return true }
    return false
  }

  private func value(of slot: StateSlot) -> StateValue {
    switch slot {
    case .parameter(let id):
      return .tensor(load(id, from: parameters.values))
    case .buffer(let id):
      let count = graph.buffers[id.index].count
      let values = Array(UnsafeBufferPointer(start: parameters.buffer(id), count: count))
      return .tensor(Tensor(shape: [count], values: values))
    case .counter(_, let index):
      return .counter(counters[index])
    }
  }
}

extension StateValue {
  var isCounter: Bool {
    if case .counter = self { return true }
    return false
  }
}
