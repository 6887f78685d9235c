import OctNetTraining

/// The first of so many ranks of which no other exists: what it computes for the exchange takes its time, and nothing waits for
/// bytes. What the others would have sent is arbitrary.
final class SilentRanks: RankExchange {
  let rank = 0
  let ranks: Int

  init(_ ranks: Int) { self.ranks = ranks }

  func beginAllToAll(_ send: [RankVector], _ receive: UnsafeMutableRawPointer) -> any PendingExchange {
    Done()
  }
  func beginAllGather(_ vectors: [RankVector]) -> any PendingExchange { Done() }
  func allGather(_ send: UnsafePointer<Float>, _ receive: UnsafeMutablePointer<Float>, each: Int) {}

  func allGather(_ send: [Double]) -> [Double] {
    var all: [Double] = []
    all.reserveCapacity(send.count * ranks)
    for _ in 0..<ranks { all += send }
    return all
  }

  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) {}
  func largest(_ value: Int32) -> Int32 { value }

  private final class Done: PendingExchange {
    func isDone() -> Bool { true }
    func finish() {}
  }
}
