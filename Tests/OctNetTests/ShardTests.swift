import Testing

import OctNet
@testable import OctNetCore
@testable import OctNetData
@testable import OctNetTraining

/// Batches in shards: what a shard sees, how shards are added, and that who computes them changes no bit.
@Suite struct ShardTests {
  // MARK: The plan

  @Test func shardsAreNeighboursOfEqualSize() {
    #expect(ShardPlan(shards: 4).ranges(count: 8) == [0..<2, 2..<4, 4..<6, 6..<8])
    #expect(ShardPlan(shards: 4).ranges(count: 6) == [0..<1, 1..<3, 3..<4, 4..<6])
    #expect(ShardPlan(shards: 4).ranges(count: 3) == [0..<1, 1..<2, 2..<3])
    #expect(ShardPlan(shards: 4, leastImages: 2).ranges(count: 7) == [0..<2, 2..<4, 4..<7])
    #expect(ShardPlan(shards: 4, leastImages: 2).ranges(count: 3) == [0..<3])
    #expect(ShardPlan(shards: 4, leastImages: 2).ranges(count: 1) == [0..<1])
  }

  @Test(arguments: [1, 2, 3])
  func everyImageIsInOneShardThatFits(leastImages: Int) {
    for shards in [1, 2, 4, 8, 16] {
      let plan = ShardPlan(shards: shards, leastImages: leastImages)
      for batchSize in shards * leastImages..<shards * leastImages + 9 {
        for count in 1...batchSize {
          let ranges = plan.ranges(count: count)
          #expect(ranges.flatMap { Array($0) } == Array(0..<count))
          #expect(ranges.count == plan.filled(count: count) && ranges.count <= shards)
          for range in ranges {
            #expect(range.count >= min(count, leastImages))
            #expect(range.count <= plan.largestShard(batchSize: batchSize), "\(plan) \(count)")
          }
        }
        #expect(plan.filled(count: batchSize) == shards)
      }
    }
  }

  // MARK: The tree

  /// Numbers whose sum depends on the order.
  private func vectors(_ count: Int, floats: Int = 37) -> [[Float]] {
    var random = RandomStream(seed: 3, "vectors")
    return (0..<count).map { _ in
      (0..<floats).map { _ in Float(random.index(below: 1 << 24)) / Float(1 << random.index(below: 24)) }
    }
  }

  /// The definition: both halves of the places, of which the second may be empty.
  private func tree(_ vectors: ArraySlice<[Float]>, places: Int) -> [Float]? {
    guard places > 1 else { return vectors.first }
    let left = tree(vectors.prefix(places / 2), places: places / 2)
    let right = tree(vectors.dropFirst(places / 2), places: places / 2)
    guard let left, let right else { return left }
    return zip(left, right).map { $0 + $1 }
  }

  @Test(arguments: [1, 2, 4, 8, 16], [1, 2])
  func sumsFollowTheTree(leaves: Int, threads: Int) {
    let vectors = vectors(leaves)
    let sum = PairwiseSum(count: 37, leaves: leaves, threads: threads)
    // Again and again in the same buffers.
    for count in Array(1...leaves) + Array((1...leaves).reversed()) {
      for vector in vectors.prefix(count) { sum.add(vector) }
      let found = Array(UnsafeBufferPointer(start: sum.finish(), count: 37))
      #expect(found == tree(vectors.prefix(count), places: leaves), "\(count) of \(leaves)")
      // The last one in two parts, from the end.
      for vector in vectors.prefix(count - 1) { sum.add(vector) }
      let parts = [19..<37, 0..<19].map { places in
        Array(UnsafeBufferPointer(start: sum.sum(with: vectors[count - 1], at: places), count: places.count))
      }
      sum.reset()
      #expect(parts[1] + parts[0] == found, "\(count) of \(leaves)")
    }
    guard leaves >= 4 else { return }
    let inOrder = vectors.dropFirst().reduce(vectors[0]) { zip($0, $1).map { $0 + $1 } }
    #expect(inOrder != tree(vectors[...], places: leaves), "numbers that would not tell an order")
  }

  /// Whoever makes the sum of a subtree: here, parts of 1, 2 and 4 of 8.
  @Test(arguments: [1, 2, 4])
  func sumsOfSubtreesMakeTheSameTree(part: Int) {
    for count in 1...8 {
      let vectors = vectors(count)
      let (inner, outer) = (
        PairwiseSum(count: 37, leaves: part, threads: 1), PairwiseSum(count: 37, leaves: 8 / part, threads: 1)
      )
      for start in stride(from: 0, to: count, by: part) {
        for vector in vectors[start..<min(count, start + part)] { inner.add(vector) }
        outer.add(inner.finish())
      }
      let found = Array(UnsafeBufferPointer(start: outer.finish(), count: 37))
      #expect(found == tree(vectors[...], places: 8), "\(count) in parts of \(part)")
    }
  }

  // MARK: A pass

  /// - Parameter norm: without it, a batch's images do not see each other.
  private func network(norm: Bool) throws -> Network {
    try Network(inputShape: MapShape(height: 6, width: 6, channels: 3), seed: 3) { image in
      var x = try Conv2d("conv", inputChannels: 3, outputChannels: 4, kernelSize: 3, padding: 1)(image)
      if norm { x = try BatchNorm2d("norm", channels: 4)(x) }
      return try Linear("classes", inputChannels: 4, outputChannels: 4)(GlobalAvgPool()(ReLU()(x)))
    }
  }

  /// 7 images in 4 shards of 1, 2, 2 and 2: against four sessions' steps.
  @Test func aShardIsABatchOfItsOwn() throws {
    let count = 7, imageSize = 6 * 6 * 3
    var random = RandomStream(seed: 9, "images")
    let images = (0..<count * imageSize).map { _ in Float(random.index(below: 1000)) / 500 - 1 }
    let labels = (0..<count).map { Int32($0 % 4) }
    let network = try network(norm: true)
    let (before, counters) = (network.bits, network.counters)
    let plan = ShardPlan(shards: 4)
    let session = try TrainingSession(
      network: network, batchSize: plan.largestShard(batchSize: count), threads: 2)
    let pass = ShardedPass(network: network, session: session, plan: plan, threads: 2)
    let parameters = network.parameters.count
    let numbers = UnsafeMutablePointer<Int>.allocate(capacity: count)
    numbers.initialize(repeating: 0, count: count)
    defer { numbers.deallocate() }
    let (result, gradient) = try images.withUnsafeBufferPointer { images in
      try labels.withUnsafeBufferPointer { labels in
        let batch = Batch(
          images: try #require(images.baseAddress), imageFloats: images.count,
          samples: UnsafePointer(numbers), labels: try #require(labels.baseAddress), values: nil, mixed: nil,
          count: count, index: 0)
        let result = try pass.process(batch, dropoutSeed: 1)
        return (result, Array(UnsafeBufferPointer(start: pass.gradient(), count: parameters)))
      }
    }
    #expect(network.counters == counters.map { $0 + 1 })
    for (name, bits) in before where name.hasPrefix("conv") || name.hasPrefix("classes") {
      #expect(network.bits[name] == bits)
    }
    var (loss, correct) = (0.0, 0)
    var states = Array(repeating: 0.0, count: network.parameters.stateCount)
    var sum = Array(repeating: 0.0, count: parameters)
    for range in [0..<1, 1..<3, 3..<5, 5..<7] {
      let other = try self.network(norm: true)
      let result = try TrainingSession(network: other, batchSize: range.count, threads: 1).step(
        images: Array(images[range.lowerBound * imageSize..<range.upperBound * imageSize]),
        labels: Array(labels[range]))
      loss += Double(result.loss) * Double(range.count) / Double(count)
      correct += result.correct
      for index in states.indices {
        states[index] += Double(other.parameters.states[index]) * Double(range.count)
      }
      for index in sum.indices {
        sum[index] += Double(other.parameters.gradients[index]) * Double(range.count) / Double(count)
      }
    }
    #expect(abs(Double(result.loss) - loss) < 1e-6)
    #expect(result.correct == correct && result.predictions == count)
    for index in states.indices {
      #expect(network.parameters.states[index] == Float(states[index] / Double(count)))
    }
    let scale = sum.map(abs).max() ?? 0
    #expect(scale > 0.01)
    for index in sum.indices { #expect(abs(Double(gradient[index]) - sum[index]) < 2e-6 * scale) }
  }

  // MARK: Runs

  private func train(
    _ network: Network, loss: (any Loss)? = nil, _ change: (inout TrainingConfiguration) -> Void
  ) throws -> [Double] {
    var configuration = TinyRun.configuration(epochs: 2)
    change(&configuration)
    var losses: [Double] = []
    try Trainer(
      network: network, configuration: configuration, data: TinyRun.data, loss: loss
    ) { if case .step(let report) = $0 { losses.append(report.loss) } }.run()
    return losses
  }

  /// Where images do not see each other, and nothing is dropped, shards change the rounding only.
  @Test(arguments: [
    { @Sendable (c: inout TrainingConfiguration) in _ = c },
    { @Sendable (c: inout TrainingConfiguration) in c.clipGradientNorm = 0.05 },
    { @Sendable (c: inout TrainingConfiguration) in c.mixupAlpha = 0.4 },
    { @Sendable (c: inout TrainingConfiguration) in (c.batchSize, c.accumulationSteps) = (5, 2) },
    { @Sendable (c: inout TrainingConfiguration) in (c.emaDecay, c.optimizer) = (0.9, .sgd) },
    { @Sendable (c: inout TrainingConfiguration) in (c.lossReduction, c.schedule.base) = (.sum, 0.01) },
    { @Sendable (c: inout TrainingConfiguration) in
      (c.lossReduction, c.schedule.base, c.batchSize, c.accumulationSteps) = (.sum, 0.01, 5, 2)
    },
    { @Sendable (c: inout TrainingConfiguration) in c.frozen = ["conv"] },
  ])
  func withoutNormsShardsAreTheBatch(change: @Sendable (inout TrainingConfiguration) -> Void) throws {
    let (whole, shards) = (try network(norm: false), try network(norm: false))
    let losses = try train(whole) {
      $0.batchSize = 8
      change(&$0)
    }
    let others = try train(shards) {
      ($0.batchSize, $0.shards) = (8, 4)
      change(&$0)
    }
    #expect(losses.count == others.count)
    for (a, b) in zip(losses, others) { #expect(abs(a - b) < 1e-5) }
    for ((name, a), (_, b)) in zip(whole.stateDictionary(), shards.stateDictionary()) {
      guard case .tensor(let a) = a, case .tensor(let b) = b else { continue }
      let scale = a.values.map(abs).max() ?? 1
      for (x, y) in zip(a.values, b.values) { #expect(abs(x - y) <= 1e-5 * scale, "\(name)") }
    }
  }

  @Test(arguments: [2, 4])
  func threadsChangeNoBit(shards: Int) throws {
    func bits(_ threads: Int) throws -> [String: [UInt64]] {
      let network = try TinyRun.network()
      _ = try train(network) {
        ($0.threads, $0.shards, $0.clipGradientNorm) = (threads, shards, 0.5)
      }
      return network.bits
    }
    let one = try bits(1)
    for threads in [2, 3] { #expect(try bits(threads) == one) }
    let other = try TinyRun.network()
    _ = try train(other) { ($0.shards, $0.clipGradientNorm) = (1, 0.5) }
    #expect(other.bits != one)
  }

  /// 1 is what there is without them.
  @Test func oneShardIsTheBatch() throws {
    let (plain, one) = (try TinyRun.network(), try TinyRun.network())
    _ = try train(plain) { _ in }
    _ = try train(one) { $0.shards = 1 }
    #expect(plain.bits == one.bits)
  }

  @Test func aLossThatIsNoNumberIsTold() throws {
    let network = try TinyRun.network()
    network.parameters.values[0] = .nan
    #expect(
      error { try train(network) { $0.shards = 2 } }
        == .training(
          "epoch 1, step 1: the loss is not finite (NaN), and the first such number: parameter "
            + "enter.conv_h2l.weight is nan; try a lower learning rate, a warm-up or gradient clipping"))
  }

  @Test func numbersOfShardsThatDoNotFit() throws {
    func problem(_ network: Network, _ shards: Int, batchSize: Int = 5) -> OctNetError? {
      error { try train(network) { ($0.shards, $0.batchSize) = (shards, batchSize) } }
    }
    let network = try TinyRun.network()
    #expect(problem(network, 0) == .configuration(key: "shards", "expected 1 or more, found 0"))
    #expect(problem(network, 3) == .configuration(key: "shards", "expected a power of two, found 3"))
    #expect(
      problem(network, 8)
        == .configuration(key: "shards", "expected at most the 5 images of a batch, found 8"))
    let small = try Network(inputShape: MapShape(height: 6, width: 6, channels: 3), seed: 1) { image in
      let x = try Conv2d("conv", inputChannels: 3, outputChannels: 4, kernelSize: 6)(image)
      return try Linear("classes", inputChannels: 4, outputChannels: 4)(
        GlobalAvgPool()(BatchNorm2d("norm", channels: 4)(x)))
    }
    #expect(
      problem(small, 4)
        == .configuration(
          key: "shards",
          "found 4 for batches of 5, expected at most 2: norm normalises maps of one pixel, which vary over a shard's "
            + "images only"))
    #expect(problem(small, 2) == nil)
  }
}
