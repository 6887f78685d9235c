import OctNetCore
import OctNetData
import OctNetModels
import OctNetSupport
import OctNetTraining

/// Times how training images are read, decoded, changed and put into batches: alone, or while a network learns from them.
package struct DataBenchmark {
  /// Of batches that nobody computes with.
  package struct Preparation: Codable, Sendable {
    /// Images of all batches.
    package let images: Int
    /// Left out, since they cannot be read.
    package let skipped: Int
    /// From the first batch's arrival on, without that batch.
    package let imagesPerSecond: Double
    /// Images by the time that processors worked on them.
    package let imagesPerCoreSecond: Double
    /// From the benchmark's `start` on: with listing the files.
    package let secondsToFirstBatch: Double
    /// Largest resident memory of the process until each quarter of the batches.
    package let peakResidentBytes: [Int]

    enum CodingKeys: String, CodingKey {
      case images, skipped
      case imagesPerSecond = "images_per_second"
      case imagesPerCoreSecond = "images_per_core_second"
      case secondsToFirstBatch = "seconds_to_first_batch"
      case peakResidentBytes = "peak_rss_bytes"
    }
  }

  /// Of training steps, in milliseconds.
  package struct Steps: Codable, Sendable {
    /// Median of steps on one batch that stays in memory.
    package let alone: Double
    /// Median of steps with a new batch each, from one to the next.
    package let fed: Double
    /// Time of processors that preparing a batch takes, measured without steps.
    package let preparation: Double

    enum CodingKeys: String, CodingKey {
      case alone = "ms_alone"
      case fed = "ms_fed"
      case preparation = "ms_preparation"
    }
  }

  /// That speed can be counted: the first one begins the time.
  package static let leastBatches = 2
  /// That a step can be timed: three may be made before the first step, and the fourth begins the time.
  package static let leastFullBatches = 5

  private let loader: BatchLoader
  private let batches: Int
  private let clock = ContinuousClock()

  /// - Parameter batches: so many of an epoch, at most.
  /// - Precondition: the loader has an image.
  package init(_ loader: BatchLoader, batches: Int) {
    precondition(loader.batchesPerEpoch > 0 && batches > 0, "no batches")
    self.loader = loader
    self.batches = min(batches, loader.batchesPerEpoch)
  }

  /// - Throws: `OctNetError` for an image that cannot be read, and for fewer than `leastBatches`.
  package func prepare(since start: ContinuousClock.Instant) throws -> Preparation {
    var images = 0, skipped = 0, first = 0
    var arrival: ContinuousClock.Instant?
    var peaks: [Int] = []
    let coreBefore = ProcessUsage().coreSeconds
    try loader.forEachBatch(epoch: 0, upTo: batches, onSkipped: { _ in skipped += 1 }) { batch in
      if arrival == nil { (arrival, first) = (clock.now, batch.count) }
      images += batch.count
      while peaks.count < 4 && (batch.index + 1) * 4 >= batches * (peaks.count + 1) {
        peaks.append(ProcessUsage().peakResidentBytes)
      }
    }
    let end = clock.now
    let core = ProcessUsage().coreSeconds - coreBefore
    guard let arrival else { throw OctNetError.configuration(key: "data", "no image can be read") }
    guard images > first else {
      throw OctNetError.configuration(
        key: "data",
        "expected \(Self.leastBatches) or more batches, found one of \(numbered(images, "image"))")
    }
    return Preparation(
      images: images, skipped: skipped,
      imagesPerSecond: Double(images - first) / (end - arrival).inSeconds,
      imagesPerCoreSecond: Double(images) / core, secondsToFirstBatch: (arrival - start).inSeconds,
      peakResidentBytes: peaks)
  }

  /// Steps of a network alone and fed by turns, so that neither has the quieter machine.
  /// - Throws: `OctNetError` for an image that cannot be read, a network that cannot be made or does not fit the
  ///   images, and for fewer than `leastFullBatches`.
  package func train(_ model: ModelConfiguration, threads: Int) throws -> Steps {
    let full = min(batches, loader.sampleCount / loader.batchSize)
    guard full >= Self.leastFullBatches else {
      throw OctNetError.configuration(
        key: "data",
        "expected \(Self.leastFullBatches) or more full batches of \(numbered(loader.batchSize, "image")), "
          + "found \(full)")
    }
    let preparation = try prepare(since: clock.now)
    let network = try model.makeNetwork(seed: 1)
    let session = try TrainingSession(network: network, batchSize: loader.batchSize, threads: threads)
    let optimizer = Optimizer(
      parameters: network.parameters, configuration: .sgd(momentum: 0.9, nesterov: false), weightDecay: 1e-4,
      threads: threads)
    func step(_ batch: Batch) {
      _ = session.step(
        images: batch.images, labels: Array(UnsafeBufferPointer(start: batch.labels, count: batch.count)),
        count: batch.count, updating: optimizer, learningRate: 1e-3)
    }
    var alone: [Double] = [], fed: [Double] = []
    for round in 0..<Self.rounds {
      try loader.forEachBatch(epoch: round, upTo: 1) { batch in
        // The first two find algorithms and memory.
        for repetition in 0..<Self.stepsAlone + 2 {
          let begin = clock.now
          step(batch)
          if repetition >= 2 { alone.append((clock.now - begin).inSeconds) }
        }
      }
      var last: ContinuousClock.Instant?
      try loader.forEachBatch(epoch: round, upTo: batches) { batch in
        guard batch.count == loader.batchSize else { return }
        step(batch)
        let now = clock.now
        // Batches that were made before the first step are not waited for.
        if let last, batch.index > 3 { fed.append((now - last).inSeconds) }
        last = now
      }
    }
    guard !fed.isEmpty else {
      throw OctNetError.configuration(
        key: "data", "too few images can be read for \(Self.leastFullBatches) full batches")
    }
    return Steps(
      alone: 1e3 * Self.median(alone), fed: 1e3 * Self.median(fed),
      preparation: 1e3 * Double(loader.batchSize) / preparation.imagesPerCoreSecond)
  }

  private static let rounds = 3
  private static let stepsAlone = 6

  private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}
