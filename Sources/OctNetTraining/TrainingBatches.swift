import OctNetData
import OctNetSupport

extension TrainingConfiguration {
  /// The batches that training with these settings sees, without a network.
  /// - Parameter epoch: from 0; another one may have images of another size.
  /// - Returns: the loader, and the images that it loads.
  /// - Throws: `OctNetError.configuration` for settings and data that do not fit each other.
  package func trainingBatches(of data: DataSplit, epoch: Int = 0) throws(OctNetError) -> BatchLoader {
    try validate()
    var images = try RunImages(data, self).data.train
    if let size = imageSizes?.last(where: { $0.from <= epoch })?.size { images = try images.scaled(to: size) }
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
      leavesOutSingleImage: leavesOutSingleImage, workers: workers ?? threads, needed: needed)
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
