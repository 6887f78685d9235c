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
struct GroupArgument {
  let group: ParameterGroup

  /// - Throws: `ValidationError` with what was found and what was expected.
  init(parsing argument: String) throws {
    guard let colon = argument.firstIndex(of: ":") else {
      throw ValidationError("expected WHAT:key=value,…, found no colon")
    }
    var group = ParameterGroup()
    for word in argument[..<colon].split(separator: "+", omittingEmptySubsequences: false) {
      if let kind = ParameterGroup.Kind(rawValue: String(word)) {
        group.kinds = (group.kinds ?? []) + [kind]
      } else if word.isEmpty {
        throw ValidationError("expected names of modules or kinds with + between them, found an empty one")
      } else {
        group.modules.append(String(word))
      }
    }
    var rule = Rule()
    for setting in argument[argument.index(after: colon)...].split(
      separator: ",", omittingEmptySubsequences: false)
    {
      let words = setting.split(separator: "=", maxSplits: 1).map(String.init)
      guard words.count == 2 else { throw ValidationError("expected key=value, found \"\(setting)\"") }
      try Self.apply(words[0], words[1], to: &group, &rule)
    }
    guard rule.isComplete else {
      throw ValidationError(
        "momentum and nesterov belong to optimizer=sgd and muon, iterations and normalize to optimizer=muon; found "
          + (rule.name.map { "optimizer=\($0.rawValue)" } ?? "no optimizer"))
    }
    group.optimizer = rule.configuration
    self.group = group
  }

  private static func apply(
    _ key: String, _ value: String, to group: inout ParameterGroup, _ rule: inout Rule
  ) throws {
    func parsed<Value: LosslessStringConvertible>(_ kind: String) throws -> Value {
      guard let result = Value(value) else {
        throw ValidationError("\(key): expected \(kind), found \"\(value)\"")
      }
      return result
    }
    switch key {
    case "rate": group.learningRateScale = try parsed("a number")
    case "decay": group.weightDecay = try parsed("a number")
    case "epochs": group.epochs = try parsed("a number")
    case "optimizer":
      guard let name = OptimizerName(rawValue: value) else {
        let names = OptimizerName.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("optimizer: expected one of \(names), found \"\(value)\"")
      }
      rule.name = name
    case "momentum": rule.momentum = try parsed("a number")
    case "iterations": rule.iterations = try parsed("a whole number")
    case "nesterov": rule.nesterov = try parsed("true or false")
    case "normalize": rule.normalizes = try parsed("true or false")
    default:
      throw ValidationError(
        "expected rate, decay, epochs, optimizer, momentum, nesterov, iterations or normalize, found \"\(key)\""
      )
    }
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
