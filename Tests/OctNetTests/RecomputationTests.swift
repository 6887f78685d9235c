import Testing

import OctNet
@testable import OctNetCore

/// Maps that are made again for backward are the same maps, and memory shrinks.
@Suite struct RecomputationTests {
  private struct Step: Equatable {
    var loss: Float
    var gradients: [[Float]]
    var state: [[Float]]
  }

  private func step(_ model: ModelConfiguration, fused: Bool, recomputes: Bool) throws -> (Step, bytes: Int) {
    let network = try model.makeNetwork(seed: 3)
    var stream = RandomStream(seed: 9, "images")
    let images = (0..<4 * network.inputShape.count).map { _ in stream.normal() }
    let session = try TrainingSession(
      network: network, batchSize: 4, threads: 2, fused: fused, recomputes: recomputes)
    // Twice, the second time with fewer images: nothing may be left from the first.
    _ = session.step(images: images, labels: [1, 0, 6, 3], count: 4)
    let loss = session.step(images: images, labels: [2, 2, 5], count: 3).loss
    let state = network.stateDictionary().compactMap { _, value -> [Float]? in
      if case .tensor(let tensor) = value { return tensor.values }
      return nil
    }
    let gradients = network.gradients().map(\.gradient.values)
    return (Step(loss: loss, gradients: gradients, state: state), session.arenaBytes)
  }

  @Test(
    arguments: [
      ("resnet26", 0.0, Variant.paper, Downsampling.strided), ("resnet50", 0.25, .paper, .average),
      ("resnet26", 0.5, .seed, .average), ("resnet26", 0.125, .paper, .strided),
      ("resnet20", 0.5, .paper, .average), ("resnet18", 1.0, .seed, .average),
    ], [true, false])
  func noBitDependsOnIt(_ form: (String, Double, Variant, Downsampling), fused: Bool) throws {
    let model = ModelConfiguration(
      name: form.0, alpha: form.1, stem: .cifar, variant: form.2, downsampling: form.3, classes: 7,
      inputHeight: 21, inputWidth: 18)
    let kept = try step(model, fused: fused, recomputes: false)
    let again = try step(model, fused: fused, recomputes: true)
    #expect(kept.0 == again.0)
    // Layers run one by one have little that is cheap to make again.
    #expect(fused ? again.bytes < kept.bytes : again.bytes <= kept.bytes)
  }

  private func plan(recomputes: Bool, batch: Int) throws -> (Graph, ExecutionPlan) {
    let graph = try ModelConfiguration(name: "resnet50", stem: .cifar).makeNetwork(seed: 0).graph
      .fused(for: .trainingForward)
    return (
      graph, ExecutionPlan(graph: graph, batch: batch, training: true, threads: 2, recomputes: recomputes)
    )
  }

  @Test func aQuarterOfTheMemoryIsSaved() throws {
    let kept = try plan(recomputes: false, batch: 16).1.mapBytes
    let again = try plan(recomputes: true, batch: 16).1.mapBytes
    #expect(Double(again) < 0.76 * Double(kept))
  }

  @Test func everySecondMapOfTheResidualPathIsKept() throws {
    let (graph, plan) = try plan(recomputes: true, batch: 1)
    let again = graph.nodes.filter { node in
      node.operation.kind == "batch_norm+add+relu" && plan.recomputed[node.output.index] != nil
    }
    #expect(
      again.map(\.path) == [
        "layer1.1.bn3", "layer2.1.bn3", "layer2.3.bn3", "layer3.1.bn3", "layer3.3.bn3", "layer3.5.bn3",
        "layer4.1.bn3",
      ])
  }
}
