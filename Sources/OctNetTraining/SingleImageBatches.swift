import OctNetCore
import OctNetData
import OctNetSupport

/// A batch of one image has no statistics over maps of one pixel: their variance is 0, and so the running variances
/// that it moves would go to 0, too. PyTorch refuses such batches ("Expected more than 1 value per channel").
extension Graph {
  /// The first norm over maps of one pixel.
  var onePixelNorm: String? {
    nodes.first { $0.operation.leastTrainingBatch > 1 }?.path
  }
}

extension TrainingConfiguration {
  /// - Throws: `OctNetError.configuration` where every batch would be one image, and the network cannot be trained so.
  func validateBatches(of graph: Graph, images: Int) throws(OctNetError) {
    if batchSize > 1, let plan = shardPlan(of: graph), plan.filled(count: batchSize) < plan.shards,
      let norm = graph.onePixelNorm
    {
      throw OctNetError.configuration(
        key: "shards",
        "found \(plan.shards) for batches of \(batchSize), expected at most \(batchSize / plan.leastImages): \(norm) "
          + "normalises maps of one pixel, which vary over a shard's images only")
    }
    guard batchSize == 1 || images == 1, let norm = graph.onePixelNorm else { return }
    let key = batchSize == 1 ? "batchSize" : "data"
    let what = batchSize == 1 ? "found 1" : "found one training image"
    throw OctNetError.configuration(
      key: key,
      "\(what), expected 2 or more: \(norm) normalises maps of one pixel, which vary over images only")
  }

  /// Whether the settings, a network of `graph` and the data can be trained together; before anything is written.
  /// - Throws: `OctNetError.configuration` for the first that does not fit.
  public func validate(training graph: Graph, on data: DataSplit) throws(OctNetError) {
    try validate()
    let train = try RunImages(data, self).data.train
    try validateBatches(of: graph, images: min(train.count, trainLimit ?? train.count))
  }
}
