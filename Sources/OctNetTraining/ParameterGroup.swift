import OctNetCore
import OctNetSupport

/// Parameters with settings of their own, as the groups of `torch.optim`. The first group that has a parameter is its own.
///
/// A group has the parameters that `modules` names, or of all modules where it names none, as far as they are of one of
/// `kinds`, or of any where there are none.
///
/// As JSON: `{"modules": ["fc"], "learningRateScale": 10, "weightDecay": 0}` or
/// `{"kinds": ["filters"], "optimizer": {"name": "muon", "momentum": 0.6}}`.
public struct ParameterGroup: Codable, Equatable, Sendable {
  /// What parameters are for.
  public enum Kind: String, Codable, CaseIterable, Sendable {
    /// Weights of convolutions.
    case filters
    /// Weights of linear layers.
    case linear
    /// What is added to the outputs of convolutions and linear layers.
    case biases
    /// Scales and shifts of norms.
    case norms
  }

  /// Names of parameters or of what is above them: `conv1`, `layer1.0`, `fc.bias`.
  public var modules: [String]
  /// Of the parameters that `modules` names; `nil` for all of them.
  public var kinds: [Kind]?
  /// Multiplies the learning rate.
  public var learningRateScale: Double
  /// In place of the optimizer's; `nil` keeps that.
  public var weightDecay: Float?
  /// In place of the run's; `nil` keeps that.
  public var optimizer: OptimizerConfiguration?
  /// Length of the group's schedule in place of the run's: a cosine or a line comes to 0 after so many epochs, and any other
  /// rate ends there. Afterwards its parameters stay as they are.
  public var epochs: Double?

  /// Names of parameters or of what is above them, and their settings.
  public init(
    _ modules: String..., kinds: [Kind]? = nil, learningRateScale: Double = 1, weightDecay: Float? = nil,
    optimizer: OptimizerConfiguration? = nil, epochs: Double? = nil
  ) {
    self.modules = modules
    self.kinds = kinds
    self.learningRateScale = learningRateScale
    self.weightDecay = weightDecay
    self.optimizer = optimizer
    self.epochs = epochs
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    kinds = try container.decodeIfPresent([Kind].self, forKey: .kinds)
    modules =
      kinds == nil
      ? try container.decode([String].self, forKey: .modules)
      : try container.decodeIfPresent([String].self, forKey: .modules) ?? []
    learningRateScale = try container.decodeIfPresent(Double.self, forKey: .learningRateScale) ?? 1
    weightDecay = try container.decodeIfPresent(Float.self, forKey: .weightDecay)
    optimizer = try container.decodeIfPresent(OptimizerConfiguration.self, forKey: .optimizer)
    epochs = try container.decodeIfPresent(Double.self, forKey: .epochs)
  }

  /// - Throws: `OctNetError.configuration` for a setting out of its range; its key is below `parameterGroups`, since
  ///   the run has settings of the same names.
  func validate() throws(OctNetError) {
    func problem(_ key: String, _ text: String) -> OctNetError {
      .configuration(key: "parameterGroups." + key, text)
    }
    guard learningRateScale >= 0, learningRateScale.isFinite else {
      throw problem("learningRateScale", "expected a factor of 0 or more, found \(learningRateScale)")
    }
    guard weightDecay.map({ $0 >= 0 && $0.isFinite }) ?? true else {
      throw problem("weightDecay", "expected 0 or more, found \(weightDecay ?? 0)")
    }
    guard !modules.isEmpty || kinds?.isEmpty == false else {
      throw problem("modules", "a group of parameters names at least one module or kind, found none")
    }
    if let epochs, !(epochs > 0 && epochs <= Double(SettingBounds.epochs.upperBound)) {
      throw problem(
        "epochs", "expected more than 0 and at most \(SettingBounds.epochs.upperBound), found \(epochs)")
    }
    do throws(OctNetError) { try optimizer?.validate() } catch {
      guard case .configuration(let key, let text) = error else { throw error }
      throw problem("optimizer." + key, text)
    }
  }

  func contains(_ entry: ParameterStore.Entry) -> Bool {
    (modules.isEmpty || names(entry)) && (kinds.map { $0.contains(Kind(entry)) } ?? true)
  }

  /// Whether a module of the group, not its kind alone, stands for the parameter.
  func names(_ entry: ParameterStore.Entry) -> Bool { modules.contains { Network.names($0, entry.name) } }
}

extension ParameterGroup.Kind {
  init(_ entry: ParameterStore.Entry) {
    switch entry.kind {
    case .weight: self = entry.shape.count > 2 ? .filters : .linear
    case .bias: self = .biases
    case .normScale, .normShift: self = .norms
    }
  }
}
