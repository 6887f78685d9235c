import Testing

import OctNet
@testable import OctNetCore
@testable import OctNetTraining

/// Gradients of a matrix's paths that come one by one.
extension OctaveMuonTests {
  /// - Parameter order: of arrival; nil for all together.
  private func updated(order: [Int]?, threads: Int, profiler: Profiler? = nil) throws -> [String: [UInt64]] {
    let network = try Self.network()
    let store = network.parameters
    let optimizer = Optimizer(parameters: store, configuration: Self.muon, threads: threads)
    optimizer.profiler = profiler
    for step in 0..<2 {
      let gradients = Self.gradients(of: network, step: step)
      guard let order else {
        store.gradients.update(from: gradients, count: gradients.count)
        optimizer.update(learningRate: 0.24)
        continue
      }
      let queue = optimizer.queue(learningRate: 0.24)
      for index in order {
        var gradient = Array(gradients[store.entries[index].range])
        gradient.withUnsafeMutableBufferPointer { buffer in
          guard let base = buffer.baseAddress else { return }
          queue.append(ParameterID(index: index), gradient: UnsafePointer(base))
          // Its memory is for others now.
          buffer.update(repeating: .nan)
        }
      }
      queue.finish()
      #expect((0..<store.count).allSatisfy { store.gradients[$0] == 0 })
    }
    return network.bits
  }

  @Test func theOrderOfArrivalChangesNoBit() throws {
    let together = try updated(order: nil, threads: 1)
    #expect(try updated(order: nil, threads: 2) == together)
    let count = try Self.network().parameters.entries.count
    try #require(count == 8)
    for order in [
      Array(0..<count), (0..<count).reversed(), [6, 2, 0, 3, 7, 5, 1, 4], [5, 4, 2, 3, 6, 1, 0, 7],
    ] {
      for threads in [1, 2, 3] {
        #expect(try updated(order: order, threads: threads) == together, "\(order), \(threads)")
      }
    }
    let profiler = Profiler()
    #expect(try updated(order: Array(0..<count), threads: 2, profiler: profiler) == together)
    let measured = profiler.entries.filter { $0.key.kind == "muon" }.map(\.value.calls)
    #expect(measured == [2 * Self.matrices.count])
  }

  /// Paths arrive from operations that were joined, or one by one as they were recorded.
  @Test(arguments: [false, true]) func updatesBesideTheBackwardPass(fused: Bool) throws {
    func trained(beside: Bool, threads: Int) throws -> [String: [UInt64]] {
      let network = try Self.network()
      let session = try TrainingSession(
        network: network, batchSize: 3, threads: threads, loss: MeanSquaredError(), fused: fused)
      let optimizer = Optimizer(parameters: network.parameters, configuration: Self.muon, threads: threads)
      var stream = RandomStream(seed: 6, "images")
      for _ in 0..<3 {
        let images = (0..<3 * network.inputShape.count).map { _ in stream.normal() }
        let values = (0..<3 * network.outputShape.count).map { _ in stream.normal() }
        if beside {
          try session.step(images: images, values: values, updating: optimizer, learningRate: 0.1)
        } else {
          try session.step(images: images, values: values)
          optimizer.update(learningRate: 0.1)
        }
      }
      return network.bits
    }
    let apart = try trained(beside: false, threads: 1)
    for threads in [1, 2] { #expect(try trained(beside: true, threads: threads) == apart) }
  }

  @Test func memory() throws {
    let store = try Self.network().parameters
    func bytes(_ name: String) throws -> Int {
      4 * (try #require(store.entries.first { $0.name == name + ".weight" })).range.count
    }
    let all = FilterMatrix.all(
      in: store.entries, store.entries.map { _ in UpdateSettings(rule: .muon, weightDecay: 0) })
    let waiting =
      try max(bytes("two.conv_l2l"), bytes("two.conv_h2l"))
      + max(bytes("two.conv_h2h"), bytes("two.conv_l2h"))
      + max(bytes("three.conv_h2h"), bytes("three.conv_l2h"))
    #expect(WaitingGradients.bytes(all) == waiting)
    let work = all.map { Muon.bytes(of: $0, threads: 2) }.max() ?? 0
    #expect(OptimizerConfiguration.muon.scratchBytes([], store, threads: 2) == work + waiting)
    #expect(OptimizerConfiguration.sgd.scratchBytes([], store, threads: 2) == 0)
    let group = ParameterGroup("one", optimizer: .muon)
    #expect(OptimizerConfiguration.sgd.scratchBytes([group], store, threads: 2) == work + waiting)
  }
}
