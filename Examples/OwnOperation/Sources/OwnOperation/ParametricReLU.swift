import OctNetInference

/// y = x where x is above 0, and slope · x elsewhere, with a slope for each channel that is learned (He et al. 2015,
/// arXiv 1502.01852).
///
/// An operation is a value: sizes and parameters, no memory. What it reads and writes comes with the context.
struct ParametricReLU: Operation {
  let shape: MapShape
  let slope: ParameterID

  var kind: String { "prelu" }
  var parameters: [ParameterID] { [slope] }
  /// Backward asks for x: the planner keeps it until then.
  var backwardReads: BackwardReads { BackwardReads(inputs: 1) }

  func outputShape(_ inputs: [MapShape]) -> MapShape { inputs[0] }

  func forward(_ c: ForwardContext) {
    let (x, y, slope) = (c.input(0), c.output, c.value(slope))
    let channels = shape.channels
    c.parallel(c.batch * shape.pixels) { pixels in
      for pixel in pixels {
        let first = pixel * channels
        for channel in 0..<channels {
          let value = x[first + channel]
          y[first + channel] = value > 0 ? value : slope[channel] * value
        }
      }
    }
  }

  func backward(_ c: BackwardContext) {
    let (x, dy, slope) = (c.input(0), c.outputGradient, c.value(slope))
    let (channels, pixels) = (shape.channels, c.batch * shape.pixels)
    // nil where nothing that is trained lies upstream.
    if let sink = c.inputGradient(0) {
      c.parallel(pixels) { pixels in
        for pixel in pixels {
          for channel in 0..<channels {
            let index = pixel * channels + channel
            let gradient = x[index] > 0 ? dy[index] : slope[channel] * dy[index]
            sink.pointer[index] = sink.accumulate ? sink.pointer[index] + gradient : gradient
          }
        }
      }
    }
    guard c.needsGradient(self.slope) else { return }
    // Each channel is summed by one thread, in order: the same bits for any number of threads.
    let gradient = c.gradient(self.slope)
    c.parallel(channels) { part in
      for channel in part {
        var sum = 0.0
        for pixel in 0..<pixels {
          let index = pixel * channels + channel
          if x[index] <= 0 { sum += Double(x[index] * dy[index]) }
        }
        gradient[channel] = Float(sum)
      }
    }
  }
}
