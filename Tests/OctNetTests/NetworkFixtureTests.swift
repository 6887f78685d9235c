import Foundation
import Testing

import OctNet
@testable import OctNetTraining

/// Whole networks against PyTorch in float64: logits, loss, the gradient of every parameter and the running
/// statistics, from weights that both sides draw from the keys' hashes.
///
/// Of each gradient the fixture has the norm, two dot products with random signs, and eight entries. Measured
/// over all cases with AVX-512, AVX2 and the portable kernels: logits 1.9e-6, around their mean 4.2e-5, loss
/// 1.6e-6, statistics 2.4e-6; gradients 1.9e-5 in the median of a network and 3.0e-4 in the worst entry of its
/// parameters, 1.3e-4 where the activation has no kinks.
@Suite(.serialized) struct NetworkFixtureTests {
  struct Case: Decodable, Sendable {
    let name: String
    let alpha: Double
    let widthMultiplier: Double?
    /// Of the training steps, where the fixture has some.
    let rate: Double?
    let height, width, batch, classes: Int
    let stem: Stem
    let variant: Variant
    let downsampling: Downsampling
    let lowToHigh, highToLow: Bool
    /// relu, relu6, or silu, which has no kinks.
    let activation: String
    /// The hash name of the images, chosen so that no ReLU's input is so near zero that rounding could flip
    /// it.
    let input: String
    /// Names in PyTorch's order.
    let parameters, buffers: [String]

    var model: ModelConfiguration {
      ModelConfiguration(
        name: name, alpha: alpha, widthMultiplier: widthMultiplier, stem: stem, variant: variant,
        downsampling: downsampling,
        lowToHigh: lowToHigh,
        highToLow: highToLow, classes: classes, inputHeight: height, inputWidth: width)
    }
  }

  private static let fixture = Result { try Fixture("networks.safetensors") }
  private static let cases = Result { () throws -> [Case] in try fixture.get().list("cases") }
  private static let count = 40

  @Test func everyCaseIsThere() throws {
    #expect(try Self.cases.get().count == Self.count)
  }

  @Test(arguments: 0..<count)
  func agreesWithPyTorch(index: Int) throws {
    let fixture = try Self.fixture.get()
    let settings = try Self.cases.get()[index]
    let label =
      "\(settings.name) alpha \(settings.alpha) \(settings.stem) \(settings.variant) "
      + "\(settings.downsampling) \(settings.height)×\(settings.width)"
    var resnet = try ResNet(settings.model)
    if settings.activation == "silu" { resnet.activation = SiLU() }
    let network = try Network(
      inputShape: MapShape(height: settings.height, width: settings.width, channels: 3), seed: 0
    ) { try resnet($0) }
    try Self.expect(network, settings, fixture, prefix: "\(index)/", label)
  }

  /// The results of one case: inference, training, statistics and gradients.
  static func expect(
    _ network: Network, _ settings: Case, _ fixture: Fixture, prefix: String, _ label: String
  ) throws {
    try network.loadHashState()
    let batch = settings.batch
    let images = HashTensor.images(settings.input, count: batch, shape: [3, settings.height, settings.width])
    let labels = HashTensor.labels("labels", count: batch, classes: settings.classes)

    let inference = try InferenceSession(network: network, batchSize: batch, threads: 2)
    expectLogits(
      Array(inference.logits(images: images, count: batch)), try fixture.floats("\(prefix)inference"),
      settings.classes, around: nil, label + " inference logits")

    let session = try TrainingSession(network: network, batchSize: batch, threads: 2)
    expectLogits(
      session.lastLogits(images: images, count: batch), try fixture.floats("\(prefix)logits"),
      settings.classes,
      around: 4e-4, label + " training logits")
    try expectStatistics(network, settings, fixture.floats("\(prefix)statistics"), label)

    let result = session.step(images: images, labels: labels, count: batch)
    expectClose([result.loss], try fixture.floats("\(prefix)loss"), within: 1e-5, label + " loss")
    // Where the activation has kinks, a case may have none.
    guard fixture.has("\(prefix)gradients") else { return }
    try expectGradients(network, settings, fixture.floats("\(prefix)gradients"), label)
  }

  /// The losses of ten steps of SGD, each on a batch of its own.
  static func expectTenSteps(
    _ network: Network, _ settings: Case, _ rate: Double, _ expected: [Float],
    _ label: String
  ) throws {
    // Statistics have moved, and gradients are there; both begin anew.
    try network.loadHashState()
    let session = try TrainingSession(network: network, batchSize: settings.batch, threads: 2)
    let optimizer = Optimizer(
      parameters: network.parameters, configuration: .sgd(momentum: 0.9, nesterov: true), weightDecay: 5e-4,
      threads: 2)
    #expect(expected.count == 10)
    for (step, loss) in expected.enumerated() {
      let images = HashTensor.images(
        "input.\(step)", count: settings.batch, shape: [3, settings.height, settings.width])
      let labels = HashTensor.labels("labels.\(step)", count: settings.batch, classes: settings.classes)
      let found = session.step(images: images, labels: labels, count: settings.batch)
      optimizer.update(learningRate: rate)
      expectClose([found.loss], [loss], within: 1e-3, "\(label) step \(step)")
    }
  }

  /// In training mode also without their mean over the batch, to see what differs from image to image. With the
  /// initial running statistics images differ by 1e-5 of the logits, too near to rounding to compare.
  private static func expectLogits(
    _ actual: [Float], _ expected: [Float], _ classes: Int, around: Double?, _ label: String
  ) {
    expectClose(actual, expected, within: 1e-5, label)
    guard let around, actual.count == expected.count else { return }
    func centered(_ logits: [Float]) -> [Float] {
      let rows = logits.count / classes
      return logits.indices.map { index in
        let column = stride(from: index % classes, to: logits.count, by: classes)
        return logits[index] - column.reduce(0) { $0 + logits[$1] } / Float(rows)
      }
    }
    expectClose(centered(actual), centered(expected), within: around, label + " around their mean")
  }

  private static func expectStatistics(
    _ network: Network, _ settings: Case, _ expected: [Float], _ label: String
  ) throws {
    var found: [String: [Float]] = [:]
    for (index, buffer) in network.graph.buffers.enumerated() {
      let start = network.parameters.buffer(BufferID(index: index))
      found[buffer.name] = Array(UnsafeBufferPointer(start: start, count: buffer.count))
    }
    for (row, name) in settings.buffers.enumerated() {
      let values = try #require(found[name], "\(label) has no \(name)")
      expectClose(
        HashTensor.summary(name, values), Array(expected[row * 11..<row * 11 + 11]), within: 2e-5,
        "\(label) \(name)")
    }
  }

  private static func expectGradients(
    _ network: Network, _ settings: Case, _ expected: [Float], _ label: String
  ) throws {
    let gradients = network.gradients()
    #expect(gradients.map(\.name) == settings.parameters, "\(label): parameters in PyTorch's order")
    guard gradients.count == settings.parameters.count else { return }
    var errors: [(error: Double, name: String)] = []
    for (row, (name, gradient)) in gradients.enumerated() {
      let actual = HashTensor.summary(name, gradient.values)
      let expectedRow = expected[row * 11..<row * 11 + 11].map { Double($0) }
      // A shift may have no gradient at all, where only 1×1 convolutions with norms of their own follow: then
      // its rounding error is measured against the gradient of the scale.
      var norm = expectedRow[0]
      if name.hasSuffix("bias"), row > 0 { norm = max(norm, Double(expected[(row - 1) * 11])) }
      let isUnused = norm == 0
      let sums = (0..<3).map { abs(Double(actual[$0]) - expectedRow[$0]) }.max() ?? 0
      // Single entries against the size of a typical one.
      let typical = norm / Double(gradient.values.count).squareRoot()
      let entries = (3..<11).map { abs(Double(actual[$0]) - expectedRow[$0]) }.max() ?? 0
      let error = isUnused ? (sums + entries == 0 ? 0 : .infinity) : max(sums / norm, entries / typical)
      // Without kinks, what is left is the rounding of sums; single entries are measured against a typical one.
      if settings.activation == "silu", !isUnused {
        #expect(sums / norm <= 1e-4, "\(label): gradient of \(name)")
        #expect(entries / typical <= 2e-4, "\(label): gradient of \(name)")
      }
      errors.append((error.isNaN ? .infinity : error, name))
    }
    errors.sort { $0.error < $1.error }
    let median = errors[errors.count / 2].error
    ErrorLog.note(median, "\(label) gradients, median")
    ErrorLog.note(
      errors[errors.count - 1].error, "\(label) gradients, worst: \(errors[errors.count - 1].name)")
    #expect(median <= 5e-5, "\(label): median error of the gradients")
    #expect(errors[errors.count * 9 / 10].error <= 3e-4, "\(label): nine gradients of ten")
    for (error, name) in errors { #expect(error <= 1e-3, "\(label): gradient of \(name)") }
  }
}
