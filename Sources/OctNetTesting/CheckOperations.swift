import OctNetCore

/// A map that comes from a parameter, so that its gradient can be asked for. The parameter holds the whole batch,
/// [image, row, column, channel].
struct ParameterSource: Operation {
  let parameter: ParameterID
  let shape: MapShape

  var kind: String { "source" }
  var parameters: [ParameterID] { [parameter] }
  var backwardReads: BackwardReads { .nothing }

  func outputShape(_ inputs: [MapShape]) -> MapShape { shape }

  func forward(_ c: ForwardContext) {
    c.output.update(from: c.value(parameter), count: c.batch * shape.count)
  }

  func backward(_ c: BackwardContext) {
    c.gradient(parameter).update(from: c.outputGradient, count: c.batch * shape.count)
  }
}

/// Σ w · x over all elements of its inputs, with weights of its own for each element: a loss to which everything
/// contributes differently.
///
/// The sum is made in double precision; the output's two channels are its leading and its remaining digits.
struct WeightedSum: Operation {
  let shapes: [MapShape]
  /// One for each element of all inputs of one image, times a factor of the image.
  let weights: [Float]

  var kind: String { "weighted_sum" }
  var backwardReads: BackwardReads { .nothing }

  func outputShape(_ inputs: [MapShape]) -> MapShape { MapShape(height: 1, width: 1, channels: 2) }

  private func weight(_ image: Int, _ index: Int) -> Float { weights[index] * (1 + 0.25 * Float(image)) }

  func forward(_ c: ForwardContext) {
    for image in 0..<c.batch {
      var sum = 0.0
      var first = 0
      for (number, shape) in shapes.enumerated() {
        let map = c.input(number) + image * shape.count
        for index in 0..<shape.count {
          sum += Double(weight(image, first + index)) * Double(map[index])
        }
        first += shape.count
      }
      c.output[2 * image] = Float(sum)
      c.output[2 * image + 1] = Float(sum - Double(Float(sum)))
    }
  }

  func backward(_ c: BackwardContext) {
    var first = 0
    for (number, shape) in shapes.enumerated() {
      defer { first += shape.count }
      guard let sink = c.inputGradient(number) else { continue }
      for image in 0..<c.batch {
        let map = sink.pointer + image * shape.count
        for index in 0..<shape.count {
          let gradient = weight(image, first + index) * c.outputGradient[2 * image]
          map[index] = sink.accumulate ? map[index] + gradient : gradient
        }
      }
    }
  }
}
