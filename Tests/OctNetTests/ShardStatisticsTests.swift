import Testing

@testable import OctNetSupport
@testable import OctNetTraining

/// Running statistics of shards, on one process and by slices on several ranks.
@Suite struct ShardStatisticsTests {
  private static let count = 133
  /// Images of eight shards.
  private static let ranges = [0..<3, 3..<4, 4..<9, 9..<11, 11..<18, 18..<19, 19..<21, 21..<24]

  /// Numbers whose sum in double precision depends on the order: what is added between two that cancel loses its last bits.
  private static func values() -> [[Float]] {
    var random = RandomStream(seed: 5, "statistics")
    var values = ranges.map { _ in (0..<count).map { _ in random.uniform() - 0.5 } }
    for place in 0..<count {
      // Of one image each.
      values[1][place] = 0x1p50 * (random.uniform() + 1)
      values[5][place] = -values[1][place]
    }
    return values
  }

  /// The definition.
  private static func mean(_ values: [[Float]], _ ranges: [Range<Int>]) -> [Float] {
    (0..<count).map { place in
      var (sum, images) = (0.0, 0)
      for (shard, range) in zip(values, ranges) {
        sum += Double(shard[place]) * Double(range.count)
        images += range.count
      }
      return Float(sum / Double(images))
    }
  }

  @Test func theOrderMatters() {
    let values = Self.values()
    #expect(Self.mean(values, Self.ranges) != Self.mean(values.reversed(), Self.ranges.reversed()))
  }

  @Test(arguments: [1, 3, 8]) func oneProcessAveragesAll(filled: Int) {
    let (values, ranges) = (Self.values(), Array(Self.ranges.prefix(filled)))
    let statistics = ShardStatistics(count: Self.count, shards: 8)
    var found = [Float](repeating: .nan, count: Self.count)
    // What another batch left is not in the next one's mean.
    for batch in [Self.ranges, ranges] {
      statistics.begin(batch)
      for index in batch.indices { statistics.keep(values[index]) }
      statistics.average()
      statistics.move(to: &found)
    }
    #expect(found == Self.mean(values, ranges))
  }

  /// Slices that end anywhere, ranks without a shard, and a gradient of several buckets or of nothing.
  @Test(arguments: [2, 4, 8], [1, 3, 5, 8])
  func eachRankAveragesItsSlice(ranks: Int, filled: Int) {
    let (values, ranges) = (Self.values(), Array(Self.ranges.prefix(filled)))
    let (expected, size) = (Self.mean(values, ranges), 8 / ranks)
    for parameters in [0, 100] {
      let found = ThreadRanks.run(ranks) { exchange in
        let statistics = ShardStatistics(count: Self.count, shards: size, ranks: ranks)
        let sum = RankSum(
          exchange, count: parameters, bucket: 16 * ranks, threads: 1, statistics: statistics)
        var means = [Float](repeating: .nan, count: Self.count)
        var result = [Float](repeating: Float(exchange.rank + 1), count: max(1, parameters))
        let own = result
        for _ in 0..<2 {
          statistics.begin(ranges)
          for shard in (exchange.rank * size..<(exchange.rank + 1) * size).clamped(to: ranges.indices) {
            statistics.keep(values[shard])
          }
          own.withUnsafeBufferPointer { own in
            result.withUnsafeMutableBufferPointer { result in
              guard let start = result.baseAddress, let vector = own.baseAddress else { return }
              sum.begin(
                RankSum.Job(
                  own: { UnsafeMutableRawPointer(mutating: vector + $0.lowerBound) },
                  filled: (filled + size - 1) / size, result: start
                ) {
                  (start + $0.lowerBound).update(from: $1, count: $0.count)
                })
              sum.poll(knownFrom: 50)
              sum.finish()
            }
          }
          statistics.move(to: &means)
        }
        return (means, result.prefix(parameters), exchange.calls)
      }.compactMap { try? $0.get() }
      #expect(found.count == ranks)
      let buckets = max(1, (parameters + 16 * ranks - 1) / (16 * ranks))
      let holding = (filled + size - 1) / size
      for (means, result, calls) in found {
        #expect(means == expected)
        // The gradient beside them.
        #expect(result.allSatisfy { $0 == Float((1...holding).reduce(0, +)) })
        // In the messages that there were, twice for each bucket of each of two sums.
        #expect(calls == 2 * 2 * buckets)
      }
    }
  }

  /// Twice the statistics for one shard a rank, whatever the ranks are.
  @Test func bytesHardlyDependOnTheRanks() {
    let count = 4096
    for ranks in [2, 4, 16] {
      let bytes = ThreadRanks.run(ranks) { exchange in
        let statistics = ShardStatistics(count: count, shards: 1, ranks: ranks)
        statistics.begin((0..<ranks).map { $0..<$0 + 1 })
        statistics.keep([Float](repeating: 1, count: count))
        let sum = RankSum(exchange, count: 0, threads: 1, statistics: statistics)
        var nothing: Float = 0
        withUnsafeMutablePointer(to: &nothing) { nothing in
          sum.begin(
            RankSum.Job(own: { _ in UnsafeMutableRawPointer(nothing) }, filled: ranks, result: nothing) {
              _, _ in
            })
          sum.finish()
        }
        return exchange.sentBytes
      }.compactMap { try? $0.get() }
      // All of a shard's, and a slice of the means.
      #expect(bytes == Array(repeating: 4 * (count + count / ranks), count: ranks))
    }
  }
}
