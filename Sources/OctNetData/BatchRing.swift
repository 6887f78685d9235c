import Foundation
import OctNetCore
import OctNetSupport

/// A bounded queue of reused buffers between one producing and one consuming thread.
///
/// Unchecked: the counters are only touched under `condition`, and they hand every slot to one thread at a time:
/// slots `consumed ..< filled` (modulo their number) are the consumer's, the rest the producer's.
final class BatchRing: @unchecked Sendable {
  final class Slot {
    let images: AlignedBuffer
    let labels: UnsafeMutablePointer<Int32>
    /// Those of the images mixed in, and the share of the first ones, where there are any.
    let otherLabels: UnsafeMutablePointer<Int32>
    var share: Float?
    /// Where images have targets in place of labels.
    let targets: AlignedBuffer
    var count = 0

    init(imageFloats: Int, labels labelCount: Int, targetFloats: Int) {
      targets = AlignedBuffer(byteCount: targetFloats * MemoryLayout<Float>.stride)
      images = AlignedBuffer(byteCount: imageFloats * MemoryLayout<Float>.stride)
      labels = .allocate(capacity: labelCount)
      labels.initialize(repeating: 0, count: labelCount)
      otherLabels = .allocate(capacity: labelCount)
      otherLabels.initialize(repeating: 0, count: labelCount)
    }

    deinit {
      labels.deallocate()
      otherLabels.deallocate()
    }

    var mixed: MixedLabels? {
      share.map { MixedLabels(labels: UnsafePointer(otherLabels), share: $0) }
    }
  }

  private let slots: [Slot]
  private let condition = NSCondition()
  private var filled = 0
  private var consumed = 0
  private var isStopped = false
  private var isFinished = false

  init(slotCount: Int, makeSlot: () -> Slot) {
    slots = (0..<slotCount).map { _ in makeSlot() }
  }

  // MARK: Producer

  /// nil when the consumer wants no more.
  func waitForFreeSlot() -> Slot? {
    condition.withLock {
      while filled - consumed == slots.count && !isStopped { condition.wait() }
      return isStopped ? nil : slots[filled % slots.count]
    }
  }

  func markFilled() {
    condition.withLock {
      filled += 1
      condition.signal()
    }
  }

  /// The producer touches nothing of the ring after this.
  func markFinished() {
    condition.withLock {
      isFinished = true
      condition.signal()
    }
  }

  // MARK: Consumer

  /// The oldest filled slot, the same one until it is released.
  func waitForFilledSlot() -> Slot {
    condition.withLock {
      while filled == consumed { condition.wait() }
      return slots[consumed % slots.count]
    }
  }

  func release() {
    condition.withLock {
      consumed += 1
      condition.signal()
    }
  }

  /// Tells the producer to stop and waits until it has.
  func stop() {
    condition.withLock {
      isStopped = true
      condition.signal()
      while !isFinished { condition.wait() }
    }
  }
}
