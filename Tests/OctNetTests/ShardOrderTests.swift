import Testing

@testable import OctNetData

/// In which order an epoch goes through shards.
struct ShardOrderTests {
  private func order(_ buffer: Int, epoch: Int = 0, seed: UInt64 = 1) -> [Int] {
    ShardOrder.order(count: 100, shard: { $0 / 10 }, buffer: buffer, seed: seed, epoch: epoch)
  }

  @Test func eachImageComesOnce() {
    for buffer in [1, 7, 100, 1 << 40] { #expect(order(buffer).sorted() == Array(0..<100)) }
  }

  /// No more than the buffer is read ahead: what comes at a place lies at most so far behind it.
  @Test(arguments: [1, 7, 30]) func theBufferIsTheWindow(buffer: Int) {
    let found = order(buffer)
    // A buffer of one image is the order in which shards come, each from its beginning to its end.
    let shards = order(1)
    #expect(Set(stride(from: 0, to: 100, by: 10).map { shards[$0] / 10 }).count == 10)
    #expect((0..<100).allSatisfy { shards[$0] % 10 == $0 % 10 })
    for (place, image) in found.enumerated() {
      let read = shards.firstIndex(of: image) ?? -1
      #expect(read < place + buffer)
    }
    #expect((buffer == 1) == (found == shards))
  }

  @Test func seedAndEpochDecide() {
    #expect(order(7) == order(7) && order(7) != order(7, epoch: 1) && order(7) != order(7, seed: 2))
    // An image moves far: through all of the epoch, with the buffer that holds all.
    let places = (0..<50).map { order(100, epoch: $0).firstIndex(of: 3) ?? 0 }
    #expect((places.min() ?? 99) < 15 && (places.max() ?? 0) > 85)
  }
}
