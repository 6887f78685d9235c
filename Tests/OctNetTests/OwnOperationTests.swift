import OctNet
import OctNetTesting
import Testing

/// y = x / (1 + e^(−β x)) with a β a channel (Ramachandran et al., "Searching for Activation Functions", 2017), written as
/// somebody outside the library would: with nothing but its public interface.
private struct LearnedSwish: Operation {
  let shape: MapShape
  let beta: ParameterID
  /// Of d(loss)/dβ; a wrong one must be found.
  var gradientFactor: Float = 1

  var kind: String { "learned_swish" }
  var parameters: [ParameterID] { [beta] }
  var backwardReads: BackwardReads { BackwardReads(inputs: 1) }

  func outputShape(_ inputs: [MapShape]) -> MapShape { inputs[0] }

  private func gate(_ x: Float, _ beta: Float) -> Float { Float(1 / (1 + exponential(-Double(beta * x)))) }

  /// e^x by its series at x / 1024, squared ten times.
  private func exponential(_ x: Double) -> Double {
    let small = x / 1024
    var result = 1 + small * (1 + small / 2 * (1 + small / 3 * (1 + small / 4)))
    for _ in 0..<10 { result *= result }
    return result
  }

  func forward(_ c: ForwardContext) {
    let (x, y, beta) = (c.input(0), c.output, c.value(beta))
    let channels = shape.channels
    c.parallel(c.batch * shape.pixels) { rows in
      for index in rows.lowerBound * channels..<rows.upperBound * channels {
        y[index] = x[index] * gate(x[index], beta[index % channels])
      }
    }
  }

  func backward(_ c: BackwardContext) {
    let (x, dy, beta) = (c.input(0), c.outputGradient, c.value(beta))
    let (channels, rows) = (shape.channels, c.batch * shape.pixels)
    if let sink = c.inputGradient(0) {
      c.parallel(rows) { rows in
        for index in rows.lowerBound * channels..<rows.upperBound * channels {
          let (b, s) = (beta[index % channels], gate(x[index], beta[index % channels]))
          let gradient = dy[index] * (s + b * x[index] * s * (1 - s))
          sink.pointer[index] = sink.accumulate ? sink.pointer[index] + gradient : gradient
        }
      }
    }
    let gradient = c.gradient(self.beta)
    // Channels are divided, so that no sum depends on the number of threads.
    c.parallel(channels) { part in
      for channel in part {
        var sum: Float = 0
        for row in 0..<rows {
          let (value, index) = (x[row * channels + channel], row * channels + channel)
          let s = gate(value, beta[channel])
          sum += dy[index] * value * value * s * (1 - s)
        }
        gradient[channel] = sum * gradientFactor
      }
    }
  }
}

private struct LearnedSwishLayer: Layer {
  let name: String
  var gradientFactor: Float = 1

  func forward(_ x: OctFeature) throws -> OctFeature {
    func apply(_ map: SymbolicMap, _ part: String) throws -> SymbolicMap {
      let beta = try map.builder.addParameter(
        "beta_" + part, .normScale, shape: [map.shape.channels], .constant(1))
      return try map.applying(
        LearnedSwish(shape: map.shape, beta: beta, gradientFactor: gradientFactor))
    }
    guard let high = x.high, let low = x.low else {
      return OctFeature(try apply(x.plain(for: "a test"), "h"))
    }
    return try OctFeature(high: apply(high, "h"), low: apply(low, "l"))
  }
}

@Suite struct OwnOperationTests {
  @Test(arguments: [0, 0.5]) func gradientsAgree(alpha: Double) throws {
    let check = GradientCheck(inputShape: MapShape(height: 5, width: 3, channels: 6), alpha: alpha)
    #expect(try check.run { try LearnedSwishLayer(name: "swish")($0) } == [])
  }

  @Test func wrongGradientsAreFound() throws {
    let check = GradientCheck(inputShape: MapShape(height: 5, width: 3, channels: 6))
    let found = try check.run { try LearnedSwishLayer(name: "swish", gradientFactor: 1.03)($0) }
    #expect(found.count == 6 && found.allSatisfy { $0.name == "swish.beta_h" }, "\(found)")
  }

  /// The library's own layers pass the check that they are measured by elsewhere.
  @Test func layersOfTheLibrary() throws {
    let check = GradientCheck(inputShape: MapShape(height: 7, width: 6, channels: 8), alpha: 0.25)
    let found = try check.run { x in
      let conv = OctConv2d(
        "conv", inputChannels: 8, outputChannels: 12, kernelSize: 3, padding: 1, bias: true, alphaIn: 0.25,
        alphaOut: 0.5)
      return try SiLU()(BatchNorm2d("norm", channels: 12, alpha: 0.5)(conv(x)))
    }
    #expect(found == [])
  }

  @Test func trains() throws {
    let network = try Network(inputShape: MapShape(height: 4, width: 4, channels: 3), seed: 3) { x in
      let conv = Conv2d("conv", inputChannels: 3, outputChannels: 8, kernelSize: 3, padding: 1)
      return try Linear("fc", inputChannels: 8, outputChannels: 2)(
        GlobalAvgPool()(LearnedSwishLayer(name: "swish")(conv(x))))
    }
    let session = try TrainingSession(network: network, batchSize: 4, threads: 2)
    let optimizer = Optimizer(parameters: network.parameters, configuration: .sgd, threads: 2)
    let labels: [Int32] = [0, 1, 0, 1]
    let images = (0..<4 * network.inputShape.count).map { Float(labels[$0 / network.inputShape.count]) }
    let first = session.step(images: images, labels: labels, count: 4).loss
    for _ in 0..<20 {
      optimizer.update(learningRate: 0.2)
      _ = session.step(images: images, labels: labels, count: 4)
    }
    #expect(session.step(images: images, labels: labels, count: 4).loss < first / 2)
    #expect(network.gradients().contains { $0.name == "swish.beta_h" })
  }
}
