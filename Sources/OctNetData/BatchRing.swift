import Foundation
import OctNetCore
import OctNetSupport

/// A bounded queue of reused buffers between producing threads and a consuming one.
///
/// Batches are handed out in order and in pieces, so that all threads work on the one that is needed next, whatever time
/// each image takes.
///
/// Unchecked: counters are only touched under `condition`, and they hand every place of a slot to one thread at a time: to
/// the one that has its piece, then all of them to the one that finished the last piece, then to the consumer.
final class BatchRing: @unchecked Sendable {
  final class Slot {
    let images: AlignedBuffer
    let labels: UnsafeMutablePointer<Int32>
    /// Those of the images mixed in, and the share of the first ones, where there are any.
    let otherLabels: UnsafeMutablePointer<Int32>
    var share: Float?
    /// Where images have targets in place of labels.
    let targets: AlignedBuffer
    /// Numbers of the images; `missing` where there is none.
    let samples: UnsafeMutablePointer<Int>
    var count = 0
    /// What went wrong at which places, and what the consumer is to know of it: which images were left out, or why there is
    /// no batch.
    var problems: [Problem] = []
    var skipped: [SkippedImage] = []
    var problem: OctNetError?

    fileprivate var unfinished = 0
    fileprivate var isFilled = false

    static let missing = -1

    init(imageFloats: Int, labels labelCount: Int, targetFloats: Int) {
      targets = AlignedBuffer(byteCount: targetFloats * MemoryLayout<Float>.stride)
      images = AlignedBuffer(byteCount: imageFloats * MemoryLayout<Float>.stride)
      labels = .allocate(capacity: labelCount)
      labels.initialize(repeating: 0, count: labelCount)
      otherLabels = .allocate(capacity: labelCount)
      otherLabels.initialize(repeating: 0, count: labelCount)
      samples = .allocate(capacity: labelCount)
      samples.initialize(repeating: Self.missing, count: labelCount)
    }

    deinit {
      labels.deallocate()
      otherLabels.deallocate()
      samples.deallocate()
    }

    var mixed: MixedLabels? {
      share.map { MixedLabels(labels: UnsafePointer(otherLabels), share: $0) }
    }
  }

  /// Places of a batch, for one thread to fill.
  struct Piece {
    let slot: Slot
    let batch: Int
    let positions: Range<Int>
  }

  /// An image that could not be read for a place of a batch.
  struct Problem {
    let position: Int
    let image: SkippedImage
  }

  private let slots: [Slot]
  private let batches: Range<Int>
  private let pieceSize: Int
  private let count: (Int) -> Int
  private let condition = NSCondition()
  /// What the next piece is taken from.
  private var batch: Int
  private var position = 0
  private var consumed: Int
  private var isStopped = false
  private var workers: Int

  /// - Parameters:
  ///   - workers: threads that will call `nextPiece` until it is nil, and then `markFinished`.
  ///   - count: images of a batch.
  init(
    batches: Range<Int>, slotCount: Int, workers: Int, pieceSize: Int, count: @escaping (Int) -> Int,
    makeSlot: () -> Slot
  ) {
    self.batches = batches
    self.pieceSize = pieceSize
    self.count = count
    self.workers = workers
    batch = batches.lowerBound
    consumed = batches.lowerBound
    slots = (0..<slotCount).map { _ in makeSlot() }
  }

  private func slot(of batch: Int) -> Slot { slots[batch % slots.count] }

  // MARK: Producers

  /// nil when all are handed out, or the consumer wants no more.
  func nextPiece() -> Piece? {
    condition.withLock {
      while !isStopped && batch < batches.upperBound && batch - consumed >= slots.count { condition.wait() }
      guard !isStopped, batch < batches.upperBound else { return nil }
      let slot = slot(of: batch)
      if position == 0 {
        slot.count = count(batch)
        slot.unfinished = slot.count
        (slot.problems, slot.skipped, slot.problem, slot.share) = ([], [], nil, nil)
      }
      let end = min(position + pieceSize, slot.count)
      let piece = Piece(slot: slot, batch: batch, positions: position..<end)
      (batch, position) = end == slot.count ? (batch + 1, 0) : (batch, end)
      return piece
    }
  }

  /// - Returns: whether this was the batch's last piece: the caller completes the batch and marks it filled.
  func finish(_ piece: Piece, _ problems: [Problem]) -> Bool {
    condition.withLock {
      piece.slot.problems += problems
      piece.slot.unfinished -= piece.positions.count
      return piece.slot.unfinished == 0
    }
  }

  func markFilled(_ slot: Slot) {
    condition.withLock {
      slot.isFilled = true
      condition.broadcast()
    }
  }

  /// The producer touches nothing of the ring after this.
  func markFinished() {
    condition.withLock {
      workers -= 1
      condition.broadcast()
    }
  }

  // MARK: Consumer

  /// The oldest slot once it is filled, the same one until it is released.
  func waitForFilledSlot() -> Slot {
    condition.withLock {
      let slot = slot(of: consumed)
      while !slot.isFilled { condition.wait() }
      return slot
    }
  }

  func release() {
    condition.withLock {
      slot(of: consumed).isFilled = false
      consumed += 1
      condition.broadcast()
    }
  }

  /// Tells the producers to stop and waits until they have.
  func stop() {
    condition.withLock {
      isStopped = true
      condition.broadcast()
      while workers > 0 { condition.wait() }
    }
  }
}
