import OctNetCore
import OctNetData
import OctNetModels
import OctNetSupport

/// Steps as the trainer makes them, on random images, for whoever wants to know how long they take.
package final class RankStep {
  /// Bytes of a bucket of the exchange.
  package static let usualBucketBytes = RankSum.usualBucket * MemoryLayout<Float>.stride

  private let network: Network
  private let updater: WeightUpdater
  private let images: AlignedBuffer
  private let labels: [Int32]
  private let samples: [Int]
  private let imageFloats: Int
  /// Every step begins with these.
  private let weights: AlignedBuffer
  private let clock = ContinuousClock()

  /// - Parameters:
  ///   - model: which network.
  ///   - images: of one rank.
  ///   - optimizer: the update rule.
  ///   - threads: OpenMP threads.
  ///   - dtype: numbers of the sums that ranks send.
  ///   - ranks: among which this process is one; each has one shard. `nil` for a process alone, whose batch is whole.
  /// - Throws: `OctNetError` for a network that does not exist, sizes that are out of bounds or need more memory than there is,
  ///   and a number of ranks among which no batch can be divided.
  package init(
    model: ModelConfiguration, images: Int, optimizer: OptimizerConfiguration, threads: Int,
    dtype: ReduceDtype = .float32, ranks: (any RankExchange)? = nil
  ) throws {
    let count = ranks?.ranks ?? 1
    var configuration = TrainingConfiguration(
      model: model, batchSize: images * count, optimizer: optimizer, normalization: .cifar10, threads: threads
    )
    if count > 1 { (configuration.shards, configuration.reduceDtype) = (count, dtype) }
    try configuration.validate(ranks: count)
    try configuration.validateShards()
    network = try model.makeNetwork(seed: 1)
    imageFloats = network.graph.shape(of: network.graph.input).count
    // A rank reads its own images only: those of the ranks behind it need no memory.
    let last = ((ranks?.rank ?? 0) + 1) * images
    let imageBytes = imageFloats * MemoryLayout<Float>.stride
    updater = try WeightUpdater(
      network: network, configuration: configuration, loss: CrossEntropy(), ranks: ranks
    ) { _ in last * imageBytes + MemoryDemand.headroom() }
    self.images = AlignedBuffer(byteCount: last * imageBytes)
    var stream = RandomStream(seed: 1, "benchmark images", ranks?.rank ?? 0)
    for index in (last - images) * imageFloats..<last * imageFloats {
      self.images.floats[index] = stream.normal()
    }
    labels = (0..<images * count).map { Int32($0 % model.classes) }
    samples = Array(0..<images * count)
    weights = AlignedBuffer(byteCount: network.parameters.count * MemoryLayout<Float>.stride)
    weights.floats.update(from: network.parameters.values, count: network.parameters.count)
  }

  /// Seconds of one step, from the weights that the first one began with.
  /// - Throws: `OctNetError.training` for a loss that is not finite.
  package func run() throws -> Double {
    network.parameters.values.update(from: weights.floats, count: network.parameters.count)
    return try labels.withUnsafeBufferPointer { labels in
      try samples.withUnsafeBufferPointer { samples in
        guard let labels = labels.baseAddress, let samples = samples.baseAddress else { return 0 }
        let count = self.labels.count
        let batch = Batch(
          images: UnsafePointer(images.floats), imageFloats: imageFloats * count, samples: samples,
          labels: labels, count: count)
        let start = clock.now
        _ = try updater.process(batch, isLast: true, learningRate: 1e-3, dropoutSeed: 1)
        return (clock.now - start).inSeconds
      }
    }
  }
}
