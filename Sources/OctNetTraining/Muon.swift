import CKernels
import OctNetCore
import OctNetSupport

/// One update of a matrix by Muon (Jordan et al. 2024): the direction that momentum gives is replaced by its orthogonal factor,
/// so that all its singular values count alike.
///
/// Filters [out, in, kh, kw] are the matrix [out, in·kh·kw]. The matrix products are the package's convolutions; the bits
/// do not depend on the number of threads.
final class Muon {
  /// Memory that grows to what the largest matrix needs: the direction as the weights lie, in PyTorch's order, transposed,
  /// and what the iterations take.
  private var direction, plain, columns, scratch: AlignedBuffer?
  private var sizes = [0, 0, 0]

  /// What it takes for a matrix, at least.
  static func bytes(of entry: ParameterStore.Entry, threads: Int) -> Int {
    let (rows, columns) = shape(of: entry)
    let matrix = rows * columns * MemoryLayout<Float>.stride
    return entry.range.count * MemoryLayout<Float>.stride + 2 * matrix
      + oct_newton_schulz_scratch_bytes(min(rows, columns), max(rows, columns), Int32(threads))
  }

  private static func shape(of entry: ParameterStore.Entry) -> (rows: Int, columns: Int) {
    (entry.shape[0], entry.shape.dropFirst().reduce(1, *))
  }

  /// What one update needs beside the parameter.
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

  func update(
    _ entry: ParameterStore.Entry, _ step: Step, gradient: UnsafePointer<Float>,
    weights: UnsafeMutablePointer<Float>, velocity: UnsafeMutablePointer<Float>, threads: Int
  ) {
    let count = entry.range.count, threadCount = Int32(threads)
    let (rows, columns) = Self.shape(of: entry)
    let (least, most) = (min(rows, columns), max(rows, columns))
    let memory = memory(count, rows * columns, least, most, threads)
    check(
      oct_muon_direction(
        count, step.momentum, step.nesterov, step.gradientScale, gradient, velocity, memory.direction,
        threadCount))
    entry.unpack(memory.direction, into: memory.plain)
    // The kernel takes the transpose of a matrix that is not taller than wide.
    let isWide = rows <= columns
    if isWide {
      check(oct_transpose(rows, columns, memory.plain, memory.columns, threadCount))
    }
    let matrix = isWide ? memory.columns : memory.plain
    check(
      oct_newton_schulz(least, most, Int32(step.iterations), matrix, memory.scratch, threadCount))
    if isWide {
      check(oct_transpose(columns, rows, memory.columns, memory.plain, threadCount))
    }
    entry.pack(memory.plain, into: memory.direction)

    var factor: Float = 1
    var rate = step.learningRate
    if step.normalizes {
      let norm = oct_sum_of_squares(count, weights, threadCount).squareRoot()
      // Weights that are all zero have no direction to keep.
      if norm > 0 { factor = Float(Double(rows).squareRoot() / norm) }
    } else {
      rate *= max(1, Float(rows) / Float(columns)).squareRoot()
    }
    factor *= 1 - step.learningRate * step.weightDecay
    check(oct_axpby(count, -rate, memory.direction, factor, weights, threadCount))
  }

  private func memory(
    _ stored: Int, _ count: Int, _ least: Int, _ most: Int, _ threads: Int
  ) -> (
    direction: UnsafeMutablePointer<Float>, plain: UnsafeMutablePointer<Float>,
    columns: UnsafeMutablePointer<Float>, scratch: UnsafeMutableRawPointer
  ) {
    let stride = MemoryLayout<Float>.stride
    let needed = [
      stored * stride, count * stride, oct_newton_schulz_scratch_bytes(least, most, Int32(threads)),
    ]
    func grown(_ buffer: inout AlignedBuffer?, _ index: Int) -> AlignedBuffer {
      if let buffer, sizes[index] >= needed[index] { return buffer }
      let larger = AlignedBuffer(byteCount: needed[index])
      buffer = larger
      return larger
    }
    let first = grown(&direction, 0)
    let second = grown(&plain, 1)
    let third = grown(&columns, 1)
    let fourth = grown(&scratch, 2)
    for index in sizes.indices { sizes[index] = max(sizes[index], needed[index]) }
    return (first.floats, second.floats, third.floats, fourth.base)
  }
}
