import Testing

import OctNet
@testable import OctNetCore
@testable import OctNetTraining

/// Gradients of shards in bfloat16: the tree, and that it is the same on any number of ranks. The rounding is tested with the
/// kernels.
@Suite struct BFloat16SumTests {
  private static let count = 133

  private func vectors(_ count: Int) -> [[Float]] {
    var random = RandomStream(seed: 3, "vectors")
    return (0..<count).map { _ in
      (0..<Self.count).map { _ in
        Float(random.index(below: 1 << 24)) / Float(1 << random.index(below: 24)) - 0.4
      }
    }
  }

  /// Finite numbers, by way of their nearest neighbour.
  private static func rounded(_ value: Float) -> Float {
    let low = Float(bitPattern: value.bitPattern & 0xffff_0000)
    let high = Float(bitPattern: low.bitPattern + 0x1_0000)
    let (below, above) = (abs(Double(value) - Double(low)), abs(Double(high) - Double(value)))
    let isEven = low.bitPattern & 0x1_0000 == 0
    return below < above || (below == above && isEven) ? low : high
  }

  /// The definition: a vector is rounded, and so is a sum of both halves of the places, but for that of all.
  private func tree(_ vectors: ArraySlice<[Float]>, places: Int, isWhole: Bool = true) -> [Float]? {
    guard places > 1 else { return vectors.first.map { $0.map(Self.rounded) } }
    let left = tree(vectors.prefix(places / 2), places: places / 2, isWhole: false)
    let right = tree(vectors.dropFirst(places / 2), places: places / 2, isWhole: false)
    guard let left, let right else { return left }
    return zip(left, right).map { isWhole ? $0 + $1 : Self.rounded($0 + $1) }
  }

  @Test(arguments: [1, 2, 4, 8, 16], [1, 2])
  func oneProcessFollowsTheTree(leaves: Int, threads: Int) {
    let vectors = vectors(leaves)
    let sum = ReduceDtype.bfloat16.makeSum(
      count: Self.count, leaves: leaves, isWhole: true, threads: threads)
    // Again and again in the same buffers.
    for filled in Array(1...leaves) + Array((1...leaves).reversed()) {
      sum.reset()
      for vector in vectors.prefix(filled) { sum.add(vector) }
      let found = Array(UnsafeBufferPointer(start: sum.finish(), count: Self.count))
      #expect(found == tree(vectors.prefix(filled), places: leaves), "\(filled) of \(leaves)")
    }
  }

  /// Slices that end in the middle of parameters, and ranks without a shard.
  @Test(arguments: [2, 4, 8], [1, 2, 3, 4, 5, 7, 8])
  func ranksFollowTheSameTree(ranks: Int, filled: Int) {
    let (vectors, size) = (vectors(filled), 8 / ranks)
    let found = ThreadRanks.run(ranks) { exchange in
      let own = ReduceDtype.bfloat16.makeSum(count: Self.count, leaves: size, isWhole: false, threads: 1)
      let places = (exchange.rank * size..<(exchange.rank + 1) * size).clamped(to: 0..<filled)
      let sum = RankSum(
        exchange, count: Self.count, bucket: 16 * ranks, threads: 1, dtype: .bfloat16)
      var result = [Float](repeating: -1, count: Self.count)
      for place in places.dropLast() { own.add(vectors[place]) }
      let last = places.last.map { vectors[$0] } ?? result
      last.withUnsafeBufferPointer { last in
        result.withUnsafeMutableBufferPointer { result in
          guard let start = result.baseAddress, let last = last.baseAddress else { return }
          sum.begin(
            RankSum.Job(
              own: { own.message(with: last, at: $0) }, filled: (filled + size - 1) / size, result: start
            ) {
              (start + $0.lowerBound).update(from: $1, count: $0.count)
            })
          for place in exchange.rank % 2 == 0 ? [] : [100, 40, 40, 3] { sum.poll(knownFrom: place) }
          sum.finish()
        }
      }
      return (result, exchange.sentBytes)
    }.compactMap { try? $0.get() }
    #expect(found.count == ranks)
    let expected = tree(vectors[...], places: 8)
    for (rank, (result, bytes)) in found.enumerated() {
      #expect(result == expected)
      // Two bytes a number for sums, four for what is made of a rank's own.
      let slices = stride(from: Self.count, to: 0, by: -16 * ranks).map { end in
        RankSlices(count: min(end, 16 * ranks), ranks: ranks).slice(of: rank).count
      }
      #expect(bytes == 2 * Self.count + 4 * slices.reduce(0, +))
    }
  }

  /// Rounded at each node, and nowhere else: another tree has other bits, and so have sums of floats.
  @Test func theVectorsWouldTell() throws {
    let vectors = vectors(8)
    let found = try #require(tree(vectors[...], places: 8))
    let inOrder = vectors.dropFirst().reduce(vectors[0].map(Self.rounded)) {
      zip($0, $1).map { Self.rounded($0 + Self.rounded($1)) }
    }
    #expect(found != inOrder && found.map(Self.rounded) != found)
    let exact = (0..<Self.count).map { place in vectors.reduce(0.0) { $0 + Double($1[place]) } }
    for ((sum, exact), place) in zip(zip(found, exact), 0...) {
      let sizes = vectors.reduce(0.0) { $0 + abs(Double($1[place])) }
      #expect(abs(Double(sum) - exact) <= 3 * 0x1p-8 * sizes)
    }
  }

  /// As floats' sums would be; and a number that is finite as a float, but larger than bfloat16's largest, is infinite.
  @Test func whatIsNoNumberStaysSo() {
    let sum = ReduceDtype.bfloat16.makeSum(count: 4, leaves: 4, isWhole: true, threads: 1)
    for vector: [Float] in [
      [.nan, .infinity, .infinity, 3.4e38], [1, 1, -.infinity, 1], [1, 1, 1, 1], [1, 1, 1, 1],
    ] {
      sum.add(vector)
    }
    let found = Array(UnsafeBufferPointer(start: sum.finish(), count: 4))
    #expect(found[0].isNaN && found[1] == .infinity && found[2].isNaN && found[3] == .infinity)
  }

  // MARK: Runs

  /// The difference to float32 is one of rounding.
  @Test func trainsAlmostAsFloat32() throws {
    func train(_ change: (inout TrainingConfiguration) -> Void) throws -> (
      bits: [String: [UInt64]], loss: Double
    ) {
      let network = try TinyRun.network()
      var configuration = TinyRun.configuration()
      configuration.shards = 4
      change(&configuration)
      var loss = 0.0
      try Trainer(network: network, configuration: configuration, data: TinyRun.data) {
        if case .step(let report) = $0 { loss = report.loss }
      }.run()
      return (network.bits, loss)
    }
    let plain = try train { _ in }
    #expect(try train { $0.reduceDtype = .float32 }.bits == plain.bits)
    let rounded = try train { $0.reduceDtype = .bfloat16 }
    #expect(rounded.bits != plain.bits && abs(rounded.loss - plain.loss) < 0.02)
    #expect(
      try train { ($0.reduceDtype, $0.threads) = (.bfloat16, 3) }.bits == rounded.bits)
  }

  @Test(arguments: [nil, 1]) func belongsToShards(shards: Int?) {
    var configuration = TinyRun.configuration()
    (configuration.shards, configuration.reduceDtype) = (shards, .bfloat16)
    #expect(
      error { try configuration.validate() }
        == .configuration(
          key: "reduceDtype",
          "bfloat16 belongs to 2 or more shards of a batch, which the settings do not have"))
    configuration.reduceDtype = .float32
    #expect(error { try configuration.validate() } == nil)
  }

  /// Another run, as with another number of shards.
  @Test func aRunKeepsIt() {
    var earlier = TinyRun.configuration()
    (earlier.shards, earlier.reduceDtype) = (4, .bfloat16)
    var now = earlier
    now.reduceDtype = nil
    #expect(
      error { try now.validate(continuing: earlier) }?.description.hasPrefix("reduceDtype: differs from")
        == true)
    #expect(error { try earlier.validate(continuing: earlier) } == nil)
  }
}
