import CKernels
import OctNetCore
import OctNetData
import OctNetSupport

/// Forward and backward of a batch in shards, each as if it were a small batch of its own: with its own norm statistics, and
/// with the memory for one of them.
///
/// The gradient is that of the mean loss of the whole batch, shards' shares of it added in a fixed binary tree
/// (`PairwiseSum`). Running statistics are the mean over what each shard makes of those before the step, weighted by its
/// images, added in order of the shards. So who computes which shard, and how many threads do, changes no bit.
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
  private let sum: PairwiseSum
  private let rankSum: RankSum?
  /// Of the last pass: whether `sum` holds anything, and ranks that have a shard.
  private var hasOwn = false
  private var filledRanks = 0

  /// - Parameters:
  ///   - session: takes `plan.largestShard` images.
  ///   - exchange: of ranks that divide `plan.shards`.
  ///   - bucket: floats that are exchanged at once.
  init(
    network: Network, session: TrainingSession, plan: ShardPlan, exchange: (any RankExchange)? = nil,
    bucket: Int = RankSum.usualBucket, threads: Int
  ) {
    self.network = network
    self.session = session
    self.plan = plan
    self.exchange = exchange
    places = plan.places(rank: exchange?.rank ?? 0, of: exchange?.ranks ?? 1)
    counting = network.countingCounters
    let count = network.parameters.count
    sum = PairwiseSum(count: count, leaves: places.count, threads: threads)
    rankSum = exchange.map { RankSum($0, count: count, bucket: bucket, threads: threads) }
  }

  /// Bytes beside the session's and the network's.
  static func bytes(of network: Network, plan: ShardPlan, ranks: Int) -> Int {
    let count = network.parameters.count
    let partial = PairwiseSum.buffers(leaves: plan.shards / ranks) * count * MemoryLayout<Float>.stride
    return partial + (ranks > 1 ? RankSum.bytes(count: count, ranks: ranks) : 0)
  }

  /// Bytes that a rank tells every other one of each of its shards: loss and norms' statistics.
  package static func recordBytes(of graph: Graph) -> Int {
    ShardTally.recordSize(states: ParameterStore.stateCount(of: graph)) * MemoryLayout<Double>.stride
  }

  /// What a pass made of a shard that came to no number.
  struct NotFinite: Error, Equatable {
    var loss: Float
    var shard: Int
    /// Of the batch's images.
    var range: Range<Int>
    var dropoutSeed: UInt64
  }

  /// The mean loss over the batch. The running statistics have moved; what is to be done with the gradient is `gradient` or
  /// `update`, of which one follows.
  /// - Throws: `NotFinite` for the first shard whose loss is not finite, on all ranks.
  func process(_ batch: Batch, dropoutSeed: UInt64) throws(NotFinite) -> StepResult {
    let ranges = plan.ranges(count: batch.count)
    let parameters = network.parameters
    let states = UnsafeMutableBufferPointer(start: parameters.states, count: parameters.stateCount)
    let statistics = Array(states)
    let counters = network.counters
    let targets = TargetPointers(batch)
    var tally = ShardTally(states: states.count)
    // What other processes need to know of these shards.
    var records: [Double] = []
    let own = places.clamped(to: ranges.indices)
    for shard in own {
      let range = ranges[shard]
      // Every shard begins with the statistics of before.
      states.baseAddress?.update(from: statistics, count: statistics.count)
      let result = session.step(
        images: batch.images(from: range.lowerBound), targets: targets.images(range, of: batch.count),
        count: range.count, dropoutSeed: seed(of: shard, dropoutSeed), imagesOfMean: batch.count)
      let record = ShardTally.record(result, UnsafeBufferPointer(states))
      if exchange == nil { tally.add(record[...], images: range.count) } else { records += record }
      guard result.loss.isFinite else {
        guard exchange == nil else { break }
        throw notFinite(result.loss, shard, range, dropoutSeed)
      }
      sum.threads = session.activeThreads
      sum.add(parameters.gradients)
    }
    if let exchange {
      let size = ShardTally.recordSize(states: states.count)
      records += Array(repeating: 0, count: places.count * size - records.count)
      let all = exchange.allGather(records)
      for (shard, range) in ranges.enumerated() {
        let record = all[shard * size..<(shard + 1) * size]
        let loss = ShardTally.loss(record)
        guard loss.isFinite else { throw notFinite(loss, shard, range, dropoutSeed) }
        tally.add(record, images: range.count)
      }
    }
    for index in states.indices { states[index] = tally.state(index) }
    // They count the batch once.
    network.counters = counters
    for index in counting { network.counters[index] &+= 1 }
    hasOwn = !own.isEmpty
    filledRanks = (ranges.count + places.count - 1) / places.count
    return tally.result
  }

  /// That of the last pass, valid until the next one.
  func gradient() -> UnsafePointer<Float> {
    guard let rankSum else { return sum.finish() }
    rankSum.threads = session.activeThreads
    let gradients = network.parameters.gradients
    rankSum.add(hasOwn ? sum.finish() : nil, filled: filledRanks, to: gradients)
    return UnsafePointer(gradients)
  }

  /// The update of the weights, divided between the ranks.
  /// - Parameter body: updates the parameters of a slice from their gradient.
  /// - Precondition: there are ranks.
  func update(_ body: (Range<Int>, UnsafePointer<Float>) -> Void) {
    guard let rankSum else { preconditionFailure("one process updates all") }
    rankSum.threads = session.activeThreads
    let values = network.parameters.values
    rankSum.add(hasOwn ? sum.finish() : nil, filled: filledRanks, to: values) { slice, gradient in
      body(slice, gradient)
      return UnsafePointer(values + slice.lowerBound)
    }
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

  private func seed(of shard: Int, _ dropoutSeed: UInt64) -> UInt64 {
    var random = RandomStream(seed: dropoutSeed, "shard", shard)
    return random.next()
  }

  private func notFinite(
    _ loss: Float, _ shard: Int, _ range: Range<Int>, _ dropoutSeed: UInt64
  ) -> NotFinite {
    NotFinite(loss: loss, shard: shard, range: range, dropoutSeed: seed(of: shard, dropoutSeed))
  }
}

/// Means over shards, added in their order in double precision.
private struct ShardTally {
  private var images = 0, loss = 0.0, correct = 0, predictions = 0
  private var states: [Double]

  init(states count: Int) { states = Array(repeating: 0, count: count) }

  static func recordSize(states count: Int) -> Int { 3 + count }

  /// A shard's in numbers, all of which a double holds exactly.
  static func record(_ result: StepResult, _ states: UnsafeBufferPointer<Float>) -> [Double] {
    [Double(result.loss), Double(result.correct), Double(result.predictions)] + states.map(Double.init)
  }

  static func loss(_ record: ArraySlice<Double>) -> Float { Float(record[record.startIndex]) }

  mutating func add(_ record: ArraySlice<Double>, images added: Int) {
    let (start, weight) = (record.startIndex, Double(added))
    images += added
    loss += record[start] * weight
    correct += Int(record[start + 1])
    predictions += Int(record[start + 2])
    for index in states.indices { states[index] += record[start + 3 + index] * weight }
  }

  func state(_ index: Int) -> Float { Float(states[index] / Double(images)) }

  var result: StepResult {
    StepResult(loss: Float(loss / Double(images)), correct: correct, predictions: predictions)
  }
}

extension Batch {
  func images(from first: Int) -> UnsafePointer<Float> { images + first * (imageFloats / count) }
}

extension TargetPointers {
  /// Those of some images of a batch of `count`.
  func images(_ range: Range<Int>, of count: Int) -> TargetPointers {
    func part<Number>(_ all: UnsafeBufferPointer<Number>) -> UnsafeBufferPointer<Number> {
      let size = all.count / count
      return UnsafeBufferPointer(rebasing: all[range.lowerBound * size..<range.upperBound * size])
    }
    var part = TargetPointers(labels: part(labels), values: part(values))
    part.mixed = mixed.map { MixedLabels(labels: $0.labels + range.lowerBound, share: $0.share) }
    return part
  }
}
