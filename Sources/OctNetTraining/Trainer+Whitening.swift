import OctNetCore
import OctNetData

extension Trainer {
  /// Shows a network whose first filters whiten patches the first training images, as they are without augmentation.
  /// - Returns: the seconds it took.
  /// - Throws: `OctNetError` for images that cannot be read.
  static func whiten(
    _ network: Network, _ dataset: any Dataset, _ configuration: TrainingConfiguration
  ) throws -> Double {
    let clock = ContinuousClock()
    let start = clock.now
    guard var whitening = PatchWhitening(of: network) else { return 0 }
    // Batches of a fixed size: the sums' bits depend on nothing but the images.
    let loader = BatchLoader(
      dataset: dataset, batchSize: 500, normalization: configuration.normalization,
      limit: min(PatchWhitening.usualImages, configuration.trainLimit ?? .max),
      workers: configuration.threads)
    guard loader.sampleCount > 0 else { return 0 }
    try loader.forEachBatch(epoch: 0) { batch in
      whitening.add(batch.images, count: batch.count, threads: configuration.threads)
    }
    whitening.finish()
    return (clock.now - start).inSeconds
  }
}
