import CKernels
import OctNetSupport

/// Upsampling by a whole factor, nearest or bilinear, cropped by less than the factor.
struct Resampling: Operation {
  let input, output: MapShape
  let scale: Int
  let isBilinear: Bool

  var kind: String { isBilinear ? "bilinear" : "nearest" }
  func outputShape(_ inputs: [MapShape]) -> MapShape { output }
  var backwardReads: BackwardReads { .nothing }

  private func descriptor(batch: Int) -> oct_upsample_desc {
    oct_upsample_desc(
      n: batch, ih: input.height, iw: input.width, c: input.channels, oh: output.height, ow: output.width,
      scale: scale, bilinear: isBilinear)
  }

  func forward(_ c: ForwardContext) {
    var descriptor = descriptor(batch: c.batch)
    check(oct_upsample_forward(&descriptor, c.input(0), c.output, Int32(c.threads)))
  }

  func backward(_ c: BackwardContext) {
    guard let sink = c.inputGradient(0) else { return }
    var descriptor = descriptor(batch: c.batch)
    check(
      oct_upsample_backward(
        &descriptor, c.outputGradient, sink.pointer, sink.accumulate, Int32(c.threads)))
  }
}

extension SymbolicMap {
  /// Upsampled by a whole factor and cropped to height × width, of which it is the least that covers them.
  func resampled(by scale: Int, height: Int, width: Int, bilinear: Bool = false) throws(OctNetError)
    -> SymbolicMap
  {
    if scale == 1, height == shape.height, width == shape.width { return self }
    if scale == 2, !bilinear { return try upsampledByTwo(height: height, width: width) }
    let output = MapShape(height: height, width: width, channels: shape.channels)
    return try applying(Resampling(input: shape, output: output, scale: scale, isBilinear: bilinear))
  }

  /// The first rows and columns.
  func cropped(height: Int, width: Int) throws(OctNetError) -> SymbolicMap {
    guard height != shape.height || width != shape.width else { return self }
    let output = MapShape(height: height, width: width, channels: shape.channels)
    return try applying(Cropping(input: shape, output: output))
  }
}

/// The first rows and columns of a map.
struct Cropping: Operation {
  let input, output: MapShape

  var kind: String { "crop" }
  func outputShape(_ inputs: [MapShape]) -> MapShape { output }
  var backwardReads: BackwardReads { .nothing }

  func forward(_ c: ForwardContext) {
    let (from, to) = (input.width * input.channels, output.width * output.channels)
    c.parallel(c.batch * output.height) { rows in
      for row in rows {
        let source = (row / output.height * input.height + row % output.height) * from
        (c.output + row * to).update(from: c.input(0) + source, count: to)
      }
    }
  }

  func backward(_ c: BackwardContext) {
    guard let sink = c.inputGradient(0) else { return }
    let (to, from) = (input.width * input.channels, output.width * output.channels)
    c.parallel(c.batch * input.height) { rows in
      for row in rows {
        let (image, y) = (row / input.height, row % input.height)
        let target = sink.pointer + row * to
        let kept = y < output.height ? from : 0
        let source = c.outputGradient + (image * output.height + min(y, output.height - 1)) * from
        if sink.accumulate {
          for index in 0..<kept { target[index] += source[index] }
        } else {
          target.update(from: source, count: kept)
          (target + kept).update(repeating: 0, count: to - kept)
        }
      }
    }
  }
}
