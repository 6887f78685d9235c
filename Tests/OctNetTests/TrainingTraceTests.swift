import Foundation
import Testing

import OctNet

/// The losses of ten training steps against PyTorch in float64, each step on a fresh batch: forward,
/// backward, optimizer and weight decay together.
///
/// Float32 is off by at most 5.3e-5 here (PyTorch: 1e-4), most after ten steps of Adam, whose first steps
/// turn rounding in small gradients into signs.
@Suite(.serialized) struct TrainingTraceTests {
  struct Trace: Decodable, Sendable {
    let optimizer, name: String
    let alpha, rate: Double
    let height, width, batch, classes: Int
    let stem: Stem
  }

  private static let fixture = Result { try Fixture("traces.safetensors") }

  @Test(arguments: 0..<4)
  func tenSteps(index: Int) throws {
    let fixture = try Self.fixture.get()
    let traces = try JSONDecoder().decode(
      [Trace].self, from: Data(fixture.metadata["traces", default: ""].utf8))
    let trace = traces[index]
    let network = try ModelConfiguration(
      name: trace.name, alpha: trace.alpha, stem: trace.stem, classes: trace.classes,
      inputHeight: trace.height,
      inputWidth: trace.width
    ).makeNetwork()
    try network.loadHashState()
    let session = try TrainingSession(network: network, batchSize: trace.batch, threads: 2)
    let configuration: OptimizerConfiguration =
      trace.optimizer == "adam"
      ? .adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-8) : .sgd(momentum: 0.9, nesterov: true)
    let optimizer = Optimizer(
      parameters: network.parameters, configuration: configuration, weightDecay: 5e-4, threads: 2)
    let expected = try fixture.floats("\(index)/losses")
    #expect(expected.count == 10)
    for (step, loss) in expected.enumerated() {
      let images = HashTensor.images(
        "input.\(step)", count: trace.batch, shape: [3, trace.height, trace.width])
      let labels = HashTensor.labels("labels.\(step)", count: trace.batch, classes: trace.classes)
      let found = session.step(images: images, labels: labels, count: trace.batch)
      optimizer.update(learningRate: trace.rate)
      expectClose([found.loss], [loss], within: 5e-4, "\(trace.optimizer) \(trace.name) step \(step)")
    }
  }
}
