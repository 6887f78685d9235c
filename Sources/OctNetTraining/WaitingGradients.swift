import CKernels
import OctNetCore
import OctNetSupport

/// Gradients of paths that wait for those of the others in their matrix: a backward pass computes one after the other, and
/// uses the memory of each again.
struct WaitingGradients {
  /// Copies, by parameter. They take memory while they wait, and no longer.
  private var copies: [Int: AlignedBuffer] = [:]

  var isEmpty: Bool { copies.isEmpty }

  /// What waits at most. A backward pass comes to the paths of a layer one shortly after the other, so that in fact this is
  /// little of it; but nothing in a graph says so: here all matrices wait for the smallest of their paths at once.
  static func bytes(_ matrices: [FilterMatrix]) -> Int {
    matrices.reduce(0) { bytes, matrix in
      let paths = matrix.paths.map { $0.entry.range.count * MemoryLayout<Float>.stride }
      return bytes + paths.reduce(0, +) - (paths.min() ?? 0)
    }
  }

  /// - Parameter body: gets those of all paths of the matrix, in its order, if this is the last one.
  mutating func add(
    _ gradient: UnsafePointer<Float>, of path: FilterMatrix.Path, in matrix: FilterMatrix, threads: Int,
    whole body: ([UnsafePointer<Float>]) -> Void
  ) {
    let gradients = matrix.paths.compactMap { other in
      other.parameter == path.parameter
        ? gradient : copies[other.parameter].map { UnsafePointer($0.floats) }
    }
    guard gradients.count == matrix.paths.count else {
      let count = path.entry.range.count
      let copy = AlignedBuffer(byteCount: count * MemoryLayout<Float>.stride)
      check(oct_copy(count, gradient, copy.floats, Int32(threads)))
      copies[path.parameter] = copy
      return
    }
    body(gradients)
    for other in matrix.paths { copies[other.parameter] = nil }
  }
}
