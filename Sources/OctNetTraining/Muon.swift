import CKernels
import OctNetCore
import OctNetSupport

/// One update of a matrix by Muon (Jordan et al. 2024): the direction that momentum gives is replaced by its orthogonal factor,
/// so that all its singular values count alike.
///
/// Filters [out, in, kh, kw] are the matrix [out, in·kh·kw]. Those of an octave convolution that are added up in one map are
/// one, [out, (in_h + in_l)·kh·kw]: a channel's filter is what all paths have of it. The matrix products are the package's
/// convolutions; the bits do not depend on the number of threads.
final class Muon {
  /// Memory that grows to what the largest matrix needs: a path's direction as its weights lie, a path or the whole in PyTorch's
  /// order, the whole transposed, and what the iterations take.
  private var direction, plain, transposed, scratch: AlignedBuffer?
  private var sizes = [0, 0, 0]

  /// What it takes for a matrix, at least.
  static func bytes(of matrix: FilterMatrix, threads: Int) -> Int {
    let needed = needed(by: matrix, threads)
    return needed[0] + 2 * needed[1] + needed[2]
  }

  /// Bytes of a path, of the whole, and of what the iterations take.
  private static func needed(by matrix: FilterMatrix, _ threads: Int) -> [Int] {
    let (rows, columns) = (matrix.rows, matrix.columns)
    let stride = MemoryLayout<Float>.stride
    return [
      (matrix.paths.map(\.entry.range.count).max() ?? 0) * stride, rows * columns * stride,
      oct_newton_schulz_scratch_bytes(min(rows, columns), max(rows, columns), Int32(threads)),
    ]
  }

  /// What one update needs beside the parameters.
  struct Step {
    var momentum: Float
    var nesterov: Bool
    var iterations: Int
    /// Brings the weights to the norm √rows first.
    var normalizes: Bool
    var learningRate: Float
    var weightDecay: Float
    var gradientScale: Float
  }

  /// - Parameters:
  ///   - gradients: of each path.
  ///   - step: the rule's constants.
  ///   - threads: for every kernel.
  ///   - velocity: of all parameters of the store.
  ///   - weights: of all parameters of the store.
  func update(
    _ matrix: FilterMatrix, _ step: Step, gradients: [UnsafePointer<Float>],
    weights: UnsafeMutablePointer<Float>, velocity: UnsafeMutablePointer<Float>, threads: Int
  ) {
    let threadCount = Int32(threads)
    let (rows, columns) = (matrix.rows, matrix.columns)
    let (least, most) = (min(rows, columns), max(rows, columns))
    let memory = memory(for: matrix, threads)
    // A path's columns are rows of the transpose: one path behind the other.
    var place = memory.transposed
    for (path, gradient) in zip(matrix.paths, gradients) {
      let range = path.entry.range
      check(
        oct_muon_direction(
          range.count, step.momentum, step.nesterov, step.gradientScale, gradient,
          velocity + range.lowerBound, memory.direction, threadCount))
      path.entry.unpack(memory.direction, into: memory.plain)
      check(oct_transpose(rows, path.columns, memory.plain, place, threadCount))
      place += rows * path.columns
    }
    // The kernel takes the transpose of a matrix that is not taller than wide: of a tall one's, the tall one itself.
    if rows > columns {
      check(oct_transpose(columns, rows, memory.transposed, memory.plain, threadCount))
      check(
        oct_newton_schulz(least, most, Int32(step.iterations), memory.plain, memory.scratch, threadCount))
      check(oct_transpose(rows, columns, memory.plain, memory.transposed, threadCount))
    } else {
      check(
        oct_newton_schulz(
          least, most, Int32(step.iterations), memory.transposed, memory.scratch, threadCount))
    }

    let (factor, rate) = factors(of: matrix, step, weights: weights, threadCount)
    place = memory.transposed
    for path in matrix.paths {
      let range = path.entry.range
      check(oct_transpose(path.columns, rows, place, memory.plain, threadCount))
      path.entry.pack(memory.plain, into: memory.direction)
      check(
        oct_axpby(range.count, -rate, memory.direction, factor, weights + range.lowerBound, threadCount))
      place += rows * path.columns
    }
  }

  /// What multiplies the weights, and what the direction.
  private func factors(
    of matrix: FilterMatrix, _ step: Step, weights: UnsafeMutablePointer<Float>, _ threads: Int32
  ) -> (weights: Float, direction: Float) {
    var factor: Float = 1
    var rate = step.learningRate
    if step.normalizes {
      let squares = matrix.paths.map { path in
        oct_sum_of_squares(path.entry.range.count, weights + path.entry.range.lowerBound, threads)
      }
      let norm = squares.reduce(0, +).squareRoot()
      // Weights that are all zero have no direction to keep.
      if norm > 0 { factor = Float(Double(matrix.rows).squareRoot() / norm) }
    } else {
      rate *= max(1, Float(matrix.rows) / Float(matrix.columns)).squareRoot()
    }
    factor *= 1 - step.learningRate * step.weightDecay
    return (factor, rate)
  }

  private func memory(
    for matrix: FilterMatrix, _ threads: Int
  ) -> (
    direction: UnsafeMutablePointer<Float>, plain: UnsafeMutablePointer<Float>,
    transposed: UnsafeMutablePointer<Float>, scratch: UnsafeMutableRawPointer
  ) {
    let needed = Self.needed(by: matrix, threads)
    func grown(_ buffer: inout AlignedBuffer?, _ index: Int) -> AlignedBuffer {
      if let buffer, sizes[index] >= needed[index] { return buffer }
      let larger = AlignedBuffer(byteCount: needed[index])
      buffer = larger
      return larger
    }
    let first = grown(&direction, 0)
    let second = grown(&plain, 1)
    let third = grown(&transposed, 1)
    let fourth = grown(&scratch, 2)
    for index in sizes.indices { sizes[index] = max(sizes[index], needed[index]) }
    return (first.floats, second.floats, third.floats, fourth.base)
  }
}
