import CKernels
import Testing

/// Channel counts at and beside the vector widths 4, 8 and 16, and the widths the networks have.
let channelCounts = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 56, 64, 65]

/// A kernel's output agrees with its oracle, and nothing around it was touched. With `accumulating`, the expected
/// values are those on top of what the memory held.
func expectAgreement(
  _ actual: Guarded, _ expected: [Double], accumulating: Bool = false, tolerance: Double = 1e-6,
  _ comment: @autoclosure () -> Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
) {
  let total = accumulating ? zip(actual.start, expected).map { Double($0) + $1 } : expected
  let error = normalizedError(actual.values, total)
  #expect(error < tolerance, comment(), sourceLocation: sourceLocation)
  #expect(actual.isIntact, comment(), sourceLocation: sourceLocation)
}

/// Runs a kernel with 1, 2 and 5 threads and compares every bit of what it wrote.
func expectSameBits(
  sourceLocation: SourceLocation = #_sourceLocation, _ run: (_ threads: Int32) -> [[Float]]
) {
  let bits = { (outputs: [[Float]]) in outputs.map { $0.map(\.bitPattern) } }
  let one = bits(run(1))
  for threads: Int32 in [2, 5] {
    #expect(bits(run(threads)) == one, "\(threads) threads", sourceLocation: sourceLocation)
  }
}

/// ⟨y, A·x⟩ = ⟨Aᵀ·y, x⟩, relative to the length of the factors.
func expectAdjoint(
  y: [Float], forward: [Float], x: [Float], backward: [Float],
  sourceLocation: SourceLocation = #_sourceLocation
) {
  func dot(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).map { Double($0) * Double($1) }.reduce(0, +) }
  let size = (dot(y, y) * dot(forward, forward)).squareRoot() + 1e-12
  #expect(abs(dot(y, forward) - dot(backward, x)) < 1e-6 * size, sourceLocation: sourceLocation)
}

extension TestRandom {
  /// Memory of `count` floats with random contents.
  mutating func guarded(_ count: Int) -> Guarded { Guarded(count: count, filledWith: floats(count)) }
}

/// A descriptor with one field replaced.
func altered<Descriptor>(
  _ descriptor: Descriptor, _ field: WritableKeyPath<Descriptor, Int>, _ value: Int
) -> Descriptor {
  var descriptor = descriptor
  descriptor[keyPath: field] = value
  return descriptor
}
