import CKernels
import CReference
import Testing

@Suite struct GroupNormTests {
  static let shapes: [(n: Int, pixels: Int, c: Int, groups: Int)] =
    channelCounts.map { (2, 12, $0, 1) } + channelCounts.map { (2, 9, $0, $0) }
    + [
      (1, 2, 1, 1), (1, 1, 2048, 4), (3, 1, 20, 5), (1, 300, 36, 3), (7, 130, 18, 2), (1, 700, 600, 6),
      (2, 64, 512, 32),
    ]

  private func scratch(_ d: inout oct_group_norm_desc) -> [UInt8] {
    [UInt8](repeating: 0xFF, count: oct_group_norm_scratch_bytes(&d))
  }

  @Test(arguments: shapes) func agreesWithPlainLoops(n: Int, pixels: Int, c: Int, groups: Int) {
    var d = oct_group_norm_desc(n: n, pixels: pixels, c: c, groups: groups, epsilon: 1e-5)
    let count = n * pixels * c
    var random = TestRandom(seed: 1)
    // A mean beside which the deviation is small.
    let src = random.floats(count).map { $0 + 3 }
    let gamma = random.floats(c), beta = random.floats(c), diffDst = random.floats(count)
    var expected = [Double](repeating: 0, count: count), expectedDiff = expected
    var expectedGamma = [Double](repeating: 0, count: c), expectedBeta = expectedGamma
    ref_group_norm_forward(n, pixels, c, groups, 1e-5, src, gamma, beta, &expected)
    ref_group_norm_backward(
      n, pixels, c, groups, 1e-5, src, gamma, diffDst, &expectedDiff, &expectedGamma, &expectedBeta)
    let dst = random.guarded(count), mean = random.guarded(n * groups), invStd = random.guarded(n * groups)
    var memory = scratch(&d)
    #expect(
      oct_group_norm_forward(&d, src, gamma, beta, dst.pointer, mean.pointer, invStd.pointer, &memory, 2)
        == OCT_OK)
    expectAgreement(dst, expected, tolerance: 3e-6)
    #expect(mean.isIntact && invStd.isIntact)
    let alone = random.guarded(count)
    #expect(oct_group_norm_forward(&d, src, gamma, beta, alone.pointer, nil, nil, &memory, 2) == OCT_OK)
    #expect(alone.values == dst.values)
    for accumulate in [true, false] {
      let diffSrc = random.guarded(count), diffGamma = random.guarded(c), diffBeta = random.guarded(c)
      var memory = scratch(&d)
      #expect(
        oct_group_norm_backward(
          &d, src, diffDst, gamma, mean.pointer, invStd.pointer, diffSrc.pointer, accumulate,
          diffGamma.pointer,
          diffBeta.pointer, &memory, 2) == OCT_OK)
      // Where two numbers are a group, their gradients are nearly nothing beside what cancels in them.
      let few = pixels * c / groups <= 2
      expectAgreement(diffSrc, expectedDiff, accumulating: accumulate, tolerance: few ? 5e-2 : 2e-5)
      expectAgreement(diffGamma, expectedGamma, tolerance: 1e-5)
      expectAgreement(diffBeta, expectedBeta, tolerance: 1e-5)
      #expect(
        oct_group_norm_backward(
          &d, src, diffDst, gamma, mean.pointer, invStd.pointer, nil, false, diffGamma.pointer,
          diffBeta.pointer,
          &memory, 2) == OCT_OK)
      expectAgreement(diffGamma, expectedGamma, tolerance: 1e-5)
    }
  }

  @Test func sameBitsForAnyNumberOfThreads() {
    for (n, pixels, c, groups) in [(7, 130, 18, 2), (1, 900, 16, 4), (1, 1, 20000, 5)] {
      var d = oct_group_norm_desc(n: n, pixels: pixels, c: c, groups: groups, epsilon: 1e-5)
      expectSameBits { threads in
        var random = TestRandom(seed: 2)
        let count = n * pixels * c
        let src = random.floats(count), gamma = random.floats(c)
        let dst = random.guarded(count), mean = random.guarded(n * groups),
          invStd = random.guarded(n * groups)
        let diffSrc = random.guarded(count), diffGamma = random.guarded(c), diffBeta = random.guarded(c)
        var memory = scratch(&d)
        _ = oct_group_norm_forward(
          &d, src, gamma, gamma, dst.pointer, mean.pointer, invStd.pointer, &memory, threads)
        _ = oct_group_norm_backward(
          &d, src, src, gamma, mean.pointer, invStd.pointer, diffSrc.pointer, true, diffGamma.pointer,
          diffBeta.pointer, &memory, threads)
        return [dst.values, diffSrc.values, diffGamma.values, diffBeta.values]
      }
    }
  }

  @Test func invalidDescriptorsAreRejected() {
    var memory: [Float] = [7]
    let good = oct_group_norm_desc(n: 2, pixels: 3, c: 4, groups: 2, epsilon: 1e-5)
    var broken = [
      altered(good, \.n, -1), altered(good, \.pixels, -1), altered(good, \.c, -1), altered(good, \.groups, 3),
      altered(good, \.groups, 0), altered(good, \.n, .max / 2), good,
    ]
    broken[broken.count - 1].epsilon = -1
    for var d in broken {
      #expect(oct_group_norm_forward(&d, [0], [0], [0], &memory, nil, nil, nil, 1) == OCT_INVALID_DESCRIPTOR)
      #expect(oct_group_norm_scratch_bytes(&d) == 0)
    }
    #expect(memory == [7])
  }
}
