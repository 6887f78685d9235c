import Foundation
import OctNetCore
import OctNetSupport

/// What the threads of a loader do in one epoch: images into the places of batches, each by whoever is free, and a batch's
/// labels and mixing by whoever comes last.
struct EpochWork: Sendable {
  let loader: BatchLoader
  let epoch: Int
  /// Images by place, and how often each was there before.
  let order: [Int]
  let turns: [Int]?

  /// Of the images behind one that cannot be read, before it is an error all the same: as timm.
  private static let attempts = 50

  /// On a thread of its own, until the ring has no more to do.
  func run(_ ring: BatchRing) {
    let dataset = loader.dataset
    let bytes = dataset.imageSize * (dataset.hasFloatValues ? MemoryLayout<Float>.stride : 1)
    withUnsafeTemporaryAllocation(byteCount: bytes, alignment: 16) { scratch in
      while let piece = ring.nextPiece() {
        let problems = fill(piece, scratch)
        guard ring.finish(piece, problems) else { continue }
        complete(piece.slot, batch: piece.batch)
        ring.markFilled(piece.slot)
      }
    }
    ring.markFinished()
  }

  // MARK: Images

  private func fill(
    _ piece: BatchRing.Piece, _ scratch: UnsafeMutableRawBufferPointer
  ) -> [BatchRing.Problem] {
    var problems: [BatchRing.Problem] = []
    loader.table.withUnsafeBufferPointer { table in
      guard let scratch = scratch.baseAddress, let table = table.baseAddress else { return }
      for position in piece.positions {
        let place = piece.batch * loader.batchSize + position
        var (image, attempts) = (order[place], 0)
        guard isNeeded(position, of: piece.slot.count) else {
          piece.slot.samples[position] = image
          continue
        }
        piece.slot.samples[position] = BatchRing.Slot.missing
        while true {
          do throws(OctNetError) {
            try write(
              image,
              drawing: ImageDraw(seed: 0, epoch: epoch, sample: order[place], turn: turns?[place] ?? 0),
              scratch, table: table, to: piece.slot.images.floats + position * loader.dataset.imageSize)
            piece.slot.samples[position] = image
            break
          } catch {
            problems.append(
              BatchRing.Problem(position: position, image: SkippedImage(sample: image, problem: error)))
          }
          attempts += 1
          // The next one of the data set, which usually is of the same class.
          image = (image + 1) % loader.sampleCount
          let isReplaced = loader.dataset.skipsDamaged && loader.shuffleSeed != nil
          guard isReplaced, attempts < Self.attempts, image != order[place] else { break }
        }
      }
    }
    return problems
  }

  /// Whether an image of a batch of `count` is looked at, or mixed into one that is.
  private func isNeeded(_ position: Int, of count: Int) -> Bool {
    guard let range = loader.needed?(count), !loader.dataset.skipsDamaged else { return true }
    return range.contains(position) || loader.mixing != nil && range.contains(count - 1 - position)
  }

  /// - Parameter draw: whose random numbers; the seed is the loader's.
  private func write(
    _ image: Int, drawing draw: ImageDraw, _ scratch: UnsafeMutableRawPointer, table: UnsafePointer<Float>,
    to destination: UnsafeMutablePointer<Float>
  ) throws(OctNetError) {
    let dataset = loader.dataset, seed = loader.shuffleSeed ?? 0
    if let transform = loader.transform, dataset.hasPhotographs,
      transform.augmentation.randomResizedCrop != nil
    {
      try dataset.withPhotograph(at: image) { width, height in
        transform.part(width: width, height: height, epoch: epoch, sample: draw.sample, turn: draw.turn)
      } _: { crop in
        transform(
          crop, epoch: epoch, sample: draw.sample, turn: draw.turn, isPart: true, to: destination)
      }
      return
    }
    let (height, width, channels) = (dataset.height, dataset.width, dataset.channels)
    if dataset.hasFloatValues {
      let values = scratch.bindMemory(to: Float.self, capacity: dataset.imageSize)
      try dataset.copyValues(at: image, to: values)
      prepareValues(
        values, height: height, width: width, channels: channels,
        draw: loader.augmentation.draw(seed: seed, epoch: epoch, sample: draw.sample, turn: draw.turn),
        loader.normalization, to: destination)
      return
    }
    let bytes = scratch.bindMemory(to: UInt8.self, capacity: dataset.imageSize)
    try dataset.copyPixels(at: image, to: bytes)
    if let transform = loader.transform {
      transform(
        PixelView(bytes, width: width, height: height, channels: channels), epoch: epoch, sample: draw.sample,
        turn: draw.turn, to: destination)
      return
    }
    prepareImage(
      bytes, height: height, width: width, channels: channels,
      draw: loader.augmentation.draw(seed: seed, epoch: epoch, sample: draw.sample, turn: draw.turn),
      table: table, to: destination)
  }

  // MARK: Batches

  /// All images are there, or are known not to be.
  private func complete(_ slot: BatchRing.Slot, batch: Int) {
    slot.problems.sort { $0.position < $1.position }
    // Several images in turn may have been tried for one place.
    slot.skipped = slot.problems.map(\.image)
    slot.problem = problem(of: slot)
    guard slot.problem == nil else { return }
    closeGaps(slot)
    let dataset = loader.dataset
    for position in 0..<slot.count {
      slot.labels[position] = Int32(dataset.label(at: slot.samples[position]))
      if dataset.targetSize > 0 {
        dataset.copyTarget(
          at: slot.samples[position], to: slot.targets.floats + position * dataset.targetSize)
      }
    }
    slot.share = mix(slot, seed: loader.shuffleSeed ?? 0, batch: batch)
    guard slot.share != nil else { return }
    for position in 0..<slot.count { slot.otherLabels[position] = slot.labels[slot.count - 1 - position] }
  }

  /// Why there is no batch.
  private func problem(of slot: BatchRing.Slot) -> OctNetError? {
    guard let first = slot.problems.first?.image.problem else { return nil }
    guard loader.dataset.skipsDamaged else { return first }
    guard loader.shuffleSeed != nil,
      let place = (0..<slot.count).first(where: { slot.samples[$0] == BatchRing.Slot.missing })
    else { return nil }
    let tried = slot.problems.filter { $0.position == place }
    guard case .file(let path, let problem)? = tried.first?.image.problem else { return first }
    return .file(path: path, "\(problem); nor can the \(tried.count - 1) behind it be read")
  }

  /// Moves images forward to where others are missing.
  private func closeGaps(_ slot: BatchRing.Slot) {
    guard !slot.problems.isEmpty else { return }
    let size = loader.dataset.imageSize
    var kept = 0
    for position in 0..<slot.count where slot.samples[position] != BatchRing.Slot.missing {
      if kept != position {
        (slot.images.floats + kept * size).update(from: slot.images.floats + position * size, count: size)
        slot.samples[kept] = slot.samples[position]
      }
      kept += 1
    }
    slot.count = kept
  }

  /// The first labels' share, nil where there are no second ones.
  private func mix(_ slot: BatchRing.Slot, seed: UInt64, batch: Int) -> Float? {
    guard let mixing = loader.mixing else { return nil }
    let dataset = loader.dataset
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
}
