import OctNetData
import OctNetSupport

/// A batch as its shards see it.
struct ShardedBatch {
  private let batch: Batch
  private let allTargets: TargetPointers
  private let dropoutSeed: UInt64
  /// Images of each shard that has some.
  let ranges: [Range<Int>]

  init(_ batch: Batch, plan: ShardPlan, dropoutSeed: UInt64) {
    self.batch = batch
    self.dropoutSeed = dropoutSeed
    allTargets = TargetPointers(batch)
    ranges = plan.ranges(count: batch.count)
  }

  /// Images of all shards.
  var count: Int { batch.count }

  func images(of shard: Int) -> UnsafePointer<Float> { batch.images(from: ranges[shard].lowerBound) }

  func targets(of shard: Int) -> TargetPointers { allTargets.images(ranges[shard], of: count) }

  func seed(of shard: Int) -> UInt64 {
    var random = RandomStream(seed: dropoutSeed, "shard", shard)
    return random.next()
  }

  /// The first shard whose loss is not finite, of those that are known.
  func firstProblem(in records: ShardRecords) -> ShardedPass.NotFinite? {
    for (shard, range) in ranges.prefix(records.count).enumerated() {
      let loss = records.loss(shard)
      guard !loss.isFinite else { continue }
      return ShardedPass.NotFinite(loss: loss, shard: shard, range: range, dropoutSeed: seed(of: shard))
    }
    return nil
  }
}

/// What ranks tell each other of their shards before anything else: numbers, all of which a double holds exactly.
struct ShardRecords {
  private var numbers: [Double] = []
  /// Whether these are those of all ranks.
  private(set) var isWhole = false

  /// Numbers of a shard.
  static let size = 3
  var count: Int { numbers.count / Self.size }

  mutating func append(_ result: StepResult) {
    numbers += [Double(result.loss), Double(result.correct), Double(result.predictions)]
  }

  /// With zeros for shards that have no images.
  func padded(shards: Int) -> [Double] {
    numbers + Array(repeating: 0, count: shards * Self.size - numbers.count)
  }

  /// Takes those of all ranks.
  mutating func become(_ all: [Double]) { (numbers, isWhole) = (all, true) }

  func loss(_ shard: Int) -> Float { Float(numbers[shard * Self.size]) }

  /// Of the batch, the loss being the mean over shards, added in their order in double precision.
  /// - Parameter ranges: images of the shards.
  func result(_ ranges: [Range<Int>]) -> StepResult {
    var (images, loss, correct, predictions) = (0, 0.0, 0, 0)
    for (shard, range) in ranges.enumerated() {
      images += range.count
      loss += Double(self.loss(shard)) * Double(range.count)
      correct += Int(numbers[shard * Self.size + 1])
      predictions += Int(numbers[shard * Self.size + 2])
    }
    return StepResult(loss: Float(loss / Double(images)), correct: correct, predictions: predictions)
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
