import OctNet

/// What a flag says of a part of a network. All that it leaves out stays as it is without it: as the recipe's or the
/// file's group has it that a parameter is in, or as the run has it.
package struct ParameterGroupChange: Equatable, Sendable {
  /// As those of a `ParameterGroup`.
  package var modules: [String] = []
  /// As those of a `ParameterGroup`.
  package var kinds: [ParameterGroup.Kind]?
  /// Multiplies the rate that is there.
  package var rateFactor = 1.0
  package var weightDecay: Float?
  package var epochs: Double?
  package var optimizer = OptimizerChange()

  package init() {}

  /// What stands in front of `groups` for the change to hold: for each of them the parameters that it shares with the
  /// change, then the change's others. Since the first group that has a parameter counts, each keeps what its own says.
  package func groups(
    before groups: [ParameterGroup], of optimizer: OptimizerConfiguration
  ) -> [ParameterGroup] {
    var result: [ParameterGroup] = []
    for group in groups {
      guard let shared = shared(with: group) else { continue }
      result.append(changed(shared, of: optimizer))
      // None is left for what comes behind.
      if Set(shared.modules) == Set(modules), Self.all(shared.kinds) == Self.all(kinds) { return result }
    }
    var rest = ParameterGroup()
    (rest.modules, rest.kinds) = (modules, kinds)
    return result + [changed(rest, of: optimizer)]
  }

  private func changed(_ group: ParameterGroup, of optimizer: OptimizerConfiguration) -> ParameterGroup {
    var group = group
    group.learningRateScale *= rateFactor
    group.weightDecay = weightDecay ?? group.weightDecay
    group.epochs = epochs ?? group.epochs
    group.optimizer = self.optimizer.applied(to: group.optimizer ?? optimizer) ?? group.optimizer
    return group
  }

  /// A group's settings for the parameters that both have; `nil` where their names or kinds say that there are none.
  private func shared(with group: ParameterGroup) -> ParameterGroup? {
    var shared = group
    if let kinds {
      shared.kinds = kinds.filter { group.kinds?.contains($0) ?? true }
      if shared.kinds?.isEmpty == true { return nil }
    }
    if !modules.isEmpty {
      shared.modules = group.modules.isEmpty ? modules : Self.lower(modules, group.modules)
      if shared.modules.isEmpty { return nil }
    }
    return shared
  }

  private static func all(_ kinds: [ParameterGroup.Kind]?) -> Set<ParameterGroup.Kind> {
    Set(kinds ?? ParameterGroup.Kind.allCases)
  }

  /// The lower one of every two names of which one stands above the other, or is it.
  private static func lower(_ names: [String], _ others: [String]) -> [String] {
    names.flatMap { name in
      others.compactMap { other in
        Network.names(other, name) ? name : Network.names(name, other) ? other : nil
      }
    }
  }
}
