import OctNetCore
import OctNetSupport

/// Which update rule, with its constants; names and defaults are those of `torch.optim`.
///
/// As JSON: `{"name": "sgd", "momentum": 0.9, "nesterov": false}` and
/// `{"name": "adam", "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}` (or `adamw`), and
/// `{"name": "muon", "momentum": 0.95, "nesterov": true, "iterations": 5, "normalizesWeights": false}`.
public enum OptimizerConfiguration: Equatable, Sendable {
  /// g += decay·w; v = momentum·v + g; w −= rate·(nesterov ? g + momentum·v : v).
  case sgd(momentum: Float, nesterov: Bool)
  /// Kingma, Ba 2015; weight decay is added to the gradient.
  case adam(beta1: Double, beta2: Double, epsilon: Float)
  /// Loshchilov, Hutter 2019; weight decay shrinks the weights directly.
  case adamW(beta1: Double, beta2: Double, epsilon: Float)
  /// Jordan et al. 2024, for filters, and for weights of linear layers in a `ParameterGroup` that has it; the other
  /// parameters are updated by `sgd` with the same momentum.
  ///
  /// v = momentum·v + g; d = nesterov ? g + momentum·v : v; o is d, as a matrix of a row for each output, after so many
  /// `iterations` of Newton and Schulz, which bring its singular values near 1;
  /// w = (1 − rate·decay)·w − rate·√max(1, rows / columns)·o. With `normalizesWeights`, w is brought to the norm √rows
  /// first, and the rate counts as it is. The paths of an octave convolution that are added up in one map are one matrix,
  /// side by side, as far as their groups are one and none is frozen.
  case muon(momentum: Float, nesterov: Bool, iterations: Int, normalizesWeights: Bool)

  /// Momentum 0.9.
  public static let sgd = OptimizerConfiguration.sgd(momentum: 0.9, nesterov: false)
  /// PyTorch's constants.
  public static let adam = OptimizerConfiguration.adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-8)
  /// PyTorch's constants.
  public static let adamW = OptimizerConfiguration.adamW(beta1: 0.9, beta2: 0.999, epsilon: 1e-8)

  /// PyTorch's constants.
  public static let muon = OptimizerConfiguration.muon(
    momentum: 0.95, nesterov: true, iterations: 5, normalizesWeights: false)

  /// The names `named(_:)` takes.
  public static let names = ["sgd", "adam", "adamw", "muon"]

  /// The rule of that name with default constants, `nil` for an unknown name.
  public static func named(_ name: String) -> OptimizerConfiguration? {
    switch name {
    case "sgd": return .sgd
    case "adam": return .adam
    case "adamw": return .adamW
    case "muon": return .muon
    default: return nil
    }
  }

  /// As `named(_:)` takes it.
  public var name: String {
    switch self {
    case .sgd: return "sgd"
    case .adam: return "adam"
    case .adamW: return "adamw"
    case .muon: return "muon"
    }
  }

  /// Whether an update is of a parameter as a whole, not of its elements.
  var isForMatrices: Bool {
    if case .muon = self { return true }
    return false
  }

  /// What the rule remembers of each parameter, in the order of its buffers.
  package var stateNames: [String] {
    switch self {
    case .sgd(let momentum, _): return momentum == 0 ? [] : ["velocity"]
    case .adam, .adamW: return ["first_moment", "second_moment"]
    case .muon: return ["velocity"]
    }
  }

  /// - Throws: `OctNetError.configuration` for a constant out of its range.
  func validate() throws(OctNetError) {
    func check(_ ok: Bool, _ key: String, _ expected: String, _ found: some BinaryFloatingPoint)
      throws(OctNetError)
    {
      guard ok else { throw OctNetError.configuration(key: key, "expected \(expected), found \(found)") }
    }
    switch self {
    case .sgd(let momentum, let nesterov):
      try check(momentum >= 0 && momentum < 1, "momentum", "0 or more and less than 1", momentum)
      try check(!nesterov || momentum > 0, "momentum", "more than 0 with nesterov", momentum)
    case .adam(let beta1, let beta2, let epsilon), .adamW(let beta1, let beta2, let epsilon):
      try check(beta1 >= 0 && beta1 < 1, "beta1", "0 or more and less than 1", beta1)
      try check(beta2 >= 0 && beta2 < 1, "beta2", "0 or more and less than 1", beta2)
      try check(epsilon > 0 && epsilon.isFinite, "epsilon", "more than 0", epsilon)
    case .muon(let momentum, let nesterov, let iterations, _):
      try check(momentum >= 0 && momentum < 1, "momentum", "0 or more and less than 1", momentum)
      try check(!nesterov || momentum > 0, "momentum", "more than 0 with nesterov", momentum)
      try SettingBounds.check(iterations, in: SettingBounds.newtonSchulz, "iterations")
    }
  }
}

extension OptimizerConfiguration: Codable {
  private enum CodingKeys: String, CodingKey {
    case name, momentum, nesterov, beta1, beta2, epsilon, iterations, normalizesWeights
  }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let name = try container.decode(String.self, forKey: .name)
    switch name {
    case "sgd":
      self = .sgd(
        momentum: try container.decodeIfPresent(Float.self, forKey: .momentum) ?? 0.9,
        nesterov: try container.decodeIfPresent(Bool.self, forKey: .nesterov) ?? false)
    case "adam", "adamw":
      let beta1 = try container.decodeIfPresent(Double.self, forKey: .beta1) ?? 0.9
      let beta2 = try container.decodeIfPresent(Double.self, forKey: .beta2) ?? 0.999
      let epsilon = try container.decodeIfPresent(Float.self, forKey: .epsilon) ?? 1e-8
      self =
        name == "adam"
        ? .adam(beta1: beta1, beta2: beta2, epsilon: epsilon)
        : .adamW(beta1: beta1, beta2: beta2, epsilon: epsilon)
    case "muon":
      let momentum = try container.decodeIfPresent(Float.self, forKey: .momentum) ?? 0.95
      self = .muon(
        momentum: momentum,
        nesterov: try container.decodeIfPresent(Bool.self, forKey: .nesterov) ?? (momentum > 0),
        iterations: try container.decodeIfPresent(Int.self, forKey: .iterations) ?? 5,
        normalizesWeights: try container.decodeIfPresent(Bool.self, forKey: .normalizesWeights) ?? false)
    default:
      throw DecodingError.dataCorruptedError(
        forKey: .name, in: container,
        debugDescription: "expected one of \(Self.names.joined(separator: ", ")), found \"\(name)\"")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(name, forKey: .name)
    switch self {
    case .sgd(let momentum, let nesterov):
      try container.encode(momentum, forKey: .momentum)
      try container.encode(nesterov, forKey: .nesterov)
    case .adam(let beta1, let beta2, let epsilon), .adamW(let beta1, let beta2, let epsilon):
      try container.encode(beta1, forKey: .beta1)
      try container.encode(beta2, forKey: .beta2)
      try container.encode(epsilon, forKey: .epsilon)
    case .muon(let momentum, let nesterov, let iterations, let normalizesWeights):
      try container.encode(momentum, forKey: .momentum)
      try container.encode(nesterov, forKey: .nesterov)
      try container.encode(iterations, forKey: .iterations)
      try container.encode(normalizesWeights, forKey: .normalizesWeights)
    }
  }
}
