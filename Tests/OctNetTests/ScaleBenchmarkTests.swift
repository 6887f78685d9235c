import Testing

import OctNetCore
import OctNetModels
import OctNetTraining
@testable import OctNetBenchmark

/// Times are the machine's; that they belong together is ours.
struct ScaleBenchmarkTests {
  private static let model = ModelConfiguration(
    name: "resnet20", alpha: 0.25, classes: 10, inputHeight: 16, inputWidth: 16)

  private static func benchmark(_ ranks: (any RankExchange)? = nil) -> ScaleBenchmark {
    ScaleBenchmark(model: model, images: 4, optimizer: .sgd, threads: 1, repetitions: 2, ranks: ranks)
  }

  @Test func aStepIsTracedToEveryParameter() throws {
    let costs = try Self.benchmark().costs(ranks: [2, 8, 2])
    let network = try Self.model.makeNetwork(seed: 1)
    #expect(costs.gradient.parts.map(\.range) == network.parameters.entries.map(\.range))
    #expect(costs.gradient.count == network.parameters.count)
    let ready = costs.gradient.parts.map(\.ready)
    #expect(ready.allSatisfy { $0 > 0 && $0 <= 1 })
    // Backward comes to the classifier's weight and bias first.
    #expect(ready.first == ready.max() && ready.suffix(2).min() == ready.min())
    #expect(costs.work.forward > 0 && costs.work.backward > 0 && costs.work.images == 4)
    #expect(costs.handling.keys.sorted() == [2, 8])
    #expect(costs.statisticsBytes == 4 * network.parameters.stateCount)
    #expect(costs.model(ranks: 8, overlaps: true).work.handling == costs.handling[8])
  }

  /// Ranks that are threads agree about all times but those of their own trace.
  @Test func ranksOfAJobMeasureTogether() throws {
    let found = try ThreadRanks.run(2) { rank -> [Double] in
      let benchmark = Self.benchmark(rank)
      let link = benchmark.link(bucketBytes: 1 << 20)
      let step = try benchmark.stepOfJob()
      return [step.seconds, step.computation, link.gigabits, link.latency]
    }.map { try $0.get() }
    #expect(found[0] == found[1])
    #expect(found[0].allSatisfy { $0 > 0 && $0.isFinite })
  }

  @Test func givenSecondsAreDivided() throws {
    let costs = try ScaleCosts(estimating: Self.model, images: 16, seconds: 0.9)
    #expect(abs(costs.work.forward - 0.3) < 1e-12 && abs(costs.work.alone - 0.9) < 1e-12)
    #expect(costs.handling.isEmpty)
    // Of a job's step that takes longer the rest is handling; of a shorter one, as machines have them, there is none.
    for seconds in [1.1, 0.6] {
      let work = costs.computing(seconds, ranks: 4).model(ranks: 4, overlaps: true).work
      #expect(abs(work.amongRanks - seconds) < 1e-12 && abs(work.alone - 0.9) < 1e-12)
    }
  }
}
