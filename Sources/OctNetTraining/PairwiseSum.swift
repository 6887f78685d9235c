import CKernels
import OctNetCore
import OctNetSupport

/// The sum of vectors in a fixed binary tree: neighbours are added, then neighbouring sums, and so on. A sum of
/// 2^k neighbours that begins at a multiple of 2^k is a subtree, and whoever made it, its bits are the same.
///
/// Vectors that are missing at the end leave out the additions that they would have been part of. In memory are as many
/// partial sums as the tree is high.
final class PairwiseSum {
  private let count: Int
  /// partial[k]: the sum of 2^k vectors whose neighbours to the right are still to come; valid where bit k of `added` is set.
  private var partial: [AlignedBuffer]
  private var added = 0
  /// For the next call; results do not depend on it.
  var threads: Int

  /// Buffers that a tree of so many leaves takes.
  static func buffers(leaves: Int) -> Int { max(1, Int.bitWidth - (leaves - 1).leadingZeroBitCount) }

  /// - Parameters:
  ///   - count: floats of a vector.
  ///   - leaves: vectors that are added at most.
  init(count: Int, leaves: Int, threads: Int) {
    precondition(leaves > 0)
    self.count = count
    self.threads = threads
    partial = (0..<Self.buffers(leaves: leaves)).map { _ in
      AlignedBuffer(byteCount: count * MemoryLayout<Float>.stride)
    }
  }

  /// Forgets what was added.
  func reset() { added = 0 }

  func add(_ vector: UnsafePointer<Float>) {
    // The vector is the right end of as many sums as `added` has ones at its end.
    let height = (~added).trailingZeroBitCount
    added += 1
    guard height > 0 else {
      check(oct_copy(count, vector, partial[0].floats, Int32(threads)))
      return
    }
    add(vector, to: 0)
    for level in 1..<height { add(UnsafePointer(partial[level - 1].floats), to: level) }
    // The whole sum moves up, to where the next one is not in its way.
    if height < partial.count { partial.swapAt(height - 1, height) }
  }

  /// The sum, valid until the next `add`, which begins another one.
  /// - Precondition: something was added.
  func finish() -> UnsafePointer<Float> {
    precondition(added > 0)
    defer { added = 0 }
    var sum: UnsafePointer<Float>?
    for level in partial.indices where added & 1 << level != 0 {
      if let sum { add(sum, to: level) }
      sum = UnsafePointer(partial[level].floats)
    }
    // Of all leaves: there was nowhere to move to.
    return sum ?? UnsafePointer(partial[partial.count - 1].floats)
  }

  /// The sum of what was added and of a last vector at some places, each of which is asked for once: what the vector has
  /// elsewhere may come later. `reset` follows the last of them.
  /// - Returns: the sum at the first of the places and those behind it, valid until the next `add`; of the last vector
  ///   alone, that itself.
  func sum(with last: UnsafePointer<Float>, at places: Range<Int>) -> UnsafePointer<Float> {
    var sum = last + places.lowerBound
    for level in partial.indices where added & 1 << level != 0 {
      let left = partial[level].floats + places.lowerBound
      check(oct_add(places.count, left, sum, left, Int32(threads)))
      sum = UnsafePointer(left)
    }
    return sum
  }

  private func add(_ vector: UnsafePointer<Float>, to level: Int) {
    let sum = partial[level].floats
    check(oct_add(count, sum, vector, sum, Int32(threads)))
  }
}
