import OctNet

/// The update rules by their names in settings and on the command line.
package enum OptimizerName: String, CaseIterable {
  case sgd, adam, adamw

  /// With its usual constants.
  package var rule: OptimizerConfiguration {
    switch self {
    case .sgd: return .sgd
    case .adam: return .adam
    case .adamw: return .adamW
    }
  }
}

extension TrainingConfiguration {
  /// Another update rule comes with its usual learning rate.
  package mutating func use(_ optimizer: OptimizerName) {
    guard optimizer.rawValue != self.optimizer.name else { return }
    self.optimizer = optimizer.rule
    schedule.base = optimizer == .sgd ? QuickStart.learningRate : 1e-3
  }
}
