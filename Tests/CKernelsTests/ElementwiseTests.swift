import CKernels
import CReference
import Testing

/// Lengths at and beside vectors, and one that a team of threads shares.
private let lengths = [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100, 20_011]

@Suite struct ElementwiseTests {
  @Test(arguments: lengths)
  func addition(count: Int) {
    var random = TestRandom(seed: 2)
    let a = random.floats(count), b = random.floats(count)
    let sum = zip(a, b).map { $0 + $1 }
    let dst = random.guarded(count)
    let overA = Guarded(count: count, filledWith: a), overB = Guarded(count: count, filledWith: b)
    #expect(oct_add(count, a, b, dst.pointer, 2) == OCT_OK)
    #expect(oct_add(count, overA.pointer, b, overA.pointer, 2) == OCT_OK)
    #expect(oct_add(count, a, overB.pointer, overB.pointer, 2) == OCT_OK)
    for result in [dst, overA, overB] { #expect(result.values == sum && result.isIntact) }
  }

  @Test(arguments: lengths)
  func weightedSum(count: Int) {
    var random = TestRandom(seed: 6)
    let x = random.floats(count), y = random.floats(count)
    let expected = zip(x, y).map { 0.25 * Double($0) - 1.5 * Double($1) }
    expectSameBits { threads in
      let sum = Guarded(count: count, filledWith: y)
      #expect(oct_axpby(count, 0.25, x, -1.5, sum.pointer, threads) == OCT_OK)
      expectAgreement(sum, expected)
      return [sum.values]
    }
  }

  @Test(arguments: lengths)
  func copy(count: Int) {
    var random = TestRandom(seed: 3)
    let src = random.floats(count)
    let dst = random.guarded(count)
    #expect(oct_copy(count, src, dst.pointer, 2) == OCT_OK)
    #expect(dst.values == src && dst.isIntact)
  }

  @Test(arguments: [(1, 1), (0, 3), (1, 700), (100, 10), (16, 16), (129, 3), (700, 1), (513, 65), (40, 2048)])
  func biasGradient(rows: Int, c: Int) {
    var random = TestRandom(seed: 4)
    let diffDst = random.floats(rows * c)
    var expected = [Double](repeating: 0, count: c)
    ref_column_sums(rows, c, diffDst, &expected)
    let diffBias = random.guarded(c), scratch = GuardedBytes(count: oct_bias_backward_scratch_bytes(rows, c))
    #expect(oct_bias_backward(rows, c, diffDst, diffBias.pointer, scratch.pointer, 2) == OCT_OK)
    expectAgreement(diffBias, expected, tolerance: 2e-6)
    #expect(scratch.isIntact)
    expectSameBits { threads in
      _ = oct_bias_backward(rows, c, diffDst, diffBias.pointer, scratch.pointer, threads)
      return [diffBias.values]
    }
  }

  @Test func sumOfSquares() {
    var random = TestRandom(seed: 5)
    for count in lengths {
      let x = random.floats(count)
      let expected = x.reduce(0.0) { $0 + Double($1) * Double($1) }
      let one = oct_sum_of_squares(count, x, 1)
      #expect(abs(one - expected) <= 1e-12 * expected)
      #expect(oct_sum_of_squares(count, x, 2) == one && oct_sum_of_squares(count, x, 5) == one)
    }
    #expect(oct_sum_of_squares(2, [1e30, 1e30], 1) == 2 * Double(Float(1e30)) * Double(Float(1e30)))
  }

  @Test func invalidSizesAreRejected() {
    var memory: [Float] = [7]
    #expect(oct_add(-1, [0], [0], &memory, 1) == OCT_INVALID_DESCRIPTOR)
    #expect(oct_copy(-1, [0], &memory, 1) == OCT_INVALID_DESCRIPTOR)
    #expect(oct_bias_backward(-1, 1, [0], &memory, nil, 1) == OCT_INVALID_DESCRIPTOR)
    #expect(oct_bias_backward(1, -1, [0], &memory, nil, 1) == OCT_INVALID_DESCRIPTOR)
    #expect(oct_bias_backward_scratch_bytes(-1, 1) == 0)
    for p: Float in [-0.1, 1.1, .nan] {
      #expect(oct_dropout(1, p, 0, [0], &memory, false, 1) == OCT_INVALID_DESCRIPTOR)
    }
    #expect(oct_dropout(-1, 0.5, 0, [0], &memory, false, 1) == OCT_INVALID_DESCRIPTOR)
    #expect(memory == [7])
  }
}

@Suite struct DropoutTests {
  private func factors(count: Int, p: Float, seed: UInt64, threads: Int32 = 2) -> [Float] {
    let dst = Guarded(count: count, filledWith: [Float](repeating: 9, count: count))
    #expect(
      oct_dropout(count, p, seed, [Float](repeating: 1, count: count), dst.pointer, false, threads) == OCT_OK)
    #expect(dst.isIntact)
    return dst.values
  }

  @Test(arguments: [0.1, 0.5, 0.9] as [Float])
  func keepsTheStatedFractionAndTheMean(p: Float) {
    let count = 100_003
    let values = factors(count: count, p: p, seed: 1)
    let scale = Float(1 / (1 - Double(p)))
    #expect(values.allSatisfy { $0 == 0 || $0 == scale })
    let kept = Double(values.filter { $0 != 0 }.count) / Double(count)
    // Four standard deviations.
    #expect(abs(kept - (1 - Double(p))) < 4 * (Double(p * (1 - p)) / Double(count)).squareRoot())
  }

  /// Neighbouring elements and neighbouring seeds agree as often as chance has it.
  @Test func drawsAreIndependent() {
    let count = 100_000
    let a = factors(count: count, p: 0.5, seed: 1), b = factors(count: count, p: 0.5, seed: 2)
    let seeds = zip(a, b).filter { $0 == $1 }.count
    let neighbours = zip(a, a.dropFirst()).filter { $0 == $1 }.count
    let shifted = zip(a.dropFirst(), b).filter { $0 == $1 }.count
    for agreements in [seeds, neighbours, shifted] { #expect(abs(agreements - count / 2) < 640) }
  }

  /// The mask is a function of seed and index alone: not of length, threads, alignment or instruction set.
  @Test func maskDependsOnSeedAndIndexOnly() {
    let long = factors(count: 20_000, p: 0.4, seed: 42)
    for count in [1, 3, 16, 63, 64, 65, 1000] {
      #expect(factors(count: count, p: 0.4, seed: 42) == Array(long.prefix(count)))
    }
    expectSameBits { threads in [factors(count: 20_000, p: 0.4, seed: 42, threads: threads)] }
    let firstKept = long.prefix(24).map { $0 == 0 ? "0" : "1" }.joined()
    #expect(firstKept == "101101001011000111110111")
  }

  @Test(arguments: [1, 16, 17, 70, 20_011])
  func valuesAndAccumulation(count: Int) {
    var random = TestRandom(seed: 6)
    let src = random.floats(count)
    let mask = factors(count: count, p: 0.3, seed: 7)
    let expected = zip(src, mask).map { Double($0) * Double($1) }
    for accumulate in [false, true] {
      let dst = random.guarded(count)
      #expect(oct_dropout(count, 0.3, 7, src, dst.pointer, accumulate, 2) == OCT_OK)
      expectAgreement(dst, expected, accumulating: accumulate)
    }
  }

  @Test func extremes() {
    #expect(factors(count: 500, p: 0, seed: 1).allSatisfy { $0 == 1 })
    #expect(factors(count: 500, p: 1, seed: 1).allSatisfy { $0 == 0 })
    var dst = [Float](repeating: 9, count: 40)
    _ = oct_dropout(40, 1, 1, [Float](repeating: .infinity, count: 40), &dst, false, 1)
    #expect(dst.allSatisfy { $0 == 0 })
  }
}
