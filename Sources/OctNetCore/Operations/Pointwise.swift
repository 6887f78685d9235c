import CKernels
import OctNetSupport

extension Activation {
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

  /// Whether the derivative follows from the output, else from the argument.
  var keepsOutput: Bool { oct_activation_keeps_output(descriptor.kind) }

  /// Whether bounds and slope make such a function: layers check them, an operation of somebody's own may not.
  var isSupported: Bool {
    var descriptor = descriptor
    return oct_activation_check(&descriptor) == OCT_OK
  }
}

extension Activation? {
  /// The identity where there is none.
  var descriptor: oct_activation { self?.descriptor ?? oct_activation(kind: OCT_IDENTITY, low: 0, high: 0) }
  /// What it adds to the name of the operation that it is part of.
  var suffix: String { map { "+" + $0.kind } ?? "" }
}

/// output = f(input), element by element.
struct Pointwise: Operation {
  let shape: MapShape
  let activation: Activation

  var kind: String { activation.kind }
  func outputShape(_ inputs: [MapShape]) -> MapShape { shape }
  var role: OperationRole { .activation(activation) }

  var backwardReads: BackwardReads { activation.keepsOutput ? .init(output: true) : .init(inputs: 1) }
  // Backward reads each element before it writes the same one.
  var inPlaceGradients: [Int] { [0] }

  func forward(_ c: ForwardContext) {
    var descriptor = activation.descriptor
    check(
      oct_activation_forward(&descriptor, c.batch * shape.count, c.input(0), c.output, Int32(c.threads)))
  }

  func backward(_ c: BackwardContext) {
    guard let sink = c.inputGradient(0) else { return }
    var descriptor = activation.descriptor
    check(
      oct_activation_backward(
        &descriptor, c.batch * shape.count, activation.keepsOutput ? c.output : c.input(0), c.outputGradient,
        sink.pointer, sink.accumulate, Int32(c.threads)))
  }
}
