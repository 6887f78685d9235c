import OctNetSupport

/// A layer that applies a function to each element of both octaves. It has no name, since it has no parameters.
public protocol ActivationLayer: Layer, Sendable {
  /// What it does to each element.
  var activation: Activation { get }
}

extension ActivationLayer {
  public var name: String { "" }

  /// - Throws: `OctNetError.graph` for bounds or a slope that make no such function.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    switch activation {
    case .clamp(let low, let high) where !(low < high):
      throw x.builder.error("a clamp needs a lower bound below the upper one, found \(low) and \(high)")
    case .leakyReLU(let slope) where !(slope > 0 && slope.isFinite):
      throw x.builder.error("the slope of a leaky ReLU is above 0, found \(slope)")
    default: break
    }
    return try x.mapParts { map in
      try map.applying(Pointwise(shape: map.shape, activation: activation))
    }
  }
}

/// max(0, x) on both octaves.
public struct ReLU: ActivationLayer {
  public let activation = Activation.relu

  /// No parameters.
  public init() {}
}

/// min(max(0, x), 6) on both octaves.
public struct ReLU6: ActivationLayer {
  public let activation = Activation.relu6

  /// No parameters.
  public init() {}
}

/// min(max(x, low), high) on both octaves; PyTorch calls it `Hardtanh`.
public struct Clamp: ActivationLayer {
  public let activation: Activation

  /// min(max(x, low), high), low < high; the layer refuses others.
  public init(low: Float, high: Float) { activation = .clamp(low: low, high: high) }
}

/// x where it is above 0, slope · x elsewhere, on both octaves.
public struct LeakyReLU: ActivationLayer {
  public let activation: Activation

  /// slope · x below zero; 0.01 as in PyTorch.
  public init(slope: Float = 0.01) { activation = .leakyReLU(slope: slope) }
}

/// 1 / (1 + e⁻ˣ) on both octaves.
public struct Sigmoid: ActivationLayer {
  public let activation = Activation.sigmoid

  /// No parameters.
  public init() {}
}

/// x / (1 + e⁻ˣ) on both octaves.
public struct SiLU: ActivationLayer {
  public let activation = Activation.silu

  /// No parameters.
  public init() {}
}

/// x · Φ(x) on both octaves, Φ being the normal distribution.
public struct GELU: ActivationLayer {
  public let activation = Activation.gelu

  /// No parameters.
  public init() {}
}

/// Drops each element with `probability` while training, on both octaves; the rest is scaled by 1 / (1 − p).
public struct Dropout: Layer {
  public let name = ""
  /// Of each element to become 0 in training, 0 ..< 1.
  public let probability: Float

  /// - Parameter probability: of each element to become 0 in training, 0 ..< 1.
  public init(_ probability: Float) { self.probability = probability }

  /// - Throws: `OctNetError.graph` where the probability is outside 0 ..< 1.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    guard (0..<1).contains(probability) else {
      throw x.builder.error("the dropout probability is in 0 ..< 1, found \(probability)")
    }
    return try x.mapParts { map in
      try map.applying(Dropping(shape: map.shape, probability: probability))
    }
  }
}
