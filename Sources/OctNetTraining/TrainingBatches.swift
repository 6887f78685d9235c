import OctNetData
import OctNetSupport

extension TrainingConfiguration {
  /// The batches that training with these settings sees, without a network.
  /// - Returns: the loader, and the images that it loads.
  /// - Throws: `OctNetError.configuration` for settings and data that do not fit each other.
  package func trainingBatches(of data: DataSplit) throws(OctNetError) -> BatchLoader {
    try validate()
    let images = try RunImages(data, self).data.train
    try normalization.validate(channels: images.channels)
    try augmentation.validate(for: images)
    return loader(for: images)
  }

  /// - Parameter leavesOutSingleImage: see `BatchLoader`.
  func loader(for images: any Dataset, leavesOutSingleImage: Bool = false) -> BatchLoader {
    BatchLoader(
      dataset: images, batchSize: batchSize, normalization: normalization, augmentation: augmentation,
      shuffleSeed: seed, mixing: mixing, balanced: balancedSampler ?? false, limit: trainLimit,
      leavesOutSingleImage: leavesOutSingleImage)
  }
}
