import OctNet
import Testing

@testable import OctNetCore

/// Networks of several outputs, some on the way to others.
struct OutputTests {
  private static let shape = MapShape(height: 9, width: 7, channels: 3)

  /// - Parameter isSmooth: without the kinks that differences stumble over.
  private static func network(isSmooth: Bool = false) throws -> Network {
    try Network(inputShape: shape, seed: 4) { x in
      let relu: any Layer = isSmooth ? SiLU() : ReLU()
      let enter = OctConv2d(
        "enter", inputChannels: 3, outputChannels: 8, kernelSize: 3, padding: 1, alphaIn: 0, alphaOut: 0.25)
      let leave = OctConv2d(
        "leave", inputChannels: 8, outputChannels: 8, kernelSize: 3, padding: 1, alphaIn: 0.25, alphaOut: 0)
      let stem = try relu(BatchNorm2d("norm", channels: 8, alpha: 0.25)(enter(x)))
      let map = try relu(BatchNorm2d("norm2", channels: 8)(leave(stem)))
      let logits = try Linear("fc", inputChannels: 8, outputChannels: 5)(GlobalAvgPool()(map))
      return [("logits", logits), ("stem", stem), ("map", map)]
    }
  }

  private static func numbers(_ count: Int, _ name: String) -> [Float] {
    var stream = RandomStream(seed: 2, name)
    return (0..<count).map { _ in stream.normal() }
  }

  @Test func namesAndShapes() throws {
    let network = try Self.network()
    #expect(network.outputs.map(\.name) == ["logits", "stem.high", "stem.low", "map"])
    #expect(
      network.outputs.map(\.shape.description) == ["1×1×5", "9×7×6", "5×4×2", "9×7×8"])
  }

  /// What a network says of a map is what another one says that ends there.
  @Test(arguments: [true, false]) func allAreGiven(fused: Bool) throws {
    let network = try Self.network()
    let images = Self.numbers(3 * Self.shape.count, "images")
    let session = try InferenceSession(network: network, batchSize: 4, threads: 2, fused: fused)
    let outputs = try session.outputs(images: images)
    #expect(outputs.mapValues(\.count) == ["logits": 15, "stem.high": 1134, "stem.low": 120, "map": 1512])
    #expect(try session.logits(images: images) == outputs["logits"])
    // The pool and the linear layer by hand.
    let map = try #require(outputs["map"])
    let weight = try network.parameter("fc.weight").values
    let bias = try network.parameter("fc.bias").values
    for image in 0..<3 {
      let means = (0..<8).map { channel in
        (0..<63).reduce(0.0) { $0 + Double(map[(image * 63 + $1) * 8 + channel]) } / 63
      }
      for output in 0..<5 {
        let expected = means.enumerated().reduce(Double(bias[output])) {
          $0 + $1.element * Double(weight[output * 8 + $1.offset])
        }
        #expect(abs(expected - Double(outputs["logits"]![image * 5 + output])) < 1e-5)
      }
    }
    let merely = try Network(inputShape: Self.shape, seed: 4) { x in
      let enter = OctConv2d(
        "enter", inputChannels: 3, outputChannels: 8, kernelSize: 3, padding: 1, alphaIn: 0, alphaOut: 0.25)
      return [("stem", try ReLU()(BatchNorm2d("norm", channels: 8, alpha: 0.25)(enter(x))))]
    }
    let stem = try InferenceSession(network: merely, batchSize: 4, threads: 1, fused: fused).outputs(
      images: images)
    #expect(stem["stem.high"] == outputs["stem.high"] && stem["stem.low"] == outputs["stem.low"])
  }

  /// Gradients of the caller's own at all outputs, and that of the input, against differences.
  @Test(arguments: [true, false], [true, false])
  func gradientsOfAllOutputs(fused: Bool, recomputes: Bool) throws {
    let network = try Self.network(isSmooth: true)
    let count = 3
    let session = try TrainingSession(
      network: network, batchSize: count, threads: 2, inputGradient: true, fused: fused,
      recomputes: recomputes)
    var images = Self.numbers(count * Self.shape.count, "images")
    var gradients: [String: [Float]] = [:]
    for output in network.outputs {
      gradients[output.name] = Self.numbers(count * output.shape.count, output.name)
    }
    func loss() throws -> Double {
      let found = try session.forward(images: images)
      return zip(network.outputs, found).reduce(0.0) { sum, pair in
        zip(pair.1, gradients[pair.0.name]!).reduce(sum) { $0 + Double($1.0) * Double($1.1) }
      }
    }
    _ = try loss()
    try session.backward(outputGradients: gradients)
    let input = session.inputGradient(count: count)
    let weight = try network.gradient("enter.conv_h2h.weight")
    // Of all elements at once, in a direction.
    let direction = Self.numbers(images.count, "direction")
    let start = images
    func moved(_ step: Float) throws -> Double {
      images = zip(start, direction).map { $0 + step * $1 }
      return try loss()
    }
    let numeric = try (moved(1e-3) - moved(-1e-3)) / 2e-3
    let analytic = zip(input, direction).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    #expect(abs(numeric - analytic) < 0.002 * abs(analytic) + 0.05, "\(numeric) \(analytic)")
    images = start
    var values = try network.parameter("enter.conv_h2h.weight")
    let before = values
    func stepped(_ step: Float) throws -> Double {
      for index in values.values.indices {
        values.values[index] = before.values[index] + step * direction[index]
      }
      try network.setParameter("enter.conv_h2h.weight", to: values)
      return try loss()
    }
    let byWeight = try (stepped(1e-3) - stepped(-1e-3)) / 2e-3
    let expected = zip(weight.values, direction).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
    #expect(abs(byWeight - expected) < 0.002 * abs(expected) + 0.05, "\(byWeight) \(expected)")
  }

  /// An output that nobody names has no part in the gradients.
  @Test func unnamedOutputsAreZero() throws {
    let network = try Self.network()
    let images = Self.numbers(2 * Self.shape.count, "images")
    let session = try TrainingSession(network: network, batchSize: 2, threads: 2)
    _ = try session.forward(images: images)
    try session.backward(outputGradients: ["stem.low": Self.numbers(2 * 5 * 4 * 2, "low")])
    #expect(try network.gradient("leave.conv_h2h.weight").values.allSatisfy { $0 == 0 })
    #expect(try network.gradient("enter.conv_h2h.weight").values.allSatisfy { $0 == 0 })
    #expect(try network.gradient("enter.conv_h2l.weight").values.contains { $0 != 0 })
  }

  @Test func whatCannotBeIsSaid() throws {
    func problem(_ body: @escaping (OctFeature) throws -> [(name: String, feature: OctFeature)]) -> String? {
      do {
        _ = try Graph(inputShape: Self.shape, outputs: body)
        return nil
      } catch { return "\(error)" }
    }
    let conv = Conv2d("a", inputChannels: 3, outputChannels: 4, kernelSize: 1)
    #expect(problem { _ in [] } == "network: the network has no output")
    #expect(problem { x in [("x", x)] } == "network: the network has no layers before x")
    #expect(problem { x in [("", try conv(x))] } == "network: output 1 has no name")
    #expect(
      problem { x in
        let y = try conv(x)
        return [("y", y), ("z", y)]
      } == "network: y and z are the same map")
    #expect(
      problem { x in [("y", try conv(x)), ("y", try ReLU()(x))] } == "network: two outputs are called y")
  }

  @Test func lengthsAreChecked() throws {
    let network = try Self.network()
    let session = try TrainingSession(network: network, batchSize: 2, threads: 1)
    let images = Self.numbers(2 * Self.shape.count, "images")
    func problem(_ body: () throws -> Void) -> String {
      do {
        try body()
        return "none"
      } catch { return "\(error)" }
    }
    #expect(
      problem { try session.step(images: Array(images.dropLast()), labels: [0, 1]) }
        == "images: found 377 numbers, expected 9×7×3 for each image, of which there may be 2")
    #expect(
      problem { try session.step(images: images, labels: [0]) } == "labels: found 1 for 2 images, expected 2")
    #expect(
      problem { try session.step(images: images, labels: [0, 5]) } == "labels: found 5 at 1, expected 0 ..< 5"
    )
    #expect(
      problem { try session.step(images: images, labels: [0, 1], values: [1]) }
        == "values: found 1 for 2 images, expected none")
    #expect(
      problem { try session.backward(outputGradients: [:]) } == "backward: there is no forward pass before it"
    )
    _ = try session.forward(images: images)
    #expect(
      problem { try session.backward(outputGradients: ["x": []]) }
        == "outputGradients: found \"x\", expected one of logits, stem.high, stem.low, map")
    #expect(
      problem { try session.backward(outputGradients: ["logits": [1]]) }
        == "outputGradients: found 1 number for logits, expected 2 × 1×1×5")
    let inference = try InferenceSession(network: network, batchSize: 2, threads: 1)
    #expect(problem { _ = try inference.logits(images: []) }.hasPrefix("images: found 0 numbers"))
    #expect(
      problem { _ = try inference.logits(images: images + images) }.hasPrefix("images: found 756 numbers"))
    #expect(
      problem { _ = try network.parameter("fc.wait") }.hasPrefix("fc.wait: the network has no parameter"))
    #expect(
      problem { try network.setParameter("fc.bias", to: Tensor(zeros: [4])) }
        == "fc.bias: found shape [4], expected [5]")
  }
}
