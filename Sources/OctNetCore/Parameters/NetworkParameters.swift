import OctNetSupport

/// Parameters by their names in the state dictionary, such as `layer1.0.conv1.weight`; a part of a name in front of a dot, such
/// as `layer1`, names all below it.
extension Network {
  /// Dotted names in the order of the state dictionary.
  public var parameterNames: [String] { graph.parameters.map(\.name) }

  /// A copy in PyTorch's layout: [out, in / groups, kh, kw] for convolutions, [out, in] for linear layers.
  /// - Throws: `OctNetError.configuration` for a name that the network does not have.
  public func parameter(_ name: String) throws(OctNetError) -> Tensor {
    load(try id(of: name), from: parameters.values)
  }

  /// Replaces a parameter, in PyTorch's layout.
  /// - Throws: `OctNetError.configuration` for a name that the network does not have, and for another shape.
  public func setParameter(_ name: String, to tensor: Tensor) throws(OctNetError) {
    let id = try id(of: name)
    let shape = graph.parameters[id.index].shape
    guard tensor.shape == shape else {
      throw .configuration(key: name, "found shape \(tensor.shape), expected \(shape)")
    }
    tensor.values.withUnsafeBufferPointer { store($0, in: id) }
  }

  /// The gradient of the last training step, in PyTorch's layout; zeros where there was none yet, and for parameters that
  /// are frozen.
  /// - Throws: `OctNetError.configuration` for a name that the network does not have.
  public func gradient(_ name: String) throws(OctNetError) -> Tensor {
    load(try id(of: name), from: parameters.gradients)
  }

  /// A running statistic, such as `bn1.running_mean`.
  /// - Throws: `OctNetError.configuration` for a name that the network does not have.
  public func buffer(_ name: String) throws(OctNetError) -> Tensor {
    guard let index = graph.buffers.firstIndex(where: { $0.name == name }) else {
      throw .configuration(key: name, "the network has no running statistic of this name")
    }
    let count = graph.buffers[index].count
    let start = parameters.buffer(BufferID(index: index))
    return Tensor(shape: [count], values: Array(UnsafeBufferPointer(start: start, count: count)))
  }

  private func id(of name: String) throws(OctNetError) -> ParameterID {
    guard let index = graph.parameters.firstIndex(where: { $0.name == name }) else {
      throw unknown(name)
    }
    return ParameterID(index: index)
  }

  private func unknown(_ name: String) -> OctNetError {
    let names = graph.parameters.prefix(3).map(\.name).joined(separator: ", ")
    return .configuration(key: name, "the network has no parameter of this name; it has \(names), …")
  }

  // MARK: Freezing

  /// Keeps parameters as they are in training: sessions and optimizers that are made afterwards compute no gradient of theirs
  /// and do not change them. Below the first layer that is trained there is no backward pass at all, and convolutions take
  /// norms and activations in as they do in inference. A norm whose parameters are all frozen uses its running statistics
  /// in training too, and they stand still.
  ///
  /// - Parameter modules: names of parameters or of what is above them: `conv1`, `layer1.0`, `fc.bias`.
  /// - Throws: `OctNetError.configuration` for a name under which the network has nothing; then nothing has changed.
  public func freeze(_ modules: String...) throws(OctNetError) { try setFrozen(true, modules) }

  /// Lets parameters be trained again; see `freeze`.
  public func unfreeze(_ modules: String...) throws(OctNetError) { try setFrozen(false, modules) }

  /// Freezes exactly those parameters for which `isFrozen` is true.
  public func freeze(where isFrozen: (Parameter) -> Bool) {
    for (index, parameter) in graph.parameters.enumerated() {
      parameters.entries[index].isFrozen = isFrozen(parameter)
    }
  }

  package func setFrozen(_ isFrozen: Bool, _ modules: [String]) throws(OctNetError) {
    var chosen: [Int] = []
    for module in modules {
      let found = graph.parameters.indices.filter { Self.names(module, graph.parameters[$0].name) }
      guard !found.isEmpty else { throw unknown(module) }
      chosen += found
    }
    for index in chosen { parameters.entries[index].isFrozen = isFrozen }
  }

  /// Whether `module` is `name`, or what is in front of one of its dots.
  package static func names(_ module: String, _ name: String) -> Bool {
    name == module || (name.hasPrefix(module) && name.dropFirst(module.count).first == ".")
  }

  /// Whose gradients a training session of the network computes.
  package func demand(input: Bool = false) -> GradientDemand {
    GradientDemand(isFrozen: parameters.entries.map(\.isFrozen), input: input)
  }

  /// Counters of a norm whose parameters are all frozen do not count.
  package var countingCounters: [Int] {
    func module(_ name: String) -> Substring { name.prefix(upTo: name.lastIndex(of: ".") ?? name.startIndex) }
    var trained: [Substring: Bool] = [:]
    for (parameter, entry) in zip(graph.parameters, parameters.entries) {
      let key = module(parameter.name)
      trained[key] = trained[key] == true || !entry.isFrozen
    }
    return graph.stateSlots.compactMap { slot in
      guard case .counter(let name, let index) = slot else { return nil }
      return trained[module(name)] == false ? nil : index
    }
  }
}
