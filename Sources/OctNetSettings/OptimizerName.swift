import OctNet

/// The update rules by their names in settings and on the command line.
package enum OptimizerName: String, CaseIterable {
  case sgd, adam, adamw, muon

  /// With its usual constants.
  package var rule: OptimizerConfiguration {
    switch self {
    case .sgd: return .sgd
    case .adam: return .adam
    case .adamw: return .adamW
    case .muon: return .muon
    }
  }
}

extension TrainingConfiguration {
  /// Another update rule comes with its usual learning rate, unless that is `stated`.
  package mutating func use(_ optimizer: OptimizerName, keeping stated: StatedSettings = StatedSettings()) {
    guard optimizer.rawValue != self.optimizer.name else { return }
    self.optimizer = optimizer.rule
    guard !stated.learningRate else { return }
    switch optimizer {
    case .sgd: schedule.base = QuickStart.learningRate
    case .adam, .adamw: schedule.base = 1e-3
    case .muon: schedule.base = QuickStart.muonLearningRate
    }
  }
}
