import CKernels
import OctNetCore
import OctNetData
import OctNetSupport

/// Forward and backward of a batch in shards, each as if it were a small batch of its own: with its own norm statistics, and
/// with the memory for one of them.
///
/// The gradient is that of the mean loss of the whole batch, shards' shares of it added in a fixed binary tree
/// (`PairwiseSum`). Running statistics are the mean over what each shard makes of those before the step (`ShardStatistics`).
/// So who computes which shard, and how many threads do, changes no bit.
package final class ShardedPass {
  private let network: Network
  private let session: TrainingSession
  private let plan: ShardPlan
  /// Other processes, which compute the other shards.
  private let exchange: (any RankExchange)?
  /// Neighbours that this process computes, all of them without others.
  private let places: Range<Int>
  /// Counters of the network that count batches.
  private let counting: [Int]
  private let sum: any ShardSum
  private let statistics: ShardStatistics
  private let rankSum: RankSum?
  private let meter: ExchangeMeter

  /// - Parameters:
  ///   - session: takes `plan.largestShard` images.
  ///   - dtype: numbers in which gradients are added up.
  ///   - exchange: of ranks that divide `plan.shards`.
  ///   - bucket: floats that are exchanged at once.
  init(
    network: Network, session: TrainingSession, plan: ShardPlan, dtype: ReduceDtype = .float32,
    exchange: (any RankExchange)? = nil, bucket: Int = RankSum.usualBucket, threads: Int,
    meter: ExchangeMeter = ExchangeMeter()
  ) {
    self.network = network
    self.session = session
    self.plan = plan
    self.exchange = exchange
    self.meter = meter
    places = plan.places(rank: exchange?.rank ?? 0, of: exchange?.ranks ?? 1)
    counting = network.countingCounters
    let count = network.parameters.count
    sum = dtype.makeSum(
      count: count, leaves: places.count, isWhole: exchange == nil, threads: threads)
    let statistics = ShardStatistics(
      count: network.parameters.stateCount, shards: places.count, ranks: exchange?.ranks ?? 1)
    self.statistics = statistics
    rankSum = exchange.map {
      RankSum(
        $0, count: count, bucket: bucket, threads: threads, dtype: dtype, statistics: statistics,
        meter: meter)
    }
  }

  /// Bytes beside the session's and the network's.
  static func bytes(of network: Network, plan: ShardPlan, dtype: ReduceDtype, ranks: Int) -> Int {
    let (parameters, shards) = (network.parameters, plan.shards / ranks)
    let partial = dtype.sumBytes(count: parameters.count, leaves: shards, isWhole: ranks == 1)
    let exchanged =
      ranks > 1
      ? RankSum.bytes(
        count: parameters.count, ranks: ranks, dtype: dtype, statistics: parameters.stateCount, shards: shards
      ) : 0
    return partial + ShardStatistics.bytes(count: parameters.stateCount, shards: shards) + exchanged
  }

  /// Bytes that a rank tells every other one of each of its shards before the last backward pass.
  package static let recordBytes = ShardRecords.size * MemoryLayout<Double>.stride

  /// Bytes of a network's running statistics, which each shard has of its own.
  package static func statisticsBytes(of graph: Graph) -> Int {
    ParameterStore.stateCount(of: graph) * MemoryLayout<Float>.stride
  }

  /// What a pass made of a shard that came to no number.
  struct NotFinite: Error, Equatable {
    var loss: Float
    var shard: Int
    /// Of the batch's images.
    var range: Range<Int>
    var dropoutSeed: UInt64
  }

  /// What updates the parameters of a slice from their gradient.
  typealias SliceUpdate = (Range<Int>, UnsafePointer<Float>) -> Void

  /// The mean loss over the batch. The running statistics have moved, and the gradient is there or, with `update`, the
  /// weights have moved.
  ///
  /// Ranks know each other's losses before the backward pass of their last shards, in which the exchange of the gradients
  /// begins.
  ///
  /// - Parameter update: of ranks only: begins an update of the weights that is divided between them.
  /// - Throws: `NotFinite` for the first shard whose loss is not finite, on all ranks; then `update` was not called.
  func process(
    _ batch: Batch, dropoutSeed: UInt64, update: (() -> SliceUpdate)? = nil
  ) throws(NotFinite) -> StepResult {
    try meter.pass { () throws(NotFinite) in
      try process(ShardedBatch(batch, plan: plan, dropoutSeed: dropoutSeed), update)
    }
  }

  private func process(_ batch: ShardedBatch, _ update: (() -> SliceUpdate)?) throws(NotFinite) -> StepResult
  {
    let parameters = network.parameters
    let states = parameters.states
    let before = Array(UnsafeBufferPointer(start: states, count: parameters.stateCount))
    let counters = network.counters
    // What is known of shards in their order: of this process's, and once they have met of all.
    var records = ShardRecords()
    let own = places.clamped(to: batch.ranges.indices)
    statistics.begin(batch.ranges)
    sum.reset()
    sum.threads = session.activeThreads
    rankSum?.threads = session.activeThreads
    for shard in own {
      // Every shard begins with the statistics of before.
      states.update(from: before, count: before.count)
      let isLast = shard == own.last
      let range = batch.ranges[shard]
      let result = session.step(
        images: batch.images(of: shard), targets: batch.targets(of: shard), count: range.count,
        dropoutSeed: batch.seed(of: shard), imagesOfMean: batch.count,
        backward: { result in
          records.append(result)
          statistics.keep(states)
          guard isLast, let rankSum else { return result.loss.isFinite }
          meet(&records)
          guard batch.firstProblem(in: records) == nil else { return false }
          rankSum.begin(job(batch, update))
          return true
        }, visit: isLast ? rankSum.map(visitor) : nil)
      guard result.loss.isFinite else { break }
      if rankSum == nil || !isLast { sum.add(parameters.gradients) }
    }
    meet(&records)
    if let problem = batch.firstProblem(in: records) { throw problem }
    if let rankSum {
      // Without a shard there was nothing to begin with.
      if own.isEmpty { rankSum.begin(job(batch, update)) }
      rankSum.finish()
    } else {
      statistics.average()
    }
    statistics.move(to: states)
    // They count the batch once.
    network.counters = counters
    for index in counting { network.counters[index] &+= 1 }
    return records.result(batch.ranges)
  }

  /// Tells all ranks what each knows of its shards, once.
  private func meet(_ records: inout ShardRecords) {
    guard let exchange, !records.isWhole else { return }
    let own = records.padded(shards: places.count)
    records.become(meter.wait { exchange.allGather(own) })
  }

  /// The sum of the gradients of all ranks, which of this one's last shard are known only bit by bit.
  private func job(_ batch: ShardedBatch, _ update: (() -> SliceUpdate)?) -> RankSum.Job {
    let (gradients, values) = (network.parameters.gradients, network.parameters.values)
    let update = update?()
    return RankSum.Job(
      own: { [sum] in sum.message(with: UnsafePointer(gradients), at: $0) },
      filled: (batch.ranges.count + places.count - 1) / places.count,
      result: update == nil ? gradients : values
    ) { slice, gradient in
      guard let update else {
        return (gradients + slice.lowerBound).update(from: gradient, count: slice.count)
      }
      update(slice, gradient)
    }
  }

  /// Lets the exchange go on between the operations of a backward pass.
  private func visitor(_ rankSum: RankSum) -> ([ParameterID]) -> Void {
    var frontier = BackwardFrontier(network.parameters)
    return { done in
      frontier.finish(done)
      rankSum.poll(knownFrom: frontier.place)
    }
  }

  /// That of the last pass without `update`, valid until the next one.
  func gradient() -> UnsafePointer<Float> {
    rankSum == nil ? sum.finish() : UnsafePointer(network.parameters.gradients)
  }

  /// What ranks keep of their slices, whole on the first one.
  func gather(_ buffers: [AlignedBuffer]) {
    for buffer in buffers { rankSum?.gather(buffer.floats) }
  }

  /// What is said of a shard on the rank that computed it, on all of them.
  func agree(of shard: Int, _ text: () -> String) -> String {
    guard let exchange else { return text() }
    return exchange.broadcast(places.contains(shard) ? text() : nil, from: shard / places.count)
  }
}
