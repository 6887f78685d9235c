import CKernels
import OctNetSupport

/// output = factor · input.
struct Scaling: Operation {
  let shape: MapShape
  let factor: Float

  var kind: String { "scale" }
  func outputShape(_ inputs: [MapShape]) -> MapShape { shape }
  var backwardReads: BackwardReads { .nothing }

  func forward(_ c: ForwardContext) {
    check(oct_scale(c.batch * shape.count, factor, c.input(0), c.output, false, Int32(c.threads)))
  }

  func backward(_ c: BackwardContext) {
    guard let sink = c.inputGradient(0) else { return }
    check(
      oct_scale(
        c.batch * shape.count, factor, c.outputGradient, sink.pointer, sink.accumulate, Int32(c.threads)))
  }
}

extension Scaling: DescribedOperation {
  var form: OperationForm? { .scale(factor) }
}
