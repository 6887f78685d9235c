import OctNetCore
import OctNetSupport

/// A value of a state dictionary.
public enum StateValue: Equatable, Sendable {
  /// A parameter or running statistic.
  case tensor(Tensor)
  /// `num_batches_tracked`, a 64-bit scalar in PyTorch.
  case counter(Int64)

  package var shape: [Int] {
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
  /// Strict as PyTorch's: every key must be there, with its shape, and no other. Only counters (`num_batches_tracked`)
  /// may be missing, as in files of before 2018 and of programs that drop them; those begin at 0.
  ///
  /// - Throws: `OctNetError.stateDictionary` with every missing, unexpected, repeated and misshaped key; then nothing
  ///   has been changed.
  public func load(_ state: StateDictionary) throws(OctNetError) {
    var fitting = fitting(state)
    fitting.countMissingCounters()
    try install(fitting)
  }

  /// As `load`, and with `strict` false as far as names agree: what the network has and the state has not keeps its values, what
  /// the state has and the network has not is left out, as PyTorch's `load_state_dict(strict=False)`. Shapes must fit.
  ///
  /// - Returns: what was kept (`keptKeys`) and what was left out (`leftKeys`).
  /// - Throws: `OctNetError.stateDictionary` for misshaped and repeated keys, and where no name agrees; with `strict` as
  ///   `load`. Then nothing has been changed.
  @discardableResult
  public func load(_ state: StateDictionary, strict: Bool) throws(OctNetError) -> LoadReport {
    var fitting = fitting(state)
    fitting.countMissingCounters()
    if !strict { fitting.leaveUnmatched() }
    return try install(fitting)
  }

  /// As `load`, for files of other programs: a prefix that all keys share (`module.`, `_orig_mod.`, …) is left out where
  /// the rest has the network's names; so is one below which the whole network is, with what is beside it.
  ///
  /// - Returns: what was done.
  /// - Throws: `OctNetError.stateDictionary` as `load`.
  @discardableResult
  public func loadUnwrapped(_ state: StateDictionary) throws(OctNetError) -> LoadReport {
    var fitting = fitting(state)
    fitting.stripPrefix()
    fitting.countMissingCounters()
    return try install(fitting)
  }

  /// Replaces all parameters and running statistics by those of a network that was trained before, for fine-tuning: as
  /// `loadUnwrapped`, but a classifier (PyTorch's `fc`) for another number of classes, or one that is not there, leaves
  /// this network's own values, and the first convolution of RGB images is summed for images of one channel.
  ///
  /// - Returns: what was done.
  /// - Throws: `OctNetError.stateDictionary` as `load`.
  @discardableResult
  public func loadPretrained(_ state: StateDictionary) throws(OctNetError) -> LoadReport {
    try loadPretrained(state, head: nil)
  }

  /// - Parameter match: what becomes of a classifier for as many classes; `nil` keeps it.
  func loadPretrained(_ state: StateDictionary, head match: HeadMatch?) throws(OctNetError) -> LoadReport {
    var fitting = fitting(state)
    fitting.stripPrefix()
    fitting.countMissingCounters()
    fitting.sumStem(stemWeight)
    fitting.leaveOtherHead()
    if let match { fitting.apply(match) }
    return try install(fitting)
  }

  private func fitting(_ state: StateDictionary) -> StateFitting {
    StateFitting(state, slots: StateFitting.slots(of: graph))
  }

  @discardableResult
  private func install(_ fitting: StateFitting) throws(OctNetError) -> LoadReport {
    if let mismatch = fitting.mismatch() { throw .stateDictionary(mismatch) }
    let given = Dictionary(
      fitting.state.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    for slot in graph.stateSlots {
      switch (slot, given[name(of: slot)]) {
      case (.parameter(let id), .tensor(let tensor)):
        tensor.values.withUnsafeBufferPointer { store($0, in: id) }
      case (.buffer(let id), .tensor(let tensor)):
        parameters.buffer(id).update(from: tensor.values, count: tensor.values.count)
      case (.counter(_, let index), .counter(let count)):
        counters[index] = count
      case (.counter(let name, let index), nil):
        if !fitting.report.keptKeys.contains(name) { counters[index] = 0 }
      case (_, nil):
        break  // a classifier that keeps its own values
      default:
        preconditionFailure("the shapes were checked above")
      }
    }
    return fitting.report
  }

  /// The weight of the convolution that reads the images, where one does and nothing else.
  private var stemWeight: String? {
    let readers = graph.nodes.filter { $0.inputs.contains(graph.input) }
    guard readers.count == 1, readers[0].operation.parameters.count <= 2 else { return nil }
    let weights = readers[0].operation.parameters.map { graph.parameters[$0.index] }.filter {
      $0.kind == .weight && $0.shape.count == 4 && $0.shape[1] == inputShape.channels
    }
    return weights.count == 1 ? weights[0].name : nil
  }

  private func name(of slot: StateSlot) -> String { graph.name(of: slot) }

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

extension Graph {
  fileprivate func name(of slot: StateSlot) -> String {
    switch slot {
    case .parameter(let id): return parameters[id.index].name
    case .buffer(let id): return buffers[id.index].name
    case .counter(let name, _): return name
    }
  }
}

extension StateFitting {
  /// What the network of a graph needs, in PyTorch's order.
  static func slots(of graph: Graph) -> [Slot] {
    graph.stateSlots.map { slot in
      let name = graph.name(of: slot)
      switch slot {
      case .parameter(let id):
        return Slot(name: name, shape: graph.parameters[id.index].shape, isCounter: false)
      case .buffer(let id):
        return Slot(name: name, shape: [graph.buffers[id.index].count], isCounter: false)
      case .counter: return Slot(name: name, shape: [], isCounter: true)
      }
    }
  }
}

extension StateValue {
  var isCounter: Bool {
    if case .counter = self { return true }
    return false
  }
}
