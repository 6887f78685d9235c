import Foundation
import OctNetCore
import OctNetSupport

/// Images ready for a network. The pointers are valid until the closure that got them returns.
public struct Batch {
  /// count × height × width × channels, normalised.
  public let images: UnsafePointer<Float>
  /// Their number.
  package let imageFloats: Int
  /// Numbers of the images in the data set.
  public let samples: UnsafePointer<Int>
  /// count class indices; 0 where the data set has targets.
  public let labels: UnsafePointer<Int32>
  /// count × `Dataset.targetSize`, where the data set has targets.
  public let values: UnsafeBufferPointer<Float>?
  /// Where pairs of images were mixed.
  public let mixed: MixedLabels?
  /// The loader's batch size, or less in an epoch's last batch.
  public let count: Int
  /// Position in the epoch.
  public let index: Int
}

extension Batch {
  /// A batch that comes from no data set.
  package init(
    images: UnsafePointer<Float>, imageFloats: Int, samples: UnsafePointer<Int>, labels: UnsafePointer<Int32>,
    count: Int
  ) {
    self.init(
      images: images, imageFloats: imageFloats, samples: samples, labels: labels, values: nil, mixed: nil,
      count: count, index: 0)
  }
}

/// An image that cannot be read.
public struct SkippedImage: Sendable, Equatable {
  /// Its number in the data set.
  public let sample: Int
  /// What is wrong with it.
  public let problem: OctNetError
}

/// Cuts a data set into batches, and prepares the next ones on other threads while the network computes.
///
/// What a batch holds depends on the loader's settings, the epoch and the batch's index, on nothing else: training
/// that resumes in the middle of an epoch sees the images that it would have seen, and so do any number of threads.
///
/// An image that cannot be read is an error, or is left out where the data set says so (`Dataset.skipsDamaged`). Shuffled
/// batches stay as large as they are: the next image of the data set that can be read takes the place, changed by the
/// random numbers of the one that was left out. In the data set's order, batches get smaller.
public final class BatchLoader: Sendable {
  /// Where images come from.
  public let dataset: any Dataset
  /// Images of a batch; an epoch's last may be smaller.
  public let batchSize: Int
  /// Images of an epoch: the data set's, or the first `limit` of them.
  public let sampleCount: Int
  let augmentation: Augmentation
  let shuffleSeed: UInt64?
  let mixing: BatchMixing?
  /// For changes that `prepareImage` cannot make on its way.
  let transform: TrainingTransform?
  let isBalanced: Bool
  let table: [Float]
  let normalization: Normalization
  let plan: EpochPlan
  /// What is needed of a batch of so many images; `nil` for all of it.
  let needed: (@Sendable (_ count: Int) -> Range<Int>)?

  /// Batches being used, ready and in preparation. One ready batch would do if every batch took the same time.
  private static let slotCount = 3
  let workers: Int

  /// - Parameters:
  ///   - augmentation: random changes of training images.
  ///   - batchSize: images that a call takes at most.
  ///   - dataset: the images.
  ///   - normalization: scaling of pixels, as in training.
  ///   - shuffleSeed: Seed of the order and of the augmentation. nil keeps the data set's order, and augmentation,
  ///     if any, draws under seed 0.
  ///   - mixupAlpha: `BatchMixing(mixupAlpha:)`, where `mixing` is nil.
  ///   - mixing: Mixes the images of each batch by mixup or CutMix; nil mixes nothing.
  ///   - balanced: Draws a class and then an image of it, each time anew, so that an epoch has as many images of each
  ///     class; nothing else is in the order then, and some images are not.
  ///   - limit: Use only so many images, the first ones; nil for all.
  ///   - leavesOutSingleImage: A last batch of one image is no batch, unless all batches are.
  ///   - needed: Images that the caller looks at, of a batch of so many; what stands in place of the others is not said. Where
  ///     damaged images are left out all are read, since the others move up.
  ///   - workers: Threads that read and change images where these are photographs (`Dataset.hasPhotographs`); one is enough
  ///     for others. `nil` is as many as there are processors.
  /// - Precondition: `batchSize` is positive, `limit` not negative, `normalization` fits the channels
  ///   (`Normalization.validate(channels:)`), and so does `augmentation` (`Augmentation.validate(for:)`).
  package init(
    dataset: any Dataset, batchSize: Int, normalization: Normalization, augmentation: Augmentation = .none,
    shuffleSeed: UInt64? = nil, mixupAlpha: Double? = nil, mixing: BatchMixing? = nil,
    balanced: Bool = false, limit: Int? = nil, leavesOutSingleImage: Bool = false, workers: Int? = nil,
    needed: (@Sendable (_ count: Int) -> Range<Int>)?
  ) {
    precondition(batchSize > 0, "batch size \(batchSize)")
    precondition(workers ?? 1 > 0, "\(workers ?? 0) threads")
    precondition(limit ?? 0 >= 0, "limit of \(limit ?? 0) images")
    precondition(
      normalization.mean.count == dataset.channels && normalization.std.count == dataset.channels,
      "normalization of \(normalization.mean.count) channels for images of \(dataset.channels)")
    precondition(
      (try? augmentation.check(height: dataset.height, width: dataset.width)) != nil,
      "more reflected pixels than images have")
    self.dataset = dataset
    self.batchSize = batchSize
    self.augmentation = augmentation
    self.shuffleSeed = shuffleSeed
    self.mixing = mixing ?? mixupAlpha.map { BatchMixing(mixupAlpha: $0) }
    isBalanced = balanced && dataset.targetSize == 0
    self.workers = dataset.hasPhotographs ? workers ?? ThreadCount.usual().count : 1
    transform =
      augmentation.needsTransform
      ? TrainingTransform(
        augmentation, height: dataset.height, width: dataset.width, normalization: normalization,
        seed: shuffleSeed ?? 0) : nil
    precondition(transform == nil || !dataset.hasFloatValues, "\(dataset.name) has floats, expected pixels")
    sampleCount = min(dataset.count, limit ?? dataset.count)
    table = normalization.table()
    self.normalization = normalization
    self.needed = needed
    plan = EpochPlan(
      images: sampleCount, batchSize: batchSize, accumulationSteps: 1,
      leavesOutSingleImage: leavesOutSingleImage)
  }

  /// The same, with all images of every batch.
  public convenience init(
    dataset: any Dataset, batchSize: Int, normalization: Normalization, augmentation: Augmentation = .none,
    shuffleSeed: UInt64? = nil, mixupAlpha: Double? = nil, mixing: BatchMixing? = nil,
    balanced: Bool = false, limit: Int? = nil, leavesOutSingleImage: Bool = false, workers: Int? = nil
  ) {
    self.init(
      dataset: dataset, batchSize: batchSize, normalization: normalization, augmentation: augmentation,
      shuffleSeed: shuffleSeed, mixupAlpha: mixupAlpha, mixing: mixing, balanced: balanced, limit: limit,
      leavesOutSingleImage: leavesOutSingleImage, workers: workers, needed: nil)
  }

  /// The last one may be smaller.
  public var batchesPerEpoch: Int { plan.batches }

  /// What the batches of an epoch take.
  package static func bytes(of dataset: any Dataset, batchSize: Int, sampleCount: Int) -> Int {
    guard sampleCount > 0 else { return 0 }
    let batches = (sampleCount + batchSize - 1) / batchSize
    let image =
      (dataset.imageSize + dataset.targetSize) * MemoryLayout<Float>.stride + 2 * MemoryLayout<Int32>.stride
      + MemoryLayout<Int>.stride
    return min(slotCount, batches) * min(batchSize, sampleCount) * image
  }

  /// Calls `body` on the caller's thread with every batch of the epoch from index `first` on, in order, or with those
  /// in front of `limit`. `onSkipped` is called, on the same thread, with the images that are left out of a batch, before
  /// `body` gets it; a batch without images is none.
  ///
  /// An error of `body` ends the epoch and is passed on. Either way the preparing threads are done with their work and
  /// their memory when this returns.
  ///
  /// The caller's thread stays the consumer because OpenMP keeps one team of workers per calling thread.
  /// - Throws: what `body` throws, and `OctNetError` for an image that cannot be read, when it is the turn of its batch.
  public func forEachBatch(
    epoch: Int, startingAt first: Int = 0, upTo limit: Int = .max,
    onSkipped: (SkippedImage) -> Void = { _ in }, _ body: (Batch) throws -> Void
  ) throws {
    try forEachBatch(
      epoch: epoch, startingAt: first, upTo: limit, onSkipped: onSkipped,
      onReady: { problem in if let problem { throw problem } }, body)
  }

  /// The same for somebody who has a word to say in front of each batch: `onReady` gets why it cannot be read, or `nil`, and
  /// has to throw then; what it throws ends the epoch.
  package func forEachBatch(
    epoch: Int, startingAt first: Int = 0, upTo limit: Int = .max,
    onSkipped: (SkippedImage) -> Void = { _ in }, onReady: (OctNetError?) throws -> Void,
    _ body: (Batch) throws -> Void
  ) throws {
    precondition(first >= 0, "batch \(first)")
    let end = min(batchesPerEpoch, limit)
    guard first < end else { return }
    let images = min(batchSize, sampleCount)
    let order = sampleOrder(epoch: epoch)
    let work = EpochWork(loader: self, epoch: epoch, order: order, turns: turns(of: order))
    let ring = BatchRing(
      batches: first..<end, slotCount: min(Self.slotCount, end - first), workers: workers,
      pieceSize: workers == 1 ? images : dataset.imagesPerFile
    ) { [plan, batchSize] in
      min(batchSize, plan.trainedImages - $0 * batchSize)
    } makeSlot: { [imageSize = dataset.imageSize, targetSize = dataset.targetSize] in
      BatchRing.Slot(imageFloats: images * imageSize, labels: images, targetFloats: images * targetSize)
    }
    for _ in 0..<workers {
      let worker = Thread { work.run(ring) }
      worker.name = "OctNet batches"
      worker.start()
    }
    defer { ring.stop() }

    for index in first..<end {
      let slot = ring.waitForFilledSlot()
      try onReady(slot.problem)
      slot.skipped.forEach(onSkipped)
      if slot.count > 0 { try body(batch(slot, index: index)) }
      ring.release()
    }
  }

  private func batch(_ slot: BatchRing.Slot, index: Int) -> Batch {
    Batch(
      images: UnsafePointer(slot.images.floats), imageFloats: slot.count * dataset.imageSize,
      samples: UnsafePointer(slot.samples), labels: UnsafePointer(slot.labels),
      values: dataset.targetSize == 0
        ? nil : UnsafeBufferPointer(start: slot.targets.floats, count: slot.count * dataset.targetSize),
      mixed: slot.mixed, count: slot.count, index: index)
  }

  /// Which images an epoch shows, in which order (Fisher–Yates, but for shards).
  func sampleOrder(epoch: Int) -> [Int] {
    guard let shuffleSeed else { return Array(0..<sampleCount) }
    if isBalanced { return balancedOrder(seed: shuffleSeed, epoch: epoch) }
    var order = Array(0..<sampleCount)
    if let buffer = dataset.shuffleBuffer {
      order = ShardOrder.order(
        count: sampleCount, shard: dataset.shard(at:), buffer: buffer, seed: shuffleSeed, epoch: epoch)
    } else {
      var random = RandomStream(seed: shuffleSeed, "shuffle", epoch)
      for last in stride(from: order.count - 1, to: 0, by: -1) {
        order.swapAt(last, random.index(below: last + 1))
      }
    }
    let repeats = augmentation.repeats ?? 1
    return repeats == 1 ? order : order.indices.map { order[$0 / repeats] }
  }

  /// Each image drawn for itself: torch's `WeightedRandomSampler` with 1 ÷ images of its class.
  private func balancedOrder(seed: UInt64, epoch: Int) -> [Int] {
    var classes = [[Int]](repeating: [], count: dataset.classNames.count)
    for sample in 0..<sampleCount { classes[dataset.label(at: sample)].append(sample) }
    classes.removeAll(where: \.isEmpty)
    var random = RandomStream(seed: seed, "balanced", epoch)
    let repeats = augmentation.repeats ?? 1
    let order = (0..<(sampleCount + repeats - 1) / repeats).map { _ in
      let images = classes[random.index(below: classes.count)]
      return images[random.index(below: images.count)]
    }
    return (0..<sampleCount).map { order[$0 / repeats] }
  }

  /// How often an image was there before, at each place of an order.
  private func turns(of order: [Int]) -> [Int]? {
    guard isBalanced || augmentation.repeats ?? 1 > 1 else { return nil }
    var seen = [Int](repeating: 0, count: sampleCount)
    return order.map { sample in
      seen[sample] += 1
      return seen[sample] - 1
    }
  }
}
