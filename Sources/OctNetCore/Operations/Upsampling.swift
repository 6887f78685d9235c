import CKernels
import OctNetSupport

/// Nearest upsampling by two, cropped to the map it will join.
struct Upsampling: Operation {
  let input, output: MapShape

  var kind: String { "upsample" }
  func outputShape(_ inputs: [MapShape]) -> MapShape { output }
  var role: OperationRole { .upsampling }
  var backwardReads: BackwardReads { .nothing }

  private func descriptor(batch: Int) -> oct_upsample2x_desc {
    oct_upsample2x_desc(
      n: batch, ih: input.height, iw: input.width, c: input.channels, oh: output.height, ow: output.width)
  }

  func forward(_ c: ForwardContext) {
    var descriptor = descriptor(batch: c.batch)
    check(oct_upsample2x_forward(&descriptor, c.input(0), c.output, false, Int32(c.threads)))
  }

  func backward(_ c: BackwardContext) {
    guard let sink = c.inputGradient(0) else { return }
    backward(c.outputGradient, batch: c.batch, threads: c.threads, into: sink)
  }

  /// The sum over the pixels that each pixel of the input became.
  func backward(
    _ outputGradient: UnsafePointer<Float>, batch: Int, threads: Int, into sink: GradientSink
  ) {
    var descriptor = descriptor(batch: batch)
    check(
      oct_upsample2x_backward(&descriptor, outputGradient, sink.pointer, sink.accumulate, Int32(threads)))
  }
}
