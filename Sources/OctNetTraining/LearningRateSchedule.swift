import OctNetCore
import OctNetSupport

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The learning rate of every step, from its number alone: nothing to save, nothing to restore.
///
/// The rate changes every step, not every epoch (but for `step`, which is constant within one).
public struct LearningRateSchedule: Codable, Equatable, Sendable {
  /// The course over the epochs.
  public enum Shape: Equatable, Sendable {
    /// The base rate throughout.
    case constant
    /// rate = base · gamma^⌊epoch / size⌋, epochs counted from the start of training, warm-up included.
    case step(size: Int, gamma: Double)
    /// rate = base · ½(1 + cos(π·t)), t from 0 after the warm-up to 1 at the end of training.
    case cosine
    /// rate = base · (1 − t), with the same t.
    case linear
  }

  /// The rate that `shape` multiplies.
  public var base: Double
  /// The course after the warm-up.
  public var shape: Shape
  /// The rate rises in equal steps to `base` over this many first epochs: base · (step + 1) / warm-up steps.
  public var warmupEpochs: Int

  /// `validate` says what does not fit.
  public init(base: Double, shape: Shape = .constant, warmupEpochs: Int = 0) {
    self.base = base
    self.shape = shape
    self.warmupEpochs = warmupEpochs
  }

  /// The names of the shapes, as `--schedule` takes them.
  public static let names = ["constant", "step", "cosine", "linear"]

  /// The rate of the step number `step` (from 0) of a training of `epochs` epochs.
  public func rate(step: Int, stepsPerEpoch: Int, epochs: Int) -> Double {
    rate(step: step, stepsPerEpoch: stepsPerEpoch, steps: epochs * stepsPerEpoch)
  }

  /// The same for a training of so many steps, which may end in the middle of an epoch.
  package func rate(step: Int, stepsPerEpoch: Int, steps: Int) -> Double {
    precondition(step >= 0 && stepsPerEpoch > 0)
    let warmup = warmupEpochs * stepsPerEpoch
    if step < warmup { return base * Double(step + 1) / Double(warmup) }
    switch shape {
    case .constant:
      return base
    case .step(let size, let gamma):
      return base * pow(gamma, Double(step / stepsPerEpoch / size))
    case .cosine, .linear:
      let length = steps - warmup
      guard length > 0 else { return base }
      let t = min(1, Double(step - warmup) / Double(length))
      return shape == .linear ? base * (1 - t) : base * 0.5 * (1 + cos(.pi * t))
    }
  }

  /// - Throws: `OctNetError.configuration` for a number out of its range.
  func validate() throws(OctNetError) {
    guard base > 0, base.isFinite else {
      throw OctNetError.configuration(key: "learningRate", "expected a number above 0, found \(base)")
    }
    guard warmupEpochs >= 0 else {
      throw OctNetError.configuration(key: "warmupEpochs", "expected 0 or more, found \(warmupEpochs)")
    }
    if case .step(let size, let gamma) = shape {
      guard size > 0 else {
        throw OctNetError.configuration(key: "stepSize", "expected 1 epoch or more, found \(size)")
      }
      guard gamma > 0, gamma <= 1 else {
        throw OctNetError.configuration(key: "gamma", "expected a number above 0 and up to 1, found \(gamma)")
      }
    }
  }
}

extension LearningRateSchedule.Shape {
  /// One of `LearningRateSchedule.names`.
  public var name: String {
    switch self {
    case .constant: return "constant"
    case .step: return "step"
    case .cosine: return "cosine"
    case .linear: return "linear"
    }
  }
}

/// As JSON: `{"name": "step", "size": 30, "gamma": 0.1}`.
extension LearningRateSchedule.Shape: Codable {
  private enum CodingKeys: String, CodingKey { case name, size, gamma }

  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    let name = try container.decode(String.self, forKey: .name)
    switch name {
    case "constant": self = .constant
    case "cosine": self = .cosine
    case "linear": self = .linear
    case "step":
      self = .step(
        size: try container.decode(Int.self, forKey: .size),
        gamma: try container.decode(Double.self, forKey: .gamma))
    default:
      throw DecodingError.dataCorruptedError(
        forKey: .name, in: container,
        debugDescription:
          "expected one of \(LearningRateSchedule.names.joined(separator: ", ")), found \"\(name)\"")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(name, forKey: .name)
    if case .step(let size, let gamma) = self {
      try container.encode(size, forKey: .size)
      try container.encode(gamma, forKey: .gamma)
    }
  }
}
