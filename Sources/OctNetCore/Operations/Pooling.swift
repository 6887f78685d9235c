import CKernels
import OctNetSupport

/// The windows of a pooling layer, batch left open.
package struct PoolGeometry: Hashable, Sendable {
  package let input: MapShape
  package private(set) var output: MapShape
  package let kernelSize, stride, padding: Int

  /// ⌊ or ⌈ (size + 2·padding − kernel) / stride ⌋ + 1; a ceil-mode window that would start past the map is dropped,
  /// as in PyTorch.
  init(input: MapShape, kernelSize: Int, stride: Int, padding: Int, ceilMode: Bool) {
    func extent(_ size: Int) -> Int {
      let span = size + 2 * padding - kernelSize
      guard ceilMode else { return span < 0 ? 0 : span / stride + 1 }
      let count = max(0, span + stride - 1) / stride + 1
      return (count - 1) * stride >= size + padding ? count - 1 : count
    }
    self.input = input
    self.kernelSize = kernelSize
    self.stride = stride
    self.padding = padding
    output = MapShape(height: extent(input.height), width: extent(input.width), channels: input.channels)
  }

  /// The same windows, with the rows and columns of them that `other`, in ceil mode, has.
  func extended(toHeight: Bool, toWidth: Bool, of other: PoolGeometry) -> PoolGeometry {
    var result = self
    if toHeight { result.output.height = other.output.height }
    if toWidth { result.output.width = other.output.width }
    return result
  }

  func descriptor(batch: Int) -> oct_pool2d_desc {
    oct_pool2d_desc(
      n: batch, ih: input.height, iw: input.width, c: input.channels, oh: output.height, ow: output.width,
      kh: kernelSize, kw: kernelSize, sh: stride, sw: stride, ph: padding, pw: padding)
  }
}

/// The mean of each window over the pixels that are really inside.
struct AveragePooling: Operation {
  let geometry: PoolGeometry

  var kind: String { "avg_pool" }
  func outputShape(_ inputs: [MapShape]) -> MapShape { geometry.output }
  var backwardReads: BackwardReads { .nothing }

  func forward(_ c: ForwardContext) {
    var descriptor = geometry.descriptor(batch: c.batch)
    check(oct_avg_pool2d_forward(&descriptor, c.input(0), c.output, Int32(c.threads)))
  }

  func backward(_ c: BackwardContext) {
    guard let sink = c.inputGradient(0) else { return }
    var descriptor = geometry.descriptor(batch: c.batch)
    check(
      oct_avg_pool2d_backward(
        &descriptor, c.outputGradient, sink.pointer, sink.accumulate, Int32(c.threads)))
  }
}

/// The largest pixel of each window; the first one on ties.
struct MaxPooling: Operation {
  let geometry: PoolGeometry

  var kind: String { "max_pool" }
  func outputShape(_ inputs: [MapShape]) -> MapShape { geometry.output }
  var backwardReads: BackwardReads { .nothing }

  /// Which pixel of the window won.
  func savedBytes(batch: Int) -> Int { batch * geometry.output.count * MemoryLayout<Int32>.stride }

  func forward(_ c: ForwardContext) {
    var descriptor = geometry.descriptor(batch: c.batch)
    let argmax = c.isTraining ? c.saved.baseAddress?.assumingMemoryBound(to: Int32.self) : nil
    check(oct_max_pool2d_forward(&descriptor, c.input(0), c.output, argmax, Int32(c.threads)))
  }

  func backward(_ c: BackwardContext) {
    guard let sink = c.inputGradient(0) else { return }
    guard let argmax = c.saved.baseAddress?.assumingMemoryBound(to: Int32.self) else {
      preconditionFailure("max pooling needs its saved winners")
    }
    var descriptor = geometry.descriptor(batch: c.batch)
    check(
      oct_max_pool2d_backward(
        &descriptor, c.outputGradient, argmax, sink.pointer, sink.accumulate, Int32(c.threads)))
  }
}

/// The mean over all pixels: [h, w, c] → [1, 1, c].
struct GlobalAveragePooling: Operation {
  let input: MapShape

  var kind: String { "global_avg_pool" }
  func outputShape(_ inputs: [MapShape]) -> MapShape {
    MapShape(height: 1, width: 1, channels: input.channels)
  }
  var backwardReads: BackwardReads { .nothing }

  func forward(_ c: ForwardContext) {
    check(
      oct_global_avg_pool_forward(
        c.batch, input.pixels, input.channels, c.input(0), c.output, Int32(c.threads)))
  }

  func backward(_ c: BackwardContext) {
    guard let sink = c.inputGradient(0) else { return }
    check(
      oct_global_avg_pool_backward(
        c.batch, input.pixels, input.channels, c.outputGradient, sink.pointer, sink.accumulate,
        Int32(c.threads)))
  }
}
