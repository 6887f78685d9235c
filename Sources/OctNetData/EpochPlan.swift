/// How the images of an epoch fall into batches, and the batches into updates of the weights.
package struct EpochPlan: Equatable {
  /// Of the training set, after its limit.
  package var images: Int
  package var batchSize: Int
  /// Batches an update; the last one of an epoch may see fewer.
  package var accumulationSteps: Int
  /// Whether a last batch of one image is no batch.
  package var leavesOutSingleImage = false
  /// Updates of a training that ends in the middle of an epoch; nil for others.
  package var lastStep: Int?

  package init(images: Int, batchSize: Int, accumulationSteps: Int, leavesOutSingleImage: Bool = false) {
    self.images = images
    self.batchSize = batchSize
    self.accumulationSteps = accumulationSteps
    self.leavesOutSingleImage = leavesOutSingleImage
  }

  /// Images that an epoch does not see: one or none, another one each epoch.
  package var leftOut: Int {
    leavesOutSingleImage && images > batchSize && images % batchSize == 1 && batchSize > 1 ? 1 : 0
  }

  package var trainedImages: Int { images - leftOut }

  package var batches: Int { trainedImages / batchSize + (trainedImages % batchSize == 0 ? 0 : 1) }

  package var steps: Int { updates(after: batches) }

  package func updates(after batches: Int) -> Int {
    batches / accumulationSteps + (batches % accumulationSteps == 0 ? 0 : 1)
  }

  /// Images in the first so many batches, `nil` where there are fewer batches.
  package func images(inFirst count: Int) -> Int? {
    guard (0...batches).contains(count) else { return nil }
    return count == batches ? trainedImages : count * batchSize
  }

  /// Whether the weights had just been updated after so many batches: where a state can be written.
  package func isUpdated(after count: Int) -> Bool { count == batches || count % accumulationSteps == 0 }

  /// Updates since the run began, `nil` for a number that does not fit.
  package func updates(epochs: Int, batches: Int) -> Int? {
    let (whole, overflow) = epochs.multipliedReportingOverflow(by: steps)
    let (sum, second) = whole.addingReportingOverflow(updates(after: batches))
    return overflow || second ? nil : min(sum, lastStep ?? sum)
  }
}
