import Foundation
import OctNet
import Testing

@testable import OctNetTraining

/// Losses beside the softmax cross-entropy of logits, which `LossKernelTests` and the network fixtures check.
struct LossTests {
  private static let shape = MapShape(height: 5, width: 6, channels: 2)

  /// A map of three channels for each pixel.
  private static func network() throws -> Network {
    try Network(inputShape: shape, seed: 2) { x in
      try Conv2d("conv", inputChannels: 2, outputChannels: 3, kernelSize: 3, padding: 1)(x)
    }
  }

  private static func numbers(_ count: Int, _ name: String) -> [Float] {
    var stream = RandomStream(seed: 2, name)
    return (0..<count).map { _ in stream.normal() }
  }

  /// The loss and its gradient in double precision, against what a step found.
  private func check(
    _ loss: any Loss, labels: [Int32] = [], values: [Float] = [],
    _ expected: (_ output: [Double]) -> Double
  ) throws -> StepResult {
    let network = try Self.network()
    let count = 4
    let images = Self.numbers(count * Self.shape.count, "images")
    let session = try TrainingSession(network: network, batchSize: count, threads: 2, loss: loss)
    let output = try session.forward(images: images)[0].map(Double.init)
    let result = try session.step(images: images, labels: labels, values: values)
    #expect(abs(Double(result.loss) - expected(output)) < 1e-5 * abs(expected(output)) + 1e-6)
    let found = try network.gradient("conv.weight").values
    // Differences in double precision at the outputs, carried to the weights by the session's own backward pass.
    var gradient: [Float] = []
    var moved = output
    for index in output.indices {
      moved[index] = output[index] + 1e-5
      let up = expected(moved)
      moved[index] = output[index] - 1e-5
      gradient.append(Float((up - expected(moved)) / 2e-5))
      moved[index] = output[index]
    }
    _ = try session.forward(images: images)
    try session.backward(outputGradients: ["output": gradient])
    expectClose(found, try network.gradient("conv.weight").values, within: 1e-4, "gradient")
    for threads in [1, 3] {
      let other = try Self.network()
      let session = try TrainingSession(network: other, batchSize: count, threads: threads, loss: loss)
      #expect(try session.step(images: images, labels: labels, values: values) == result)
      #expect(try other.gradient("conv.weight").values == found)
    }
    return result
  }

  @Test func crossEntropiesThatFitNothingAreRefused() throws {
    let network = try Self.network()
    for (loss, problem) in [
      (CrossEntropy(labelSmoothing: 2), "label smoothing is in 0 … 1, found 2.0"),
      (CrossEntropy(labelSmoothing: .nan), "label smoothing is in 0 … 1, found nan"),
      (CrossEntropy(classWeights: [1, 2]), "has weights for 2 classes, the output 3"),
      (CrossEntropy(classWeights: [1, -2, 3]), "are finite and at least 0, found -2.0"),
      (CrossEntropy(classWeights: [1, .infinity, 3]), "are finite and at least 0, found inf"),
    ] {
      let refusal = error { try TrainingSession(network: network, batchSize: 2, threads: 1, loss: loss) }
      #expect(refusal?.description.hasSuffix(problem) == true, "\(String(describing: refusal))")
    }
  }

  @Test func squaredError() throws {
    let values = Self.numbers(360, "values")
    let result = try check(MeanSquaredError(), values: values) { output in
      let differences = zip(output, values).map { $0 - Double($1) }
      return differences.map { $0 * $0 }.reduce(0, +) / 360
    }
    #expect(result.predictions == 0)
  }

  @Test(arguments: [[], [1, 3, 0.5]] as [[Float]]) func binaryCrossEntropy(weights: [Float]) throws {
    let values = Self.numbers(360, "values").map { $0 > 0.3 ? Float(1) : $0 > 0 ? 0.25 : 0 }
    let result = try check(BinaryCrossEntropy(positiveWeights: weights), values: values) { output in
      var sum = 0.0
      for (index, x) in output.enumerated() {
        let t = Double(values[index])
        let p: Double = 1 / (1 + exp(-x))
        let weight = weights.isEmpty ? 1 : Double(weights[index % 3])
        sum -= weight * t * log(p) + (1 - t) * log(1 - p)
      }
      return sum / 360
    }
    #expect(result.predictions == 4)
  }

  /// Of every pixel, as in segmentation.
  @Test func crossEntropyOfMaps() throws {
    let labels = (0..<120).map { Int32($0 * 7 % 3) }
    let result = try check(CrossEntropy(labelSmoothing: 0.1), labels: labels) { output in
      var sum = 0.0
      for (pixel, label) in labels.enumerated() {
        let row = Array(output[3 * pixel..<3 * pixel + 3])
        let total: Double = log(row.map { exp($0) }.reduce(0, +))
        let mean: Double = row.map { total - $0 }.reduce(0, +) / 3
        sum += 0.9 * (total - row[Int(label)]) + 0.1 * mean
      }
      return sum / 120
    }
    #expect(result.predictions == 120)
  }

  @Test func extremeLogitsStayFinite() throws {
    let network = try Self.network()
    var weight = try network.parameter("conv.weight")
    for index in weight.values.indices { weight.values[index] *= 1e6 }
    try network.setParameter("conv.weight", to: weight)
    let session = try TrainingSession(network: network, batchSize: 1, threads: 1, loss: BinaryCrossEntropy())
    let images = Self.numbers(Self.shape.count, "images")
    let result = try session.step(images: images, values: Self.numbers(90, "v").map { $0 > 0 ? 1 : 0 })
    #expect(result.loss.isFinite && result.loss > 1000)
    #expect(try network.gradient("conv.weight").values.allSatisfy(\.isFinite))
  }

  @Test func weightsMustFit() throws {
    #expect(throws: OctNetError.self) {
      try TrainingSession(
        network: Self.network(), batchSize: 1, threads: 1, loss: BinaryCrossEntropy(positiveWeights: [1, 2]))
    }
  }

  /// A loss of one's own over two outputs, one of them on the way to the other.
  @Test func aLossOfOnesOwn() throws {
    struct Both: Loss {
      func targets(for outputs: [Network.Output]) -> TargetCounts {
        TargetCounts(labels: 1, classes: outputs[0].shape.channels)
      }
      func evaluate(_ c: LossContext) -> LossValue {
        let size = c.shape(c.index(of: "map")).count
        var sum = 0.0
        for (index, value) in c.output(1).enumerated() {
          sum += Double(value * value) / Double(size)
          c.gradient(1)?[index] = 2 * c.scale * value / Float(size)
        }
        for image in 0..<c.count {
          let place = image * c.shape(0).channels + Int(c.labels[image])
          sum -= Double(c.output(0)[place])
          c.gradient(0)?[place] = -c.scale
        }
        return LossValue(sum: sum)
      }
    }
    let network = try Network(inputShape: Self.shape, seed: 2) { x in
      let map = try Conv2d("conv", inputChannels: 2, outputChannels: 3, kernelSize: 3, padding: 1)(x)
      return [
        ("logits", try Linear("fc", inputChannels: 3, outputChannels: 4)(GlobalAvgPool()(map))), ("map", map),
      ]
    }
    let session = try TrainingSession(network: network, batchSize: 3, threads: 2, loss: Both())
    let images = Self.numbers(3 * Self.shape.count, "images")
    let result = try session.step(images: images, labels: [1, 0, 3])
    let outputs = try session.forward(images: images)
    let squares = outputs[1].reduce(0.0) { $0 + Double($1 * $1) } / 90
    let picked = Double(outputs[0][1] + outputs[0][4] + outputs[0][11])
    #expect(abs(Double(result.loss) - (squares - picked) / 3) < 1e-5)
    let found = try network.gradient("conv.weight").values
    var gradient = [Float](repeating: 0, count: 12)
    for place in [1, 4, 11] { gradient[place] = -1.0 / 3 }
    try session.backward(outputGradients: ["logits": gradient, "map": outputs[1].map { 2 * $0 / 3 / 90 }])
    expectClose(found, try network.gradient("conv.weight").values, within: 1e-5, "gradient")
  }
}
