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
final class ShardedPass {
  private let network: Network
  private let session: TrainingSession
  private let plan: ShardPlan
  private let sum: PairwiseSum
  private var statistics: [Float] = []
  private var means: [Double] = []

  /// - Parameter session: takes `plan.largestShard` images.
  init(network: Network, session: TrainingSession, plan: ShardPlan, threads: Int) {
    self.network = network
    self.session = session
    self.plan = plan
    sum = PairwiseSum(count: network.parameters.count, leaves: plan.shards, threads: threads)
  }

  /// What a pass made of a shard that came to no number.
  struct NotFinite: Error {
    var loss: Float
    /// Of the batch's images.
    var range: Range<Int>
    var dropoutSeed: UInt64
  }

  /// The mean loss over the batch and its gradient, which is valid until the next call. The running statistics have moved.
  /// - Throws: `NotFinite` for the first shard whose loss is not finite.
  func process(
    _ batch: Batch, dropoutSeed: UInt64
  ) throws(NotFinite) -> (result: StepResult, gradient: UnsafePointer<Float>) {
    let states = UnsafeMutableBufferPointer(
      start: network.parameters.states, count: network.parameters.stateCount)
    statistics.removeAll(keepingCapacity: true)
    statistics.append(contentsOf: states)
    means = Array(repeating: 0, count: states.count)
    let counters = network.counters
    let targets = TargetPointers(batch)
    var loss = 0.0, correct = 0, predictions = 0
    for (shard, range) in plan.ranges(count: batch.count).enumerated() {
      // Every shard begins with the statistics of before; the counters count the batch once.
      if shard > 0 {
        network.parameters.states.update(from: statistics, count: statistics.count)
        network.counters = counters
      }
      let images = batch.images(from: range.lowerBound)
      var random = RandomStream(seed: dropoutSeed, "shard", shard)
      let seed = random.next()
      let result = session.step(
        images: images, targets: targets.images(range, of: batch.count), count: range.count,
        dropoutSeed: seed, imagesOfMean: batch.count)
      guard result.loss.isFinite else {
        throw NotFinite(loss: result.loss, range: range, dropoutSeed: seed)
      }
      loss += Double(result.loss) * Double(range.count)
      correct += result.correct
      predictions += result.predictions
      let weight = Double(range.count)
      for index in states.indices { means[index] += weight * Double(states[index]) }
      sum.threads = session.activeThreads
      sum.add(network.parameters.gradients)
    }
    for index in states.indices { states[index] = Float(means[index] / Double(batch.count)) }
    let result = StepResult(
      loss: Float(loss / Double(batch.count)), correct: correct, predictions: predictions)
    return (result, sum.finish())
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
