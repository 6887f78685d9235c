import CKernels
import OctNetSupport

/// a + b.
struct Addition: Operation {
  let shape: MapShape

  var kind: String { "add" }
  func outputShape(_ inputs: [MapShape]) -> MapShape { shape }
  var role: OperationRole { .addition }
  var backwardReads: BackwardReads { .nothing }

  func forward(_ c: ForwardContext) {
    check(oct_add(c.batch * shape.count, c.input(0), c.input(1), c.output, Int32(c.threads)))
  }

  func backward(_ c: BackwardContext) {
    let count = c.batch * shape.count
    for sink in c.inputGradients {
      guard let sink else { continue }
      if sink.accumulate {
        check(oct_add(count, sink.pointer, c.outputGradient, sink.pointer, Int32(c.threads)))
      } else {
        check(oct_copy(count, c.outputGradient, sink.pointer, Int32(c.threads)))
      }
    }
  }
}

/// Keeps each element with probability 1 − p, scaled by 1 / (1 − p); the identity at inference.
struct Dropping: Operation {
  let shape: MapShape
  let probability: Float

  var kind: String { "dropout" }
  func outputShape(_ inputs: [MapShape]) -> MapShape { shape }
  var backwardReads: BackwardReads { .nothing }

  func forward(_ c: ForwardContext) {
    let count = c.batch * shape.count
    if c.isTraining {
      check(oct_dropout(count, probability, c.seed, c.input(0), c.output, false, Int32(c.threads)))
    } else {
      check(oct_copy(count, c.input(0), c.output, Int32(c.threads)))
    }
  }

  func backward(_ c: BackwardContext) {
    guard let sink = c.inputGradient(0) else { return }
    check(
      oct_dropout(
        c.batch * shape.count, probability, c.seed, c.outputGradient, sink.pointer, sink.accumulate,
        Int32(c.threads)))
  }
}
