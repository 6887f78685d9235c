import CKernels
import OctNetCore

/// The tree over the sums of subtrees that ranks sent: see `PairwiseSum` and `BFloat16Sum`.
struct RankTree {
  /// What was sent, a rank's at each multiple of `stride` bytes; changed.
  let vectors: UnsafeMutableRawPointer
  let stride: Int
  /// Numbers of a vector.
  let count: Int
  /// All, and those that have something to send, the first ones.
  let ranks, filled: Int
  let threads: Int

  /// In the first vector.
  func float32() -> UnsafePointer<Float> {
    forEachPair { left, right, _ in
      let sum = vector(left, Float.self)
      check(oct_add(count, sum, vector(right, Float.self), sum, Int32(threads)))
    }
    return UnsafePointer(vector(0, Float.self))
  }

  /// - Parameter sum: room for `count` floats, as the last sum is not rounded.
  func bfloat16(into sum: UnsafeMutablePointer<Float>) -> UnsafePointer<Float> {
    var isThere = false
    forEachPair { left, right, isLast in
      let (left, right) = (vector(left, UInt16.self), vector(right, UInt16.self))
      if isLast {
        check(oct_bfloat16_sum(count, left, right, sum, Int32(threads)))
      } else {
        check(oct_bfloat16_add(count, left, right, left, Int32(threads)))
      }
      isThere = isLast
    }
    // There was no other half.
    if !isThere { check(oct_bfloat16_widen(count, vector(0, UInt16.self), sum, Int32(threads))) }
    return UnsafePointer(sum)
  }

  /// Left and right neighbours, those that are closer first, and whether they are both halves of the whole tree.
  private func forEachPair(_ body: (_ left: Int, _ right: Int, _ isLast: Bool) -> Void) {
    var width = 1
    while width < filled {
      for left in Swift.stride(from: 0, to: filled - width, by: 2 * width) {
        body(left, left + width, 2 * width == ranks)
      }
      width *= 2
    }
  }

  private func vector<Number>(_ rank: Int, _: Number.Type) -> UnsafeMutablePointer<Number> {
    (vectors + rank * stride).assumingMemoryBound(to: Number.self)
  }
}
