import Foundation
import OctNetCore
import OctNetSupport

/// Images ready for a network. The pointers are valid until the closure that got them returns.
public struct Batch {
  /// count × height × width × channels, normalised.
  public let images: UnsafePointer<Float>
  /// Their number.
  package let imageFloats: Int
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

/// Cuts a data set into batches, and prepares the next ones on another thread while the network computes.
///
/// What a batch holds depends on the loader's settings, the epoch and the batch's index, on nothing else: training
/// that resumes in the middle of an epoch sees the images that it would have seen.
public final class BatchLoader: Sendable {
  /// Where images come from.
  public let dataset: any Dataset
  /// Images of a batch; an epoch's last may be smaller.
  public let batchSize: Int
  /// Images of an epoch: the data set's, or the first `limit` of them.
  public let sampleCount: Int
  private let augmentation: Augmentation
  private let shuffleSeed: UInt64?
  private let mixing: BatchMixing?
  /// For changes that `prepareImage` cannot make on its way.
  private let transform: TrainingTransform?
  private let isBalanced: Bool
  private let table: [Float]
  private let normalization: Normalization
  private let plan: EpochPlan
  /// What is needed of a batch of so many images; `nil` for all of it.
  private let needed: (@Sendable (_ count: Int) -> Range<Int>)?

  /// Batches being used, ready and in preparation. One ready batch would do if every batch took the same time.
  private static let slotCount = 3

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
  ///   - needed: Images that the caller looks at, of a batch of so many; what stands in place of the others is not said.
  /// - Precondition: `batchSize` is positive, `limit` not negative, `normalization` fits the channels
  ///   (`Normalization.validate(channels:)`), and so does `augmentation` (`Augmentation.validate(for:)`).
  package init(
    dataset: any Dataset, batchSize: Int, normalization: Normalization, augmentation: Augmentation = .none,
    shuffleSeed: UInt64? = nil, mixupAlpha: Double? = nil, mixing: BatchMixing? = nil,
    balanced: Bool = false, limit: Int? = nil, leavesOutSingleImage: Bool = false,
    needed: (@Sendable (_ count: Int) -> Range<Int>)?
  ) {
    precondition(batchSize > 0, "batch size \(batchSize)")
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
    balanced: Bool = false, limit: Int? = nil, leavesOutSingleImage: Bool = false
  ) {
    self.init(
      dataset: dataset, batchSize: batchSize, normalization: normalization, augmentation: augmentation,
      shuffleSeed: shuffleSeed, mixupAlpha: mixupAlpha, mixing: mixing, balanced: balanced, limit: limit,
      leavesOutSingleImage: leavesOutSingleImage, needed: nil)
  }

  /// The last one may be smaller.
  public var batchesPerEpoch: Int { plan.batches }

  /// What the batches of an epoch take.
  package static func bytes(of dataset: any Dataset, batchSize: Int, sampleCount: Int) -> Int {
    guard sampleCount > 0 else { return 0 }
    let batches = (sampleCount + batchSize - 1) / batchSize
    let image =
      (dataset.imageSize + dataset.targetSize) * MemoryLayout<Float>.stride + 2 * MemoryLayout<Int32>.stride
    return min(slotCount, batches) * min(batchSize, sampleCount) * image
  }

  /// Calls `body` on the caller's thread with every batch of the epoch from index `first` on, in order, or with those
  /// in front of `limit`.
  ///
  /// An error of `body` ends the epoch and is passed on. Either way the preparing thread is done with its work and
  /// its memory when this returns.
  ///
  /// The caller's thread stays the consumer because OpenMP keeps one team of workers per calling thread.
  public func forEachBatch(
    epoch: Int, startingAt first: Int = 0, upTo limit: Int = .max, _ body: (Batch) throws -> Void
  ) rethrows {
    precondition(first >= 0, "batch \(first)")
    let end = min(batchesPerEpoch, limit)
    guard first < end else { return }
    let images = min(batchSize, sampleCount)
    let ring = BatchRing(slotCount: min(Self.slotCount, end - first)) {
      [imageSize = dataset.imageSize, targetSize = dataset.targetSize] in
      BatchRing.Slot(imageFloats: images * imageSize, labels: images, targetFloats: images * targetSize)
    }
    let producer = Thread { [self] in
      let order = sampleOrder(epoch: epoch), turns = turns(of: order)
      for index in first..<end {
        guard let slot = ring.waitForFreeSlot() else { break }
        fill(slot, batch: index, epoch: epoch, order: order, turns: turns)
        ring.markFilled()
      }
      ring.markFinished()
    }
    producer.name = "OctNet batches"
    producer.start()
    defer { ring.stop() }

    for index in first..<end {
      let slot = ring.waitForFilledSlot()
      try body(
        Batch(
          images: UnsafePointer(slot.images.floats), imageFloats: slot.count * dataset.imageSize,
          labels: UnsafePointer(slot.labels),
          values: dataset.targetSize == 0
            ? nil : UnsafeBufferPointer(start: slot.targets.floats, count: slot.count * dataset.targetSize),
          mixed: slot.mixed, count: slot.count, index: index))
      ring.release()
    }
  }

  /// Which images an epoch shows, in which order (Fisher–Yates).
  func sampleOrder(epoch: Int) -> [Int] {
    guard let shuffleSeed else { return Array(0..<sampleCount) }
    if isBalanced { return balancedOrder(seed: shuffleSeed, epoch: epoch) }
    var order = Array(0..<sampleCount)
    var random = RandomStream(seed: shuffleSeed, "shuffle", epoch)
    for last in stride(from: order.count - 1, to: 0, by: -1) {
      order.swapAt(last, random.index(below: last + 1))
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

  private func fill(_ slot: BatchRing.Slot, batch: Int, epoch: Int, order: [Int], turns: [Int]?) {
    let places = batch * batchSize..<min((batch + 1) * batchSize, order.count)
    let samples = order[places]
    slot.count = samples.count
    if dataset.hasFloatValues {
      fillValues(slot, samples, turns?[places], epoch: epoch)
    } else {
      fillPixels(slot, samples, turns?[places], epoch: epoch)
    }
    for (position, sample) in samples.enumerated() {
      slot.labels[position] = Int32(dataset.label(at: sample))
      if dataset.targetSize > 0 {
        dataset.copyTarget(at: sample, to: slot.targets.floats + position * dataset.targetSize)
      }
    }
    slot.share = mix(slot, seed: shuffleSeed ?? 0, epoch: epoch, batch: batch)
    guard slot.share != nil else { return }
    for position in 0..<slot.count { slot.otherLabels[position] = slot.labels[slot.count - 1 - position] }
  }

  /// The first labels' share, nil where there are no second ones.
  private func mix(_ slot: BatchRing.Slot, seed: UInt64, epoch: Int, batch: Int) -> Float? {
    guard let mixing else { return nil }
    let mix = mixing.draw(
      seed: seed, epoch: epoch, batch: batch, height: dataset.height, width: dataset.width)
    let share: Float
    switch mix {
    case nil: return nil
    case .blend(let lambda):
      share = lambda
      Mixup.mix(slot.images.floats, count: slot.count, size: dataset.imageSize, share: share)
    case .paste(let box):
      share = box.rest(height: dataset.height, width: dataset.width)
      CutMix.exchange(
        slot.images.floats, count: slot.count, height: dataset.height, width: dataset.width,
        channels: dataset.channels, box: box)
    }
    guard dataset.targetSize > 0 else { return share }
    // Targets are numbers: theirs are mixed by share, and there are no second labels.
    Mixup.mix(slot.targets.floats, count: slot.count, size: dataset.targetSize, share: share)
    return nil
  }

  /// Whether an image of a batch of `count` is looked at, or mixed into one that is.
  private func isNeeded(_ position: Int, of count: Int) -> Bool {
    guard let range = needed?(count) else { return true }
    return range.contains(position) || mixing != nil && range.contains(count - 1 - position)
  }

  private func turn(_ position: Int, _ turns: ArraySlice<Int>?) -> Int {
    turns.map { $0[$0.startIndex + position] } ?? 0
  }

  private func fillPixels(
    _ slot: BatchRing.Slot, _ samples: ArraySlice<Int>, _ turns: ArraySlice<Int>?, epoch: Int
  ) {
    let imageSize = dataset.imageSize
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: imageSize) { bytes in
      table.withUnsafeBufferPointer { table in
        guard let bytes = bytes.baseAddress, let table = table.baseAddress else { return }
        for (position, sample) in samples.enumerated() where isNeeded(position, of: samples.count) {
          dataset.copyPixels(at: sample, to: bytes)
          let (destination, turn) = (slot.images.floats + position * imageSize, turn(position, turns))
          if let transform {
            transform(
              PixelView(bytes, width: dataset.width, height: dataset.height, channels: dataset.channels),
              epoch: epoch, sample: sample, turn: turn, to: destination)
            continue
          }
          prepareImage(
            bytes, height: dataset.height, width: dataset.width, channels: dataset.channels,
            draw: augmentation.draw(seed: shuffleSeed ?? 0, epoch: epoch, sample: sample, turn: turn),
            table: table, to: destination)
        }
      }
    }
  }

  private func fillValues(
    _ slot: BatchRing.Slot, _ samples: ArraySlice<Int>, _ turns: ArraySlice<Int>?, epoch: Int
  ) {
    let imageSize = dataset.imageSize
    withUnsafeTemporaryAllocation(of: Float.self, capacity: imageSize) { values in
      guard let values = values.baseAddress else { return }
      for (position, sample) in samples.enumerated() where isNeeded(position, of: samples.count) {
        dataset.copyValues(at: sample, to: values)
        prepareValues(
          values, height: dataset.height, width: dataset.width, channels: dataset.channels,
          draw: augmentation.draw(
            seed: shuffleSeed ?? 0, epoch: epoch, sample: sample, turn: turn(position, turns)), normalization,
          to: slot.images.floats + position * imageSize)
      }
    }
  }
}
