import OctNetCore
import OctNetSupport

/// Running statistics of a batch in shards: the mean over what each shard makes of those before the step, weighted by its
/// images, added in order of the shards in double precision.
///
/// Among ranks each one has a slice of them, as of the parameters: it gets what all shards made of it and gives all ranks the
/// mean. Bytes are those of this rank's shards and once more, for any number of ranks.
final class ShardStatistics {
  private let count: Int
  /// Of one process.
  private let shards: Int
  private let slices: RankSlices
  /// What each of this process's shards made, one behind the other.
  private let own: AlignedBuffer
  private let means: AlignedBuffer
  /// Images of each shard of the batch that is not empty.
  private var images: [Int] = []
  /// Shards of this process that are kept.
  private var kept = 0

  /// - Parameters:
  ///   - count: numbers of a network.
  ///   - shards: of one process.
  init(count: Int, shards: Int, ranks: Int = 1) {
    self.count = count
    self.shards = shards
    slices = RankSlices(count: count, ranks: ranks)
    own = AlignedBuffer(byteCount: shards * Self.size(count))
    means = AlignedBuffer(byteCount: Self.size(count))
  }

  private static func size(_ count: Int) -> Int { count * MemoryLayout<Float>.stride }

  /// Bytes of all.
  static func bytes(count: Int, shards: Int) -> Int { (shards + 1) * size(count) }

  /// Bytes that arrive from one rank.
  func arriving(on rank: Int) -> Int { shards * Self.size(slices.slice(of: rank).count) }

  /// The same of the rank with the largest slice, in whole cache lines.
  var largestArrival: Int { shards * Self.size(slices.each) }

  /// Begins a batch.
  func begin(_ ranges: [Range<Int>]) {
    images = ranges.map(\.count)
    kept = 0
  }

  /// What the next shard of this process made.
  func keep(_ states: UnsafePointer<Float>) {
    (own.floats + kept * count).update(from: states, count: count)
    kept += 1
  }

  /// Of shards that are all this process's.
  func average() { average(0..<count) { UnsafePointer(own.floats + $0 * count) } }

  /// Copies the means.
  func move(to states: UnsafeMutablePointer<Float>) { states.update(from: means.floats, count: count) }

  // MARK: Among ranks

  /// What goes to the other ranks; of shards that are not kept anything, which nobody looks at.
  var sent: [RankVector] {
    count > 0 ? (0..<shards).map { RankVector(own.floats + $0 * count, slices) } : []
  }

  /// What comes from them once each has averaged its slice.
  var spread: [RankVector] { count > 0 ? [RankVector(means.floats, slices)] : [] }

  /// - Parameters:
  ///   - received: what all ranks sent of this one's slice, a rank's at each multiple of `stride` bytes.
  ///   - rank: this one.
  func average(_ received: UnsafeRawPointer, stride: Int, on rank: Int) {
    let slice = slices.slice(of: rank)
    average(slice) { shard in
      (received + shard / shards * stride).assumingMemoryBound(to: Float.self) + shard % shards * slice.count
    }
  }

  private func average(_ slice: Range<Int>, of shard: (Int) -> UnsafePointer<Float>) {
    var sums = Array(repeating: 0.0, count: slice.count)
    for (index, images) in images.enumerated() {
      let (values, weight) = (shard(index), Double(images))
      for place in sums.indices { sums[place] += Double(values[place]) * weight }
    }
    let all = Double(images.reduce(0, +))
    for (place, sum) in zip(slice, sums) { means.floats[place] = Float(sum / all) }
  }
}
