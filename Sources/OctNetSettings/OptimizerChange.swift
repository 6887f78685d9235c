import OctNet

/// What is said of an optimizer beside one that is there.
package struct OptimizerChange: Equatable, Sendable {
  package var name: OptimizerName?
  package var momentum: Float?
  package var nesterov: Bool?
  package var iterations: Int?
  package var normalizes: Bool?

  package init() {}

  /// Whether the settings are those of the optimizer, and there is one.
  package var isComplete: Bool {
    let ofMuon = iterations != nil || normalizes != nil
    switch name {
    case .muon: return true
    case .sgd: return !ofMuon
    case .adam, .adamw, nil: return !ofMuon && momentum == nil && nesterov == nil
    }
  }

  /// The same optimizer keeps what is not said, another one has its usual constants; `nil` where none is named.
  ///
  /// Without momentum Nesterov's form of it is none, so that it is dropped unless it is said.
  package func applied(to present: OptimizerConfiguration) -> OptimizerConfiguration? {
    guard let name else { return nil }
    switch name.rawValue == present.name ? present : name.rule {
    case .sgd(let ownMomentum, let ownNesterov):
      return .sgd(momentum: momentum ?? ownMomentum, nesterov: nesterov ?? (ownNesterov && momentum != 0))
    case .muon(let ownMomentum, let ownNesterov, let ownIterations, let ownNormalizes):
      return .muon(
        momentum: momentum ?? ownMomentum, nesterov: nesterov ?? (ownNesterov && momentum != 0),
        iterations: iterations ?? ownIterations, normalizesWeights: normalizes ?? ownNormalizes)
    case let other: return other
    }
  }
}
