import OctNetCore
import OctNetSupport

/// Adds up what the ranks made of their shards: each rank the places of its slices of the parameters, in the tree's order.
/// Then all ranks get what it made of them. Bytes sent and received are those of a ring: twice the parameters.
///
/// The parameters are exchanged in buckets, of each of which every rank has one slice.
final class RankSum {
  private let exchange: any RankExchange
  private let count: Int
  /// Floats of a slice.
  private let each: Int
  private let send, received, slice: AlignedBuffer
  private let sum: PairwiseSum

  /// Floats of all slices that are exchanged at once.
  static let usualBucket = 1 << 23

  /// Bytes beside the parameters.
  static func bytes(count: Int, ranks: Int) -> Int {
    let each = each(count: count, ranks: ranks, bucket: usualBucket)
    return (2 * ranks + 1 + PairwiseSum.buffers(leaves: ranks)) * each * MemoryLayout<Float>.stride
  }

  /// Whole cache lines.
  private static func each(count: Int, ranks: Int, bucket: Int) -> Int {
    let line = AlignedBuffer.cacheLine / MemoryLayout<Float>.stride
    return max(1, ((min(count, bucket) + ranks - 1) / ranks + line - 1) / line) * line
  }

  /// - Parameters:
  ///   - count: floats in all.
  ///   - bucket: floats that are exchanged at once; no result depends on it.
  init(_ exchange: any RankExchange, count: Int, bucket: Int = RankSum.usualBucket, threads: Int) {
    self.exchange = exchange
    self.count = count
    each = Self.each(count: count, ranks: exchange.ranks, bucket: bucket)
    let bytes = each * MemoryLayout<Float>.stride
    send = AlignedBuffer(byteCount: bytes * exchange.ranks)
    received = AlignedBuffer(byteCount: bytes * exchange.ranks)
    slice = AlignedBuffer(byteCount: bytes)
    sum = PairwiseSum(count: each, leaves: exchange.ranks, threads: threads)
  }

  /// For the next call; results do not depend on it.
  var threads: Int {
    get { sum.threads }
    set { sum.threads = newValue }
  }

  /// - Parameters:
  ///   - own: this rank's sum, `nil` where it has no shard of the batch.
  ///   - filled: ranks that have one, the first ones.
  ///   - use: gets each of this rank's slices and the sum of all in it, and says where what all ranks are to get lies.
  ///   - result: where that goes, on every rank; may be where `own` is, and where `use` points to.
  func add(
    _ own: UnsafePointer<Float>?, filled: Int, to result: UnsafeMutablePointer<Float>,
    _ use: (Range<Int>, UnsafePointer<Float>) -> UnsafePointer<Float> = { $1 }
  ) {
    forEachBucket { start, length, ownRange in
      if let own { send.floats.update(from: own + start, count: length) }
      exchange.allToAll(UnsafePointer(send.floats), received.floats, each: each)
      for rank in 0..<filled { sum.add(UnsafePointer(received.floats + rank * each)) }
      let total = sum.finish()
      if !ownRange.isEmpty { slice.floats.update(from: use(ownRange, total), count: ownRange.count) }
      spread(to: result + start, length)
    }
  }

  /// Gives all ranks what each has in its slices of a buffer. The first rank takes it; where the others do not, their memory
  /// for the slices of other ranks stays untouched.
  func gather(_ buffer: UnsafeMutablePointer<Float>) {
    forEachBucket { start, length, ownRange in
      if !ownRange.isEmpty {
        slice.floats.update(from: buffer + ownRange.lowerBound, count: ownRange.count)
      }
      spread(to: exchange.rank == 0 ? buffer + start : nil, length)
    }
  }

  private func spread(to result: UnsafeMutablePointer<Float>?, _ length: Int) {
    exchange.allGather(UnsafePointer(slice.floats), send.floats, each: each)
    result?.update(from: send.floats, count: length)
  }

  private func forEachBucket(_ body: (_ start: Int, _ length: Int, _ ownRange: Range<Int>) -> Void) {
    let bucket = each * exchange.ranks
    for start in stride(from: 0, to: count, by: bucket) {
      let own = (start + exchange.rank * each..<start + (exchange.rank + 1) * each).clamped(to: 0..<count)
      body(start, min(bucket, count - start), own)
    }
  }
}
