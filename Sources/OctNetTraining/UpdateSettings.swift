import OctNetCore
import OctNetSupport

/// How one parameter is updated: what the run and its groups say of it.
struct UpdateSettings: Equatable {
  var rule: OptimizerConfiguration
  var weightDecay: Float
  var learningRateScale = 1.0
  /// The group whose schedule is the parameter's, where that is not the run's.
  var course: Int?
}

extension UpdateSettings {
  /// Those of every parameter, in the store's order.
  ///
  /// - Throws: `OctNetError.configuration` for a group out of bounds, and for one that names nothing.
  static func resolve(
    _ parameters: ParameterStore, _ configuration: OptimizerConfiguration, weightDecay: Float,
    excludeNormsAndBiases: Bool, groups: [ParameterGroup]
  ) throws(OctNetError) -> [UpdateSettings] {
    for group in groups {
      try group.validate()
      for module in group.modules
      where !parameters.entries.contains(where: { Network.names(module, $0.name) }) {
        throw .configuration(key: "modules", "the network has no parameters called \(module)")
      }
    }
    return parameters.entries.map { entry in
      var settings = UpdateSettings(entry, configuration, weightDecay, excludeNormsAndBiases)
      guard let index = groups.firstIndex(where: { $0.contains(entry) }) else { return settings }
      let group = groups[index]
      settings.learningRateScale = group.learningRateScale
      if let decay = group.weightDecay { settings.weightDecay = decay }
      if let rule = group.optimizer {
        settings.rule = rule.rule(for: entry, inOwnGroup: true)
      }
      if group.epochs != nil { settings.course = index }
      return settings
    }
  }

  /// Without groups.
  init(
    _ entry: ParameterStore.Entry, _ configuration: OptimizerConfiguration, _ weightDecay: Float,
    _ excludeNormsAndBiases: Bool
  ) {
    rule = configuration.rule(for: entry, inOwnGroup: false)
    self.weightDecay = excludeNormsAndBiases && entry.kind != .weight ? 0 : weightDecay
  }
}

extension OptimizerConfiguration {
  /// Muon is for matrices: filters, and weights of linear layers in groups that have it. What else it is asked to update, SGD
  /// with its momentum does.
  func rule(for entry: ParameterStore.Entry, inOwnGroup: Bool) -> OptimizerConfiguration {
    guard case .muon(let momentum, let nesterov, _, _) = self else { return self }
    switch ParameterGroup.Kind(entry) {
    case .filters: return self
    case .linear where inOwnGroup: return self
    case .linear, .biases, .norms: return .sgd(momentum: momentum, nesterov: nesterov && momentum > 0)
    }
  }

  /// Buffers of the parameters' size that an optimizer with these groups keeps.
  func stateCount(_ groups: [ParameterGroup]) -> Int {
    ([self] + groups.compactMap(\.optimizer)).map(\.stateNames.count).max() ?? 0
  }

  /// What updates of matrices take beside it, at most: the work on one of them, and gradients that wait.
  func scratchBytes(_ groups: [ParameterGroup], _ parameters: ParameterStore, threads: Int) -> Int {
    guard ([self] + groups.compactMap(\.optimizer)).contains(where: \.isForMatrices) else { return 0 }
    let weights = parameters.entries.filter { $0.kind == .weight }
    // Groups and frozen parameters may divide matrices, down to single parameters.
    let rule = UpdateSettings(rule: .muon, weightDecay: 0)
    let whole = FilterMatrix.all(in: weights, weights.map { _ in rule })
    let parts = weights.indices.map { FilterMatrix(alone: $0, weights[$0]) }
    let largest = (whole + parts).map { Muon.bytes(of: $0, threads: threads) }.max() ?? 0
    return largest + WaitingGradients.bytes(whole)
  }
}
