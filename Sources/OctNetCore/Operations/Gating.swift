import CKernels
import OctNetSupport

/// x · gate: a map times a number for each image and channel. Inputs: the map, and the gate as a 1×1 map.
struct Gating: Operation {
  let shape: MapShape

  var kind: String { "gate" }
  var backwardReads: BackwardReads { .init(inputs: 2) }

  /// - Throws: `OctNetError.graph` for a gate that is not 1×1 of the map's channels.
  func outputShape(_ inputs: [MapShape]) throws(OctNetError) -> MapShape {
    guard inputs[1] == MapShape(height: 1, width: 1, channels: shape.channels) else {
      throw .graph(layer: "", "a gate of \(shape) is 1×1×\(shape.channels), found \(inputs[1])")
    }
    return shape
  }

  func forward(_ c: ForwardContext) {
    check(
      oct_gate_forward(
        c.batch, shape.pixels, shape.channels, c.input(0), c.input(1), c.output, false, Int32(c.threads)))
  }

  func backward(_ c: BackwardContext) {
    // In the order of the inputs: where both are one map, the second adds to what the first one wrote.
    if let sink = c.inputGradient(0) {
      check(
        oct_gate_forward(
          c.batch, shape.pixels, shape.channels, c.outputGradient, c.input(1), sink.pointer, sink.accumulate,
          Int32(c.threads)))
    }
    if let gate = c.inputGradient(1) {
      check(
        oct_gate_backward(
          c.batch, shape.pixels, shape.channels, c.input(0), c.outputGradient, gate.pointer, gate.accumulate,
          Int32(c.threads)))
    }
  }
}

extension SymbolicMap {
  /// Each channel times a number of its own, [h, w, c] · [1, 1, c].
  /// - Throws: `OctNetError.graph` where the gate is not 1×1 of this map's channels.
  public func gated(by gate: SymbolicMap) throws(OctNetError) -> SymbolicMap {
    try applying(Gating(shape: shape), gate)
  }
}
