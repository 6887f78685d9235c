import OctNetCore
import OctNetSupport

/// How a batch falls into shards: neighbouring images, as equal parts as there are, the same for every count of images.
///
/// A batch that is too small for all shards (an epoch's last one) fills the first ones; the others are empty.
package struct ShardPlan: Equatable, Sendable {
  /// A power of two.
  package let shards: Int
  /// Images that a shard has at least, where the batch has so many: 2 where a norm sees maps of one pixel.
  package let leastImages: Int

  /// - Precondition: `shards` is a power of two, `leastImages` is positive.
  package init(shards: Int, leastImages: Int = 1) {
    precondition(shards > 0 && shards & (shards - 1) == 0 && leastImages > 0)
    self.shards = shards
    self.leastImages = leastImages
  }

  /// Shards that are not empty, of a batch of `count` images.
  package func filled(count: Int) -> Int { min(shards, max(1, count / leastImages)) }

  /// Images of each shard that is not empty, in order.
  package func ranges(count: Int) -> [Range<Int>] {
    let filled = filled(count: count)
    return (0..<filled).map { $0 * count / filled..<($0 + 1) * count / filled }
  }

  /// Neighbours that one of some ranks computes.
  func places(rank: Int, of ranks: Int) -> Range<Int> {
    precondition(shards % ranks == 0, "\(shards) shards on \(ranks) ranks")
    let size = shards / ranks
    return rank * size..<(rank + 1) * size
  }

  /// Images of a batch that one of some ranks sees.
  func images(count: Int, rank: Int, of ranks: Int) -> Range<Int> {
    let ranges = ranges(count: count)
    let own = ranges[places(rank: rank, of: ranks).clamped(to: ranges.indices)]
    guard let first = own.first, let last = own.last else { return 0..<0 }
    return first.lowerBound..<last.upperBound
  }

  /// Images of the largest shard of any batch up to `batchSize` images.
  package func largestShard(batchSize: Int) -> Int {
    // Where a batch fills fewer shards than there are, one of them has up to 2 · least − 1 images.
    max((batchSize + shards - 1) / shards, min(batchSize, 2 * leastImages - 1))
  }
}

extension TrainingConfiguration {
  /// `nil` where batches are not cut.
  func shardPlan(of graph: Graph) -> ShardPlan? {
    guard let shards, shards > 1 else { return nil }
    return ShardPlan(
      shards: shards, leastImages: graph.nodes.map(\.operation.leastTrainingBatch).max() ?? 1)
  }

  /// - Throws: `OctNetError.configuration` for a number that is no power of two, or of which some would always be empty, and for
  ///   what belongs to shards where there are none.
  func validateShards() throws(OctNetError) {
    if reduceDtype == .bfloat16, shards ?? 1 == 1 {
      throw .configuration(
        key: "reduceDtype", "bfloat16 belongs to 2 or more shards of a batch, which the settings do not have")
    }
    guard let shards else { return }
    try SettingBounds.check(shards, in: SettingBounds.shards, "shards")
    guard shards & (shards - 1) == 0 else {
      throw .configuration(key: "shards", "expected a power of two, found \(shards)")
    }
    guard shards <= batchSize else {
      throw .configuration(
        key: "shards", "expected at most the \(numbered(batchSize, "image")) of a batch, found \(shards)")
    }
  }
}
