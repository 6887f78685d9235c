/// A function of each element of a map.
public enum Activation: Hashable, Sendable {
  /// max(0, x).
  case relu
  /// min(max(x, low), high). The derivative is 1 strictly between the two and 0 elsewhere, as that of PyTorch's `Hardtanh`.
  case clamp(low: Float, high: Float)
  /// x where it is above 0, slope · x elsewhere.
  case leakyReLU(slope: Float)
  /// 1 / (1 + e⁻ˣ).
  case sigmoid
  /// x / (1 + e⁻ˣ), also called swish.
  case silu
  /// x · Φ(x) with the normal distribution Φ itself, as PyTorch's `GELU(approximate: 'none')`.
  case gelu

  /// min(max(x, 0), 6), as in MobileNets.
  public static let relu6 = Activation.clamp(low: 0, high: 6)

  /// Short name for profiles and tables.
  var kind: String {
    switch self {
    case .relu: return "relu"
    case .relu6: return "relu6"
    case .clamp: return "clamp"
    case .leakyReLU: return "leaky_relu"
    case .sigmoid: return "sigmoid"
    case .silu: return "silu"
    case .gelu: return "gelu"
    }
  }
}
