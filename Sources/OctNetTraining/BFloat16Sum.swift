import CKernels
import OctNetCore
import OctNetSupport

/// As `PairwiseSum`, in bfloat16: vectors are rounded, and so is every sum but that of the whole tree.
///
/// So the sum of a subtree is the same 16 bits a number wherever it was made, and any of them can be sent. Rounding each vector
/// alone would not do: sums would need more bits to be sent, and rounding what happens to be sent would make the result depend on
/// the number of ranks.
final class BFloat16Sum: ShardSum {
  private let count: Int
  /// Of the tree.
  private let height: Int
  /// See `PairwiseSum.partial`.
  private var partial: [AlignedBuffer]
  private var added = 0
  /// The vector that was rounded last.
  private var leaf: AlignedBuffer
  /// The sum of the whole tree, where this is it.
  private let whole: AlignedBuffer?
  var threads: Int

  /// - Parameters:
  ///   - count: floats of a vector.
  ///   - leaves: vectors that are added at most, a power of two.
  ///   - isWhole: whether the tree is whole, and no part of a larger one.
  init(count: Int, leaves: Int, isWhole: Bool, threads: Int) {
    precondition(leaves > 0 && leaves & (leaves - 1) == 0)
    self.count = count
    self.threads = threads
    height = leaves.trailingZeroBitCount
    let bytes = count * MemoryLayout<UInt16>.stride
    partial = (0..<PairwiseSum.buffers(leaves: leaves)).map { _ in AlignedBuffer(byteCount: bytes) }
    leaf = AlignedBuffer(byteCount: bytes)
    whole = isWhole ? AlignedBuffer(byteCount: count * MemoryLayout<Float>.stride) : nil
  }

  func reset() { added = 0 }

  func add(_ vector: UnsafePointer<Float>) {
    // As in `PairwiseSum`.
    let levels = (~added).trailingZeroBitCount
    added += 1
    check(oct_bfloat16_round(count, vector, numbers(leaf), Int32(threads)))
    guard levels > 0 else {
      swap(&leaf, &partial[0])
      return
    }
    var node = leaf
    for level in 0..<levels {
      join(level, node)
      node = partial[level]
    }
    if levels < partial.count { partial.swapAt(levels - 1, levels) }
  }

  func finish() -> UnsafePointer<Float> {
    guard let whole else { preconditionFailure("a part of a tree") }
    precondition(added > 0)
    defer { added = 0 }
    var node: AlignedBuffer?
    for level in partial.indices where added & 1 << level != 0 {
      if let node { join(level, node) }
      node = partial[level]
    }
    // Of both halves there is the sum; of the first one alone it is that.
    if added <= 1 << max(0, height - 1), let node {
      check(oct_bfloat16_widen(count, numbers(node), whole.floats, Int32(threads)))
    }
    return UnsafePointer(whole.floats)
  }

  func message(with last: UnsafePointer<Float>, at places: Range<Int>) -> UnsafeMutableRawPointer {
    var sum = numbers(leaf) + places.lowerBound
    check(oct_bfloat16_round(places.count, last + places.lowerBound, sum, Int32(threads)))
    for level in partial.indices where added & 1 << level != 0 {
      let left = numbers(partial[level]) + places.lowerBound
      check(oct_bfloat16_add(places.count, left, sum, left, Int32(threads)))
      sum = left
    }
    return UnsafeMutableRawPointer(sum)
  }

  /// Adds the right one of two neighbours to the left one.
  private func join(_ level: Int, _ right: AlignedBuffer) {
    let left = numbers(partial[level])
    if let whole, level + 1 == height {
      check(oct_bfloat16_sum(count, left, numbers(right), whole.floats, Int32(threads)))
    } else {
      check(oct_bfloat16_add(count, left, numbers(right), left, Int32(threads)))
    }
  }

  private func numbers(_ buffer: AlignedBuffer) -> UnsafeMutablePointer<UInt16> {
    buffer.base.assumingMemoryBound(to: UInt16.self)
  }
}
