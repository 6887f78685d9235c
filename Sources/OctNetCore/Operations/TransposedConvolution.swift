import CKernels
import OctNetSupport

/// A convolution backward: each pixel of the input spreads over a window of the output, as PyTorch's `ConvTranspose2d`.
///
/// `geometry` is the convolution from the output to the input whose backward passes these are: the forward pass is its
/// backward-data, and the other way round. PyTorch's weights [in, out / groups, kh, kw] are that convolution's OIHW.
struct TransposedConvolution: Operation {
  let geometry: ConvGeometry
  let weight: ParameterID
  let bias: ParameterID?

  var kind: String { "conv_transpose" }
  func outputShape(_ inputs: [MapShape]) -> MapShape { output }
  var macs: Int { geometry.macs }
  var computedMacs: Int { geometry.computedMacs }
  var parameters: [ParameterID] { [weight] + (bias.map { [$0] } ?? []) }
  var backwardReads: BackwardReads { .init(inputs: 1) }

  private var output: MapShape { geometry.input }

  func scratchBytes(_ pass: Pass, batch: Int, threads: Int) -> Int {
    var descriptor = geometry.descriptor(batch: batch)
    guard pass == .backward else {
      return oct_conv2d_backward_data_scratch_bytes(&descriptor, Int32(threads))
    }
    return [
      oct_conv2d_forward_scratch_bytes(&descriptor, Int32(threads)),
      oct_conv2d_backward_weights_scratch_bytes(&descriptor, Int32(threads)),
      bias == nil ? 0 : oct_bias_backward_scratch_bytes(batch * output.pixels, output.channels),
    ].reduce(0, max)
  }

  func forward(_ c: ForwardContext) {
    var descriptor = geometry.descriptor(batch: c.batch)
    let threads = Int32(c.threads)
    check(
      oct_conv2d_backward_data(
        &descriptor, c.input(0), c.value(weight), c.output, false, c.scratch.baseAddress, threads))
    guard let bias else { return }
    check(oct_bias_forward(c.batch * output.pixels, output.channels, c.value(bias), c.output, threads))
  }

  func backward(_ c: BackwardContext) {
    var descriptor = geometry.descriptor(batch: c.batch)
    let threads = Int32(c.threads)
    if c.needsGradient(weight) {
      check(
        oct_conv2d_backward_weights(
          &descriptor, c.outputGradient, c.input(0), c.gradient(weight), false, nil, c.scratch.baseAddress,
          threads))
    }
    if let bias, c.needsGradient(bias) {
      check(
        oct_bias_backward(
          c.batch * output.pixels, output.channels, c.outputGradient, c.gradient(bias), c.scratch.baseAddress,
          threads))
    }
    if let sink = c.inputGradient(0) {
      check(
        oct_conv2d_forward(
          &descriptor, c.outputGradient, c.value(weight), nil, sink.pointer, sink.accumulate,
          c.scratch.baseAddress, threads))
    }
  }
}
