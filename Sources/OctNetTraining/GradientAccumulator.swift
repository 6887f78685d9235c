import CKernels
import OctNetCheckpoint
import OctNetCore
import OctNetSupport

/// The sum of the gradients of several batches, each weighted by its images: divided by the images of all, it is the
/// gradient of their mean loss, as if they had been one batch.
///
/// Batch norm still sees one batch at a time.
final class GradientAccumulator {
  private let buffer: AlignedBuffer
  private let count: Int
  /// For the next call; results do not depend on it.
  var threads: Int
  /// Images so far.
  private(set) var images = 0
  /// Of the network before the first batch: a few thousand numbers.
  private var statistics: [Float] = []
  private var counters: [Int64] = []

  init(parameters: ParameterStore, threads: Int) {
    count = parameters.count
    self.threads = threads
    buffer = AlignedBuffer(byteCount: count * MemoryLayout<Float>.stride)
  }

  var sum: UnsafePointer<Float> { UnsafePointer(buffer.floats) }

  /// - Parameter gradients: of the mean loss over `images` images, or of the sum of their losses.
  func add(_ gradients: UnsafePointer<Float>, images added: Int, reduction: LossReduction) {
    // The first ones replace what an earlier update left.
    let weight = reduction == .mean ? Float(added) : 1
    let status = oct_axpby(count, weight, gradients, images == 0 ? 0 : 1, buffer.floats, Int32(threads))
    precondition(status == OCT_OK, "a size the kernel refuses")
    images += added
  }

  func reset() { images = 0 }

  // MARK: Taking batches back

  /// Remembers running statistics and counters, which change with every batch.
  func keepStatistics(of network: Network) {
    let states = UnsafeBufferPointer(
      start: network.parameters.states, count: network.parameters.stateCount)
    statistics.removeAll(keepingCapacity: true)
    statistics.append(contentsOf: states)
    counters = network.counters
  }

  func restoreStatistics(of network: Network) {
    network.parameters.states.update(from: statistics, count: statistics.count)
    network.counters = counters
  }
}
