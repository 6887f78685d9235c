import CKernels
import OctNetSupport

/// output = conv(input, weight) + bias. Linear layers are this on 1×1 maps.
struct Convolution: Operation {
  let geometry: ConvGeometry
  let weight: ParameterID
  let bias: ParameterID?
  var kind = "conv"

  var macs: Int { geometry.macs }
  var computedMacs: Int { geometry.computedMacs }
  var parameters: [ParameterID] { [weight] + (bias.map { [$0] } ?? []) }
  var backwardReads: BackwardReads { .init(inputs: 1) }
  var profilesBackward: Bool { true }
  var runsUpdates: Bool { true }

  func scratchBytes(_ pass: Pass, batch: Int, threads: Int) -> Int {
    var descriptor = geometry.descriptor(batch: batch)
    let thread = Int32(threads)
    guard pass == .backward else { return oct_conv2d_forward_scratch_bytes(&descriptor, thread) }
    let biasBytes =
      bias == nil
      ? 0 : oct_bias_backward_scratch_bytes(batch * geometry.output.pixels, geometry.output.channels)
    return max(
      oct_conv2d_backward_data_scratch_bytes(&descriptor, thread),
      oct_conv2d_backward_weights_scratch_bytes(&descriptor, thread), biasBytes)
  }

  func forward(_ c: ForwardContext) {
    var descriptor = geometry.descriptor(batch: c.batch)
    check(
      oct_conv2d_forward(
        &descriptor, c.inputs[0], c.memory.value(weight), bias.map { UnsafePointer(c.memory.value($0)) },
        c.output, false, c.scratch, Int32(c.threads)))
  }

  func backward(_ c: BackwardContext) {
    var descriptor = geometry.descriptor(batch: c.batch)
    let threads = Int32(c.threads)
    c.profiled(kind, .backwardWeights, geometry) {
      check(
        c.besideUpdates {
          oct_conv2d_backward_weights(
            &descriptor, c.inputs[0], c.outputGradient, c.memory.gradient(weight), false, $0, c.scratch,
            threads)
        })
      if let bias {
        check(
          oct_bias_backward(
            c.batch * geometry.output.pixels, geometry.output.channels, c.outputGradient,
            c.memory.gradient(bias), c.scratch, threads))
      }
    }
    if let sink = c.inputGradients[0] {
      c.profiled(kind, .backwardData, geometry) {
        check(
          oct_conv2d_backward_data(
            &descriptor, c.outputGradient, c.memory.value(weight), sink.pointer, sink.accumulate, c.scratch,
            threads))
      }
    }
  }
}

extension BackwardContext {
  /// Runs one part of a convolution's backward pass, and reports it where somebody asks.
  func profiled(_ kind: String, _ part: Profiler.Part, _ geometry: ConvGeometry, _ body: () -> Void) {
    guard let profiler else { return body() }
    profiler.measure(
      kind, part,
      shapes: "\(geometry.input)→\(geometry.output) \(geometry.kernelHeight)×\(geometry.kernelWidth)",
      operations: 2 * Double(batch * geometry.computedMacs),
      bytes: geometry.bytes(batch: batch), body)
  }

  /// A backward pass that multiplies nothing.
  func profiled(_ kind: String, shapes: String, bytes: Double, _ body: () -> Void) {
    guard let profiler else { return body() }
    profiler.measure(kind, .backward, shapes: shapes, bytes: bytes, body)
  }
}
