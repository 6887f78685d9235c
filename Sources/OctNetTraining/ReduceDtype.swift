import OctNetCore

/// The numbers in which shards' gradients are added up, and in which ranks send each other their sums.
public enum ReduceDtype: String, Codable, CaseIterable, Sendable {
  /// As gradients are.
  case float32
  /// Half the bytes: each shard's gradient is rounded to nearest, ties to even, and so is every sum of the tree over the shards but
  /// the last, which nobody sends.
  case bfloat16

  /// Bytes of a number.
  package var size: Int { self == .bfloat16 ? MemoryLayout<UInt16>.stride : MemoryLayout<Float>.stride }
}

/// The sum of the gradients of one process's shards, in the tree that `PairwiseSum` describes.
protocol ShardSum: AnyObject {
  /// For the next call; results do not depend on it.
  var threads: Int { get set }
  /// Forgets what was added.
  func reset()
  func add(_ vector: UnsafePointer<Float>)
  /// The sum, valid until the next `add`, which begins another one.
  /// - Precondition: something was added, by the one process that has all shards.
  func finish() -> UnsafePointer<Float>
  /// The sum of what was added and of a last vector at some places, in the numbers that ranks send: see `PairwiseSum.sum`.
  func message(with last: UnsafePointer<Float>, at places: Range<Int>) -> UnsafeMutableRawPointer
}

extension PairwiseSum: ShardSum {
  func message(with last: UnsafePointer<Float>, at places: Range<Int>) -> UnsafeMutableRawPointer {
    UnsafeMutableRawPointer(mutating: sum(with: last, at: places))
  }
}

extension ReduceDtype {
  /// - Parameters:
  ///   - count: floats of a vector.
  ///   - leaves: vectors of this process.
  ///   - isWhole: whether they are all there are.
  func makeSum(count: Int, leaves: Int, isWhole: Bool, threads: Int) -> any ShardSum {
    switch self {
    case .float32: PairwiseSum(count: count, leaves: leaves, threads: threads)
    case .bfloat16: BFloat16Sum(count: count, leaves: leaves, isWhole: isWhole, threads: threads)
    }
  }

  /// Bytes of that.
  func sumBytes(count: Int, leaves: Int, isWhole: Bool) -> Int {
    let buffers = PairwiseSum.buffers(leaves: leaves)
    let whole = self == .bfloat16 && isWhole ? count * MemoryLayout<Float>.stride : 0
    return (self == .bfloat16 ? buffers + 1 : buffers) * count * size + whole
  }
}
