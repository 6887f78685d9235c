import CKernels
import OctNetCore
import OctNetSupport

/// Adds up what the ranks made of their shards: each rank the places of its slices of the parameters, in the tree's order.
/// Then all ranks get what it made of them. Bytes sent and received are those of a ring: twice the parameters.
///
/// The parameters are exchanged in buckets, of each of which every rank has one slice. Buckets leave from the end, as backward
/// passes finish them, and go on whenever `poll` is called; the one at the beginning, which nothing follows, is never larger.
///
/// Running statistics go along with the first bucket that leaves, in its messages.
final class RankSum {
  private let exchange: any RankExchange
  private let statistics: ShardStatistics?
  private let dtype: ReduceDtype
  /// In the order in which they leave.
  private let buckets: [Bucket]
  /// What arrives lies in one of them until it is added up, each bucket's in the next.
  private let received: [AlignedBuffer]
  /// For the sum of a slice, which is wider than what arrives in bfloat16.
  private let sums: AlignedBuffer?
  private let meter: ExchangeMeter
  /// For the next call; results do not depend on it.
  var threads: Int

  private struct Bucket {
    var start: Int
    var slices: RankSlices
    var range: Range<Int> { start..<start + slices.count }
  }

  /// What is under way. In each of its two stages buckets follow each other in the order of all ranks.
  private var job: Job?
  private var sent = 0
  private var arriving: [(stride: Int, pending: any PendingExchange)] = []
  private var spreading: [(floats: Int, pending: any PendingExchange)] = []

  /// A sum of all ranks.
  struct Job {
    /// This rank's sum at some places, in the numbers that are sent; where it has no shard, anything.
    var own: (Range<Int>) -> UnsafeMutableRawPointer
    /// Ranks that have a shard, the first ones.
    var filled: Int
    /// Where all ranks are to get what each makes of its slices, in the order of the parameters. A bucket's part is left alone
    /// until this rank's sum has left it.
    var result: UnsafeMutablePointer<Float>
    /// Gets each of this rank's slices and the sum of all in it, and leaves in `result` what it makes of it.
    var use: (Range<Int>, UnsafePointer<Float>) -> Void
  }

  /// Floats that are exchanged at once: 16 MiB.
  static let usualBucket = 1 << 22
  /// Buckets whose sums are on their way at once.
  private static let most = 4

  /// Bytes beside the parameters, at most.
  static func bytes(
    count: Int, ranks: Int, dtype: ReduceDtype, statistics: Int, shards: Int, bucket: Int = usualBucket
  ) -> Int {
    let buckets = (count + bucket - 1) / bucket
    let slices = RankSlices(count: min(count, bucket), ranks: ranks)
    return slot(slices, ranks, .float32) + (min(most, buckets) - 1) * slot(slices, ranks, dtype)
      + shards * slot(RankSlices(count: statistics, ranks: ranks), ranks, .float32)
      + (dtype == .float32 ? 0 : slot(slices, 1, .float32))
  }

  /// Bytes that arrive of a vector, which of each rank begin at a cache line.
  private static func slot(_ slices: RankSlices, _ ranks: Int, _ dtype: ReduceDtype) -> Int {
    let line = AlignedBuffer.cacheLine
    return ranks * ((slices.each * dtype.size + line - 1) / line * line)
  }

  /// - Parameters:
  ///   - count: floats in all.
  ///   - bucket: floats that are exchanged at once; no result depends on it.
  ///   - dtype: numbers that are sent.
  ///   - statistics: of the shards, which are kept when a sum begins.
  init(
    _ exchange: any RankExchange, count: Int, bucket: Int = RankSum.usualBucket, threads: Int,
    dtype: ReduceDtype = .float32, statistics: ShardStatistics? = nil, meter: ExchangeMeter = ExchangeMeter()
  ) {
    self.exchange = exchange
    self.statistics = statistics
    self.dtype = dtype
    self.threads = threads
    self.meter = meter
    // Of nothing there is an empty one, for what goes along.
    buckets = stride(from: count, to: min(0, count - 1), by: -bucket).map { end in
      let start = max(0, end - bucket)
      return Bucket(start: start, slices: RankSlices(count: end - start, ranks: exchange.ranks))
    }
    received = buckets.prefix(Self.most).enumerated().map { index, bucket in
      let along = index == 0 ? statistics?.largestArrival ?? 0 : 0
      // The first one is `gather`'s, too, which brings floats together.
      let size = Self.slot(bucket.slices, exchange.ranks, index == 0 ? .float32 : dtype)
      return AlignedBuffer(byteCount: size + exchange.ranks * along)
    }
    sums =
      dtype == .float32
      ? nil : buckets.first.map { AlignedBuffer(byteCount: Self.slot($0.slices, 1, .float32)) }
  }

  /// Begins a sum, of which nothing is there yet. `finish` follows.
  func begin(_ job: Job) {
    precondition(self.job == nil, "a sum is under way")
    self.job = job
    sent = 0
  }

  /// Sends what can leave, and moves on what is under way as far as it goes without waiting.
  /// - Parameter start: behind it this rank's sum is known, and `result` may be written.
  func poll(knownFrom start: Int) {
    send(from: start)
    while let next = arriving.first, next.pending.isDone() {
      meter.early += take()
      send(from: start)
    }
    while let next = spreading.first, next.pending.isDone() {
      spreading.removeFirst()
      meter.early += next.floats
    }
  }

  /// Waits for what is left, all of which is known.
  func finish() {
    send(from: 0)
    while let next = arriving.first {
      meter.wait { next.pending.finish() }
      _ = take()
      send(from: 0)
    }
    for next in spreading { meter.wait { next.pending.finish() } }
    spreading.removeAll(keepingCapacity: true)
    meter.floats += 2 * buckets.reduce(0) { $0 + $1.slices.count }
    job = nil
  }

  private func send(from start: Int) {
    guard let job else { preconditionFailure("no sum has begun") }
    while sent < buckets.count, buckets[sent].start >= start, arriving.count < received.count {
      let vectors = vectors(sent, job.own(buckets[sent].range))
      let pending = exchange.beginAllToAll(vectors, received[sent % received.count].base)
      arriving.append((RankVector.stride(vectors, to: exchange.rank), pending))
      sent += 1
    }
  }

  /// What goes round of a bucket, of whose numbers these are the first.
  private func vectors(_ index: Int, _ start: UnsafeMutableRawPointer) -> [RankVector] {
    // Statistics begin where floats may, whatever a slice of the bucket ends with.
    (index == 0 ? statistics?.sent ?? [] : [])
      + [RankVector(start, buckets[index].slices, size: dtype.size)]
  }

  /// Adds up what has arrived first and lets the result leave.
  /// - Returns: floats of the bucket.
  private func take() -> Int {
    guard let job else { preconditionFailure("no sum has begun") }
    let index = sent - arriving.count
    let bucket = buckets[index]
    let stride = arriving.removeFirst().stride
    let own = bucket.slices.slice(of: exchange.rank)
    let arrived = received[index % received.count].base
    let along = index == 0 ? statistics : nil
    along?.average(arrived, stride: stride, on: exchange.rank)
    if !own.isEmpty {
      let parts = arrived + (along?.arriving(on: exchange.rank) ?? 0)
      let tree = RankTree(
        vectors: parts, stride: stride, count: own.count, ranks: exchange.ranks, filled: job.filled,
        threads: threads)
      let sum = sums.map { tree.bfloat16(into: $0.floats) } ?? tree.float32()
      job.use(bucket.start + own.lowerBound..<bucket.start + own.upperBound, sum)
    }
    let pending = exchange.beginAllGather(
      (along?.spread ?? []) + [RankVector(job.result + bucket.start, bucket.slices)])
    spreading.append((bucket.slices.count, pending))
    return bucket.slices.count
  }

  /// Gives the first rank what each has in its slices of a buffer; elsewhere it stays as it is.
  func gather(_ buffer: UnsafeMutablePointer<Float>) {
    let own = AlignedBuffer(
      byteCount: (buckets.map(\.slices.each).max() ?? 0) * MemoryLayout<Float>.stride)
    for bucket in buckets {
      let start = buffer + bucket.start, slice = bucket.slices.slice(of: exchange.rank)
      own.floats.update(from: start + slice.lowerBound, count: slice.count)
      exchange.allGather(UnsafePointer(own.floats), received[0].floats, each: bucket.slices.each)
      if exchange.rank == 0 { start.update(from: received[0].floats, count: bucket.slices.count) }
    }
  }
}
