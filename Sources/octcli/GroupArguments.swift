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
  let change: ParameterGroupChange

  init?(argument: String) {
    guard let sign = argument.lastIndex(of: "="), sign != argument.startIndex,
      let factor = Double(argument[argument.index(after: sign)...])
    else { return nil }
    var change = ParameterGroupChange()
    change.modules = [String(argument[..<sign])]
    change.rateFactor = factor
    self.change = change
  }
}

/// `filters:optimizer=muon,momentum=0.6,rate=0.24`.
struct GroupArgument {
  let change: ParameterGroupChange

  /// - Throws: `ValidationError` with what was found and what was expected.
  init(parsing argument: String) throws {
    guard let colon = argument.firstIndex(of: ":") else {
      throw ValidationError("expected WHAT:key=value,…, found no colon")
    }
    var change = ParameterGroupChange()
    for word in argument[..<colon].split(separator: "+", omittingEmptySubsequences: false) {
      if let kind = ParameterGroup.Kind(rawValue: String(word)) {
        change.kinds = (change.kinds ?? []) + [kind]
      } else if word.isEmpty {
        throw ValidationError("expected names of modules or kinds with + between them, found an empty one")
      } else {
        change.modules.append(String(word))
      }
    }
    for setting in argument[argument.index(after: colon)...].split(
      separator: ",", omittingEmptySubsequences: false)
    {
      let words = setting.split(separator: "=", maxSplits: 1).map(String.init)
      guard words.count == 2 else { throw ValidationError("expected key=value, found \"\(setting)\"") }
      try Self.apply(words[0], words[1], to: &change)
    }
    guard change.optimizer.isComplete else {
      throw ValidationError(
        "momentum and nesterov belong to optimizer=sgd and muon, iterations and normalize to optimizer=muon; found "
          + (change.optimizer.name.map { "optimizer=\($0.rawValue)" } ?? "no optimizer"))
    }
    self.change = change
  }

  private static func apply(
    _ key: String, _ value: String, to change: inout ParameterGroupChange
  ) throws {
    func parsed<Value: LosslessStringConvertible>(_ kind: String) throws -> Value {
      guard let result = Value(value) else {
        throw ValidationError("\(key): expected \(kind), found \"\(value)\"")
      }
      return result
    }
    switch key {
    case "rate": change.rateFactor = try parsed("a number")
    case "decay": change.weightDecay = try parsed("a number")
    case "epochs": change.epochs = try parsed("a number")
    case "optimizer":
      guard let name = OptimizerName(rawValue: value) else {
        let names = OptimizerName.allCases.map(\.rawValue).joined(separator: ", ")
        throw ValidationError("optimizer: expected one of \(names), found \"\(value)\"")
      }
      change.optimizer.name = name
    case "momentum": change.optimizer.momentum = try parsed("a number")
    case "iterations": change.optimizer.iterations = try parsed("a whole number")
    case "nesterov": change.optimizer.nesterov = try parsed("true or false")
    case "normalize": change.optimizer.normalizes = try parsed("true or false")
    default:
      throw ValidationError(
        "expected rate, decay, epochs, optimizer, momentum, nesterov, iterations or normalize, found \"\(key)\""
      )
    }
  }
}
