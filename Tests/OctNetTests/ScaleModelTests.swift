import Testing

import OctNetCore
import OctNetModels
import OctNetTraining
@testable import OctNetBenchmark

/// The cost model of data-parallel training against numbers that were worked out by hand.
struct ScaleModelTests {
  /// 16 MB, of which the second half is final after a quarter of backward.
  private static let halves = GradientOrder(
    parts: [.init(range: 0..<2_000_000, ready: 1), .init(range: 2_000_000..<4_000_000, ready: 0.25)],
    count: 4_000_000)
  private static let work = ScaleModel.Work(
    images: 8, forward: 0.1, backward: 0.2, update: 0.01, handling: 0.02)
  /// 10⁹ bytes a second.
  private static let link = ScaleModel.Link(gigabits: 8, latency: 1e-3)

  private static func model(
    overlaps: Bool, handling: Double = 0.02, records: Int = 1_000_000, statistics: Int = 2_000_000,
    bucketBytes: Int = 8_000_000
  ) -> ScaleModel {
    var work = work
    work.handling = handling
    return ScaleModel(
      work: work, gradient: halves, bucketBytes: bucketBytes, recordBytes: records,
      statisticsBytes: statistics, overlaps: overlaps)
  }

  private func isClose(_ value: Double, _ expected: Double) -> Bool { abs(value - expected) < 1e-9 }

  /// Three messages an exchange. Losses take 3 + 2 ms, each of two buckets 2 · (6 + 3) ms, statistics beside the first of them
  /// 3 ms, the word to stop 2 ms.
  @Test func withoutOverlapTimesAddUp() {
    let step = Self.model(overlaps: false).step(ranks: 4, Self.link)
    #expect(isClose(step.seconds, 0.320 + 0.005 + 0.036 + 0.003 + 0.002))
    #expect(isClose(step.computation, 0.320))
    #expect(isClose(step.gradient, 0.024) && isClose(step.statistics, 0.006) && isClose(step.messages, 0.016))
    #expect(isClose(step.exchange, 0.046))
    #expect(isClose(step.imagesPerSecond, 32 / 0.366) && isClose(step.efficiency, 0.310 / 0.366))
    #expect(Self.model(overlaps: false).bytes(ranks: 4) == 30e6)
  }

  /// The second half leaves at 155 ms and is there, with the statistics, at 176. The first half, behind the handling of the second
  /// one, leaves at 315, is there at 333 and handled at 343.
  @Test func overlapHidesAllButTheLastBucket() {
    let step = Self.model(overlaps: true).step(ranks: 4, Self.link)
    #expect(isClose(step.seconds, 0.343 + 0.002))
    #expect(isClose(step.computation + step.gradient + step.statistics + step.messages, step.seconds))
    #expect(isClose(step.exchange, 0.046))
  }

  /// Where the bytes take longer than everything else: what lies before the first bucket, and the bytes.
  @Test func aSlowLinkTakesBytesByBandwidth() {
    let slow = ScaleModel.Link(gigabits: 0.008, latency: 0)
    let step = Self.model(overlaps: true, handling: 0, records: 0, statistics: 0).step(ranks: 4, slow)
    #expect(isClose(step.seconds, 0.1 + 0.25 * 0.2 + 24))
    #expect(step.limit == .bandwidth)
    #expect(
      isClose(
        Self.model(overlaps: false, handling: 0, records: 0, statistics: 0).step(ranks: 4, slow).seconds, 24.3
      ))
  }

  /// Endless bandwidth leaves the messages, and without latency nothing at all.
  @Test(arguments: [false, true])
  func endlessBandwidthLeavesLatency(overlaps: Bool) {
    var model = Self.model(overlaps: overlaps, handling: 0.01)
    var endless = ScaleModel.Link(gigabits: .infinity, latency: 0)
    #expect(isClose(model.step(ranks: 64, endless).efficiency, 1))
    endless.latency = 1e-3
    let step = model.step(ranks: 64, endless)
    #expect(step.gradient == 0 && step.statistics == 0 && step.messages > 0)
    #expect(step.limit == .latency)
    // Six of the losses cannot be hidden, nor 63 of each exchange of the last bucket, nor six at the end.
    model.overlaps = true
    #expect(isClose(model.step(ranks: 64, endless).seconds, 0.3 + 0.006 + 2 * 0.063 + 0.006 + 0.01))
    endless.messages = .recursive
    #expect(isClose(model.step(ranks: 64, endless).seconds, 0.3 + 0.006 + 2 * 0.006 + 0.006 + 0.01))
    endless.messages = .concurrent
    #expect(isClose(model.step(ranks: 64, endless).seconds, 0.3 + 0.006 + 2 * 0.001 + 0.006 + 0.01))
  }

  @Test func oneRankExchangesNothing() {
    let step = Self.model(overlaps: false).step(ranks: 1, Self.link)
    #expect(isClose(step.seconds, 0.310) && step.efficiency == 1 && step.limit == .computation)
    #expect(step.gradient == 0 && step.statistics == 0 && step.messages == 0)
    let model = Self.model(overlaps: false)
    #expect(model.balance(ranks: 1, Self.link) == nil && model.leastBandwidth(ranks: 1, Self.link) == nil)
    #expect(model.leastImages(ranks: 1, Self.link) == 1)
  }

  @Test func moreRanksAndLessBandwidthAreNeverFaster() {
    for overlaps in [false, true] {
      for bucketBytes in [1_000_000, 8_000_000, 64_000_000] {
        let model = Self.model(overlaps: overlaps, bucketBytes: bucketBytes)
        var before = 0.0
        for ranks in [1, 2, 4, 8, 64, 512, 1024] {
          var slower = Double.infinity
          for gigabits in [0.1, 1, 10, 25, 100, 1000] {
            let step = model.step(ranks: ranks, .init(gigabits: gigabits, latency: 5e-5))
            #expect(step.seconds <= slower && step.efficiency <= 1)
            slower = step.seconds
          }
          #expect(slower > before)
          before = slower
        }
      }
    }
  }

  /// However many ranks there are, each has its shard's statistics and a slice's mean to send.
  @Test func bytesOfARankHardlyDependOnTheirNumber() {
    let model = Self.model(overlaps: true, records: 24)
    #expect(model.bytes(ranks: 1) == 0)
    for ranks in [2, 8, 512, 1024] {
      #expect(model.bytes(ranks: ranks) < 2 * (16e6 + 2e6) + 24 * Double(ranks))
    }
  }

  /// Sums are half of the bytes, statistics and weights as before: each of two buckets takes 3 ms less.
  @Test func sumsInBFloat16AreHalfTheBytes() {
    var model = Self.model(overlaps: false)
    model.dtype = .bfloat16
    let step = model.step(ranks: 4, Self.link)
    #expect(isClose(step.seconds, 0.366 - 0.006) && isClose(step.gradient, 0.018))
    #expect(isClose(step.statistics, 0.006) && isClose(step.messages, 0.016))
    #expect(model.bytes(ranks: 4) == 24e6)
  }

  @Test func overlapIsNeverSlower() {
    for bucketBytes in [100_000, 8_000_000, 64_000_000] {
      for ranks in [2, 8, 512] {
        for gigabits in [0.01, 1, 10, 100] {
          for latency in [0, 5e-5, 1e-2] {
            let link = ScaleModel.Link(gigabits: gigabits, latency: latency)
            let with = Self.model(overlaps: true, bucketBytes: bucketBytes).step(ranks: ranks, link)
            let without = Self.model(overlaps: false, bucketBytes: bucketBytes).step(ranks: ranks, link)
            #expect(with.seconds <= without.seconds + 1e-12)
            #expect(with.seconds >= with.computation)
          }
        }
      }
    }
  }

  /// 30 MB in the 320 ms of the computation, of which 16 ms are messages'.
  @Test func balanceIsWhereTheExchangeTakesAsLong() throws {
    let model = Self.model(overlaps: false)
    let balance = try #require(model.balance(ranks: 4, Self.link))
    #expect(isClose(balance, 0.240 / 0.304))
    var link = Self.link
    link.gigabits = balance
    #expect(isClose(model.step(ranks: 4, link).exchange, 0.320))
    link.latency = 1
    #expect(model.balance(ranks: 4, link) == nil)
  }

  @Test func turnsAreWhereTheEfficiencyChanges() throws {
    let model = Self.model(overlaps: true)
    let least = try #require(model.leastBandwidth(ranks: 8, .init(gigabits: 1, latency: 1e-5)))
    for (factor, isGood) in [(0.999, false), (1.001, true)] {
      let link = ScaleModel.Link(gigabits: least * factor, latency: 1e-5)
      #expect((model.step(ranks: 8, link).efficiency >= 0.9) == isGood)
    }
    #expect(model.leastBandwidth(ranks: 512, Self.link) == nil)
    // Forward and backward take 37.5 ms an image, handling and exchange 66 ms, an update 10:
    // (37.5 n + 10) / (37.5 n + 66) ≥ 0.9 from n = 13.17 on.
    let images = try #require(Self.model(overlaps: false).leastImages(ranks: 4, Self.link))
    #expect(images == 14)
  }

  /// A network with as many bytes and half the computation gains a factor of 2, less where bytes count.
  @Test func halfOfTheGainIsLost() throws {
    func model(_ seconds: Double) -> ScaleModel {
      ScaleModel(
        work: .init(images: 1, forward: seconds / 3, backward: seconds * 2 / 3), gradient: Self.halves,
        overlaps: false)
    }
    // (1 + x) / (0.5 + x) = 1.5 where the exchange takes x = 0.5 s: 24 MB with four ranks.
    let link = ScaleModel.Link(gigabits: 1, latency: 0)
    let turn = try #require(model(0.5).halfGain(over: model(1), ranks: 4, link))
    #expect(abs(turn / 0.384 - 1) < 1e-5)
    #expect(model(1).halfGain(over: model(0.5), ranks: 4, link) == nil)
  }

  @Test func bucketsLeaveFromTheEnd() {
    let order = GradientOrder(
      parts: [
        .init(range: 0..<50, ready: 1), .init(range: 64..<150, ready: 0.5),
        .init(range: 160..<250, ready: 0.1),
      ], count: 256)
    let buckets = order.buckets(of: 400)
    #expect(
      buckets == [
        .init(bytes: 400, ready: 0.1), .init(bytes: 400, ready: 0.5),
        .init(bytes: 224, ready: 1, isLast: true),
      ])
    #expect(order.buckets(of: 1 << 20) == [.init(bytes: 1024, ready: 1, isLast: true)])
  }

  /// The classifier comes first and the stem last, whatever is between them.
  @Test func backwardIsEstimatedByMultiplications() throws {
    let model = ModelConfiguration(
      name: "resnet20", alpha: 0.5, classes: 10, inputHeight: 32, inputWidth: 32)
    let network = try model.makeNetwork(seed: 1)
    let order = GradientOrder(estimating: try model.makeGraph())
    #expect(order.count == network.parameters.count)
    #expect(order.parts.map(\.range) == network.parameters.entries.map(\.range))
    #expect(order.parts.allSatisfy { (0...1).contains($0.ready) })
    #expect(order.parts.first?.ready == 1)
    #expect((order.parts.last?.ready ?? 1) < 0.01)
  }
}
