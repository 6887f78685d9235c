import CKernels
import CReference
import Testing

/// Upsampling by whole factors, nearest and bilinear.
@Suite struct ResamplingTests {
  struct Case: Sendable, CustomStringConvertible {
    var n = 2, oh = 7, ow = 9, c = 5, scale = 3
    var bilinear = false

    var descriptor: oct_upsample_desc {
      oct_upsample_desc(
        n: n, ih: (oh + scale - 1) / scale, iw: (ow + scale - 1) / scale, c: c, oh: oh, ow: ow, scale: scale,
        bilinear: bilinear)
    }
    var description: String { "\(n)×\(oh)×\(ow)×\(c) by \(scale)\(bilinear ? " bilinear" : "")" }

    static let all: [Case] = [false, true].flatMap { bilinear in
      channelCounts.map { Case(c: $0, bilinear: bilinear) }
        + [
          (1, 1, 1, 1, 1), (1, 1, 1, 2048, 3), (1, 2, 2, 100, 2), (1, 1, 8, 6, 4), (1, 7, 1, 6, 5),
          (2, 5, 6, 3, 1),
          (3, 12, 8, 4, 4), (3, 11, 7, 4, 4), (3, 9, 5, 4, 4), (1, 16, 16, 3, 16), (5, 17, 23, 19, 2),
        ].map {
          Case(n: $0.0, oh: $0.1, ow: $0.2, c: $0.3, scale: $0.4, bilinear: bilinear)
        }
    }
  }

  @Test(arguments: Case.all) func agreesWithPlainLoops(testCase: Case) {
    var d = testCase.descriptor
    let srcCount = d.n * d.ih * d.iw * d.c, dstCount = d.n * d.oh * d.ow * d.c
    var random = TestRandom(seed: 1)
    let src = random.floats(srcCount), diffDst = random.floats(dstCount)
    var expected = [Double](repeating: 0, count: dstCount),
      expectedDiff = [Double](repeating: 0, count: srcCount)
    ref_upsample_forward(d.n, d.oh, d.ow, d.c, d.scale, d.bilinear, src, &expected)
    ref_upsample_backward(d.n, d.oh, d.ow, d.c, d.scale, d.bilinear, diffDst, &expectedDiff)
    let dst = random.guarded(dstCount)
    #expect(oct_upsample_forward(&d, src, dst.pointer, 2) == OCT_OK)
    expectAgreement(dst, expected)
    for accumulate in [true, false] {
      let diffSrc = random.guarded(srcCount)
      #expect(oct_upsample_backward(&d, diffDst, diffSrc.pointer, accumulate, 2) == OCT_OK)
      expectAgreement(diffSrc, expectedDiff, accumulating: accumulate)
      if !accumulate { expectAdjoint(y: diffDst, forward: dst.values, x: src, backward: diffSrc.values) }
    }
  }

  @Test(arguments: [false, true]) func sameBitsForAnyNumberOfThreads(bilinear: Bool) {
    for testCase in [
      Case(n: 5, oh: 17, ow: 23, c: 19, scale: 2), Case(n: 1, oh: 2, ow: 2, c: 5000, scale: 2),
    ] {
      var d = testCase.descriptor
      d.bilinear = bilinear
      expectSameBits { threads in
        var random = TestRandom(seed: 2)
        let dst = random.guarded(d.n * d.oh * d.ow * d.c), diffSrc = random.guarded(d.n * d.ih * d.iw * d.c)
        _ = oct_upsample_forward(&d, random.floats(d.n * d.ih * d.iw * d.c), dst.pointer, threads)
        _ = oct_upsample_backward(&d, random.floats(d.n * d.oh * d.ow * d.c), diffSrc.pointer, true, threads)
        return [dst.values, diffSrc.values]
      }
    }
  }

  @Test func invalidDescriptorsAreRejected() {
    var memory: [Float] = [7]
    let good = Case().descriptor
    for var d in [
      altered(good, \.n, -1), altered(good, \.c, -1), altered(good, \.oh, -1), altered(good, \.ow, -1),
      altered(good, \.ih, 2), altered(good, \.ih, 4), altered(good, \.iw, 2), altered(good, \.scale, 0),
      altered(good, \.n, .max / 2),
    ] {
      #expect(oct_upsample_forward(&d, [0], &memory, 1) == OCT_INVALID_DESCRIPTOR)
      #expect(oct_upsample_backward(&d, [0], &memory, false, 1) == OCT_INVALID_DESCRIPTOR)
    }
    var empty = altered(good, \.n, 0)
    #expect(oct_upsample_forward(&empty, [0], &memory, 1) == OCT_OK)
    #expect(memory == [7])
  }
}
