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

/// What ranks tell each other of their shards: numbers, all of which a double holds exactly.
struct ShardRecords {
  private let states: Int
  private var numbers: [Double] = []
  /// Whether these are those of all ranks.
  private(set) var isWhole = false

  /// - Parameter states: running statistics.
  init(states: Int) { self.states = states }

  /// Numbers of a shard.
  static func size(states: Int) -> Int { 3 + states }
  private var size: Int { Self.size(states: states) }
  var count: Int { numbers.count / size }

  mutating func append(_ result: StepResult, _ states: UnsafeBufferPointer<Float>) {
    numbers += [Double(result.loss), Double(result.correct), Double(result.predictions)]
    numbers += states.lazy.map(Double.init)
  }

  /// With zeros for shards that have no images.
  func padded(shards: Int) -> [Double] {
    numbers + Array(repeating: 0, count: shards * size - numbers.count)
  }

  /// Takes those of all ranks.
  mutating func become(_ all: [Double]) { (numbers, isWhole) = (all, true) }

  func loss(_ shard: Int) -> Float { Float(numbers[shard * size]) }
  func correct(_ shard: Int) -> Int { Int(numbers[shard * size + 1]) }
  func predictions(_ shard: Int) -> Int { Int(numbers[shard * size + 2]) }
  func states(_ shard: Int) -> ArraySlice<Double> { numbers[shard * size + 3..<(shard + 1) * size] }
}

/// Means over shards, added in their order in double precision.
struct ShardTally {
  private var images = 0, loss = 0.0, correct = 0, predictions = 0
  private var states: [Double] = []

  /// - Parameter ranges: images of the shards.
  init(_ records: ShardRecords, _ ranges: [Range<Int>]) {
    states = Array(repeating: 0, count: records.states(0).count)
    for (shard, range) in ranges.enumerated() {
      let weight = Double(range.count)
      images += range.count
      loss += Double(records.loss(shard)) * weight
      correct += records.correct(shard)
      predictions += records.predictions(shard)
      for (index, state) in records.states(shard).enumerated() { states[index] += state * weight }
    }
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
