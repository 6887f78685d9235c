import OctNetSupport

/// What a rank has of things that are divided evenly; the last ranks may have less, or nothing.
enum RankPart {
  static func size(of count: Int, ranks: Int) -> Int { (count + ranks - 1) / ranks }

  static func range(of count: Int, rank: Int, of ranks: Int) -> Range<Int> {
    let size = size(of: count, ranks: ranks)
    return min(count, rank * size)..<min(count, (rank + 1) * size)
  }

  /// Of a batch, as its loader takes it.
  static func needed(_ exchange: any RankExchange) -> @Sendable (_ count: Int) -> Range<Int> {
    let (rank, ranks) = (exchange.rank, exchange.ranks)
    return { range(of: $0, rank: rank, of: ranks) }
  }
}

/// The logits of a batch, of which each rank computes a part and all get all.
final class GatheredLogits {
  private let ranks: any RankExchange
  private let classes: Int
  private let own, all: AlignedBuffer

  /// - Parameter passSize: images of a rank's part at most.
  init(_ ranks: any RankExchange, classes: Int, passSize: Int) {
    self.ranks = ranks
    self.classes = classes
    let bytes = passSize * classes * MemoryLayout<Float>.stride
    own = AlignedBuffer(byteCount: bytes)
    all = AlignedBuffer(byteCount: bytes * ranks.ranks)
  }

  /// count × classes, until the next call.
  /// - Parameter body: gives the logits of this rank's images.
  func logits(
    count: Int, _ body: (Range<Int>) -> UnsafeBufferPointer<Float>
  ) -> UnsafeBufferPointer<Float> {
    let range = RankPart.range(of: count, rank: ranks.rank, of: ranks.ranks)
    if !range.isEmpty, let found = body(range).baseAddress {
      own.floats.update(from: found, count: range.count * classes)
    }
    let each = RankPart.size(of: count, ranks: ranks.ranks) * classes
    ranks.allGather(UnsafePointer(own.floats), all.floats, each: each)
    return UnsafeBufferPointer(start: all.floats, count: count * classes)
  }
}
