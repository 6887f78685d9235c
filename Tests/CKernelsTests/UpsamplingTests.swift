import CKernels
import CReference
import Testing

@Suite struct UpsamplingTests {
  static let sizes: [(n: Int, oh: Int, ow: Int, c: Int)] =
    channelCounts.map { (2, 5, 4, $0) } + [
      (1, 1, 1, 1), (1, 1, 1, 2048), (1, 2, 2, 100), (1, 1, 8, 6), (1, 7, 1, 6), (3, 6, 9, 20),
      (7, 15, 14, 19),
    ]

  private func descriptor(_ n: Int, _ oh: Int, _ ow: Int, _ c: Int) -> oct_upsample2x_desc {
    oct_upsample2x_desc(n: n, ih: (oh + 1) / 2, iw: (ow + 1) / 2, c: c, oh: oh, ow: ow)
  }

  @Test(arguments: sizes)
  func agreesWithPlainLoops(n: Int, oh: Int, ow: Int, c: Int) {
    var d = descriptor(n, oh, ow, c)
    let srcCount = n * d.ih * d.iw * c, dstCount = n * oh * ow * c
    var random = TestRandom(seed: 1)
    let src = random.floats(srcCount), diffDst = random.floats(dstCount)
    var expected = [Double](repeating: 0, count: dstCount),
      expectedDiff = [Double](repeating: 0, count: srcCount)
    ref_upsample2x_forward(n, oh, ow, c, src, &expected)
    ref_upsample2x_backward(n, oh, ow, c, diffDst, &expectedDiff)
    for accumulate in [true, false] {
      let dst = random.guarded(dstCount), diffSrc = random.guarded(srcCount)
      #expect(oct_upsample2x_forward(&d, src, dst.pointer, accumulate, 2) == OCT_OK)
      #expect(oct_upsample2x_backward(&d, diffDst, diffSrc.pointer, accumulate, 2) == OCT_OK)
      expectAgreement(dst, expected, accumulating: accumulate)
      expectAgreement(diffSrc, expectedDiff, accumulating: accumulate)
      if !accumulate { expectAdjoint(y: diffDst, forward: dst.values, x: src, backward: diffSrc.values) }
    }
  }

  @Test func sameBitsForAnyNumberOfThreads() {
    for (n, oh, ow, c) in [(7, 15, 14, 19), (1, 2, 2, 5000)] {
      var d = descriptor(n, oh, ow, c)
      expectSameBits { threads in
        var random = TestRandom(seed: 2)
        let dst = random.guarded(n * oh * ow * c), diffSrc = random.guarded(n * d.ih * d.iw * c)
        _ = oct_upsample2x_forward(&d, random.floats(n * d.ih * d.iw * c), dst.pointer, true, threads)
        _ = oct_upsample2x_backward(&d, random.floats(n * oh * ow * c), diffSrc.pointer, true, threads)
        return [dst.values, diffSrc.values]
      }
    }
  }

  @Test func invalidDescriptorsAreRejected() {
    var memory: [Float] = [7]
    let good = descriptor(2, 5, 4, 3)
    for var d in [
      altered(good, \.n, -1), altered(good, \.c, -1), altered(good, \.oh, -1), altered(good, \.ow, -1),
      altered(good, \.ih, 2), altered(good, \.ih, 4), altered(good, \.iw, 1), altered(good, \.iw, 3),
      altered(good, \.n, .max / 2),
    ] {
      #expect(oct_upsample2x_forward(&d, [0], &memory, false, 1) == OCT_INVALID_DESCRIPTOR)
      #expect(oct_upsample2x_backward(&d, [0], &memory, false, 1) == OCT_INVALID_DESCRIPTOR)
    }
    var empty = descriptor(0, 5, 4, 3)
    #expect(oct_upsample2x_forward(&empty, [0], &memory, false, 1) == OCT_OK)
    #expect(memory == [7])
  }
}
