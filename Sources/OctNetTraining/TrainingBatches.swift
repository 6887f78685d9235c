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

  /// `leavesOutSingleImage` and `needed` are the loader's.
  func loader(
    for images: any Dataset, leavesOutSingleImage: Bool = false,
    needed: (@Sendable (_ count: Int) -> Range<Int>)? = nil
  ) -> BatchLoader {
    BatchLoader(
      dataset: images, batchSize: batchSize, normalization: normalization, augmentation: augmentation,
      shuffleSeed: seed, mixing: mixing, balanced: balancedSampler ?? false, limit: trainLimit,
      leavesOutSingleImage: leavesOutSingleImage, needed: needed)
  }
}

extension TrainerHooks {
  /// What a rank needs of a batch: its shards; all of it where a hook sees the batch.
  func neededImages(_ plan: ShardPlan?) -> (@Sendable (_ count: Int) -> Range<Int>)? {
    guard let ranks, ranks.ranks > 1, let plan, batch == nil else { return nil }
    let (rank, count) = (ranks.rank, ranks.ranks)
    return { plan.images(count: $0, rank: rank, of: count) }
  }
}
