import CKernels
import OctNetSupport

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

  var descriptor: oct_activation {
    switch self {
    case .relu: return oct_activation(kind: OCT_RELU, low: 0, high: 0)
    case .clamp(let low, let high): return oct_activation(kind: OCT_CLAMP, low: low, high: high)
    case .leakyReLU(let slope): return oct_activation(kind: OCT_LEAKY_RELU, low: slope, high: 0)
    case .sigmoid: return oct_activation(kind: OCT_SIGMOID, low: 0, high: 0)
    case .silu: return oct_activation(kind: OCT_SILU, low: 0, high: 0)
    case .gelu: return oct_activation(kind: OCT_GELU, low: 0, high: 0)
    }
  }

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

/// output = f(input), element by element.
struct Pointwise: Operation {
  let shape: MapShape
  let activation: Activation

  var kind: String { activation.kind }

  private var keepsOutput: Bool { oct_activation_keeps_output(activation.descriptor.kind) }
  var backwardReads: BackwardReads { keepsOutput ? .init(output: true) : .init(inputs: 1) }
  // Backward reads each element before it writes the same one.
  var inPlaceGradients: [Int] { [0] }

  func forward(_ c: ForwardContext) {
    var descriptor = activation.descriptor
    check(
      oct_activation_forward(&descriptor, c.batch * shape.count, c.inputs[0], c.output, Int32(c.threads)))
  }

  func backward(_ c: BackwardContext) {
    guard let sink = c.inputGradients[0] else { return }
    var descriptor = activation.descriptor
    check(
      oct_activation_backward(
        &descriptor, c.batch * shape.count, keepsOutput ? c.output : c.inputs[0], c.outputGradient,
        sink.pointer, sink.accumulate, Int32(c.threads)))
  }
}
