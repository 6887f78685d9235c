import ArgumentParser
import OctNet
import OctNetSettings

/// "8", or "7.6": seven epochs and three fifths of one.
struct EpochCount: ExpressibleByArgument {
  /// The last one may be a part.
  let epochs: Int
  let lastShare: Double?

  init?(argument: String) {
    if let whole = Int(argument) {
      (epochs, lastShare) = (whole, nil)
      return
    }
    guard let number = Double(argument), number > 0, number < 1e9 else { return nil }
    epochs = Int(number.rounded(.up))
    let share = number - Double(epochs - 1)
    lastShare = share == 1 ? nil : share
  }

  func apply(to configuration: inout TrainingConfiguration) {
    configuration.epochs = epochs
    configuration.lastEpochShare = lastShare
  }
}

/// `fc=10`.
struct RateScale: ExpressibleByArgument {
  let group: ParameterGroup

  init?(argument: String) {
    guard let sign = argument.lastIndex(of: "="), sign != argument.startIndex,
      let factor = Double(argument[argument.index(after: sign)...])
    else { return nil }
    group = ParameterGroup(String(argument[..<sign]), learningRateScale: factor)
  }
}

/// `filters:optimizer=muon,momentum=0.6,rate=0.24`.
struct GroupArgument: ExpressibleByArgument {
  let group: ParameterGroup

  init?(argument: String) {
    guard let colon = argument.firstIndex(of: ":") else { return nil }
    var group = ParameterGroup()
    for word in argument[..<colon].split(separator: "+", omittingEmptySubsequences: false) {
      if let kind = ParameterGroup.Kind(rawValue: String(word)) {
        group.kinds = (group.kinds ?? []) + [kind]
      } else if word.isEmpty {
        return nil
      } else {
        group.modules.append(String(word))
      }
    }
    var rule = Rule()
    for setting in argument[argument.index(after: colon)...].split(
      separator: ",", omittingEmptySubsequences: false)
    {
      let words = setting.split(separator: "=", maxSplits: 1).map(String.init)
      guard words.count == 2, Self.apply(words[0], words[1], to: &group, &rule) else { return nil }
    }
    guard rule.isComplete else { return nil }
    group.optimizer = rule.configuration
    self.group = group
  }

  private static func apply(
    _ key: String, _ value: String, to group: inout ParameterGroup, _ rule: inout Rule
  ) -> Bool {
    switch key {
    case "rate":
      guard let scale = Double(value) else { return false }
      group.learningRateScale = scale
    case "decay":
      guard let decay = Float(value) else { return false }
      group.weightDecay = decay
    case "epochs":
      guard let epochs = Double(value) else { return false }
      group.epochs = epochs
    case "optimizer":
      guard let name = OptimizerName(rawValue: value) else { return false }
      rule.name = name
    case "momentum":
      guard let momentum = Float(value) else { return false }
      rule.momentum = momentum
    case "iterations":
      guard let iterations = Int(value) else { return false }
      rule.iterations = iterations
    case "nesterov", "normalize":
      guard let flag = Bool(value) else { return false }
      if key == "nesterov" { rule.nesterov = flag } else { rule.normalizes = flag }
    default: return false
    }
    return true
  }

  /// An optimizer of the group's own.
  private struct Rule {
    var name: OptimizerName?
    var momentum: Float?
    var nesterov: Bool?
    var iterations: Int?
    var normalizes: Bool?

    /// Whether the settings are those of the optimizer, and there is one.
    var isComplete: Bool {
      let ofMuon = iterations != nil || normalizes != nil
      switch name {
      case .muon: return true
      case .sgd: return !ofMuon
      case .adam, .adamw, nil: return !ofMuon && momentum == nil && nesterov == nil
      }
    }

    var configuration: OptimizerConfiguration? {
      switch name?.rule {
      case .sgd(let usual, let usualNesterov):
        return .sgd(momentum: momentum ?? usual, nesterov: nesterov ?? usualNesterov)
      case .muon(let usual, let usualNesterov, let usualIterations, let usualNormalizes):
        return .muon(
          momentum: momentum ?? usual, nesterov: nesterov ?? usualNesterov,
          iterations: iterations ?? usualIterations, normalizesWeights: normalizes ?? usualNormalizes)
      case let other: return other
      }
    }
  }
}
