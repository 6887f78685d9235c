import CKernels
import CReference
import Testing

struct PoolCase: CustomStringConvertible, Sendable {
  var n = 2, ih = 6, iw = 5, c = 8, kh = 2, kw = 2, sh = 2, sw = 2, ph = 0, pw = 0
  var ceil = false

  /// PyTorch's output size: in ceil mode the last window must start inside the map or its leading padding.
  private func size(_ size: Int, _ k: Int, _ s: Int, _ p: Int) -> Int {
    let out = (size + 2 * p - k + (ceil ? s - 1 : 0)) / s + 1
    return ceil && (out - 1) * s >= size + p ? out - 1 : out
  }
  var descriptor: oct_pool2d_desc {
    oct_pool2d_desc(
      n: n, ih: ih, iw: iw, c: c, oh: size(ih, kh, sh, ph), ow: size(iw, kw, sw, pw), kh: kh, kw: kw, sh: sh,
      sw: sw, ph: ph, pw: pw)
  }
  var description: String {
    "n\(n) \(ih)×\(iw)×\(c), \(kh)×\(kw) stride \(sh),\(sw) padding \(ph),\(pw)\(ceil ? " ceil" : "")"
  }

  static let all: [PoolCase] = {
    var cases = channelCounts.map { PoolCase(ih: 5, iw: 7, c: $0, ceil: true) }
    cases += channelCounts.map { PoolCase(ih: 6, iw: 5, c: $0, kh: 3, kw: 3, ph: 1, pw: 1) }
    for (kernel, stride) in [(1, 1), (1, 2), (2, 1), (2, 2), (2, 3), (3, 1), (3, 2), (4, 3), (5, 2)] {
      for padding in Set([0, kernel / 2]) {
        for ceil in [false, true] {
          cases.append(
            PoolCase(
              ih: 9, iw: 8, c: 5, kh: kernel, kw: kernel, sh: stride, sw: stride, ph: padding, pw: padding,
              ceil: ceil))
        }
      }
    }
    cases.append(PoolCase(n: 1, ih: 1, iw: 1, c: 1, ceil: true))
    cases.append(PoolCase(n: 1, ih: 1, iw: 1, c: 2048, ceil: true))
    cases.append(PoolCase(n: 1, ih: 1, iw: 9, c: 20, ceil: true))
    cases.append(PoolCase(n: 1, ih: 9, iw: 1, c: 20, ceil: true))
    cases.append(PoolCase(n: 3, ih: 7, iw: 4, c: 6, kh: 3, kw: 1, sh: 1, sw: 2, ph: 1, pw: 0))
    cases.append(PoolCase(n: 3, ih: 4, iw: 7, c: 6, kh: 1, kw: 4, sh: 2, sw: 3, ph: 0, pw: 3, ceil: true))
    // Large enough for a team of threads.
    cases.append(PoolCase(n: 7, ih: 15, iw: 13, c: 19, ceil: true))
    cases.append(PoolCase(n: 5, ih: 16, iw: 16, c: 24, kh: 3, kw: 3, ph: 1, pw: 1))
    return cases
  }()
  static let large = all.filter { $0.n * $0.ih * $0.iw * $0.c > 20_000 }
}

extension oct_pool2d_desc {
  var srcCount: Int { n * ih * iw * c }
  var dstCount: Int { n * oh * ow * c }
  var reference: ref_pool2d {
    ref_pool2d(n: n, ih: ih, iw: iw, c: c, oh: oh, ow: ow, kh: kh, kw: kw, sh: sh, sw: sw, ph: ph, pw: pw)
  }
}

@Suite struct AveragePoolingTests {
  @Test(arguments: PoolCase.all)
  func agreesWithPlainLoops(testCase: PoolCase) {
    var d = testCase.descriptor, reference = d.reference
    var random = TestRandom(seed: 1)
    let src = random.floats(d.srcCount), diffDst = random.floats(d.dstCount)
    #expect(oct_pool2d_check(&d) == OCT_OK)

    var expected = [Double](repeating: 0, count: d.dstCount)
    ref_avg_pool2d_forward(&reference, src, &expected)
    let dst = random.guarded(d.dstCount)
    #expect(oct_avg_pool2d_forward(&d, src, dst.pointer, 2) == OCT_OK)
    expectAgreement(dst, expected)

    var expectedDiff = [Double](repeating: 0, count: d.srcCount)
    ref_avg_pool2d_backward(&reference, diffDst, &expectedDiff)
    for accumulate in [true, false] {
      let diffSrc = random.guarded(d.srcCount)
      #expect(oct_avg_pool2d_backward(&d, diffDst, diffSrc.pointer, accumulate, 2) == OCT_OK)
      expectAgreement(diffSrc, expectedDiff, accumulating: accumulate)
      if !accumulate { expectAdjoint(y: diffDst, forward: dst.values, x: src, backward: diffSrc.values) }
    }
  }

  @Test(arguments: PoolCase.large)
  func sameBitsForAnyNumberOfThreads(testCase: PoolCase) {
    var d = testCase.descriptor
    expectSameBits { threads in
      var random = TestRandom(seed: 2)
      let dst = random.guarded(d.dstCount), diffSrc = random.guarded(d.srcCount)
      _ = oct_avg_pool2d_forward(&d, random.floats(d.srcCount), dst.pointer, threads)
      _ = oct_avg_pool2d_backward(&d, random.floats(d.dstCount), diffSrc.pointer, true, threads)
      return [dst.values, diffSrc.values]
    }
  }

  @Test func invalidDescriptorsAreRejected() {
    let good = PoolCase().descriptor
    let fields: [WritableKeyPath<oct_pool2d_desc, Int>] = [
      \.n, \.ih, \.iw, \.c, \.oh, \.ow, \.kh, \.kw, \.sh, \.sw, \.ph, \.pw,
    ]
    var broken = fields.map { altered(good, $0, -1) }
    broken += fields[6...9].map { altered(good, $0, 0) }
    // Windows that lie wholly in the padding or behind the map, and sizes that overflow.
    broken += [
      altered(good, \.ph, 2), altered(good, \.pw, 2), altered(good, \.oh, 4), altered(good, \.ow, 4),
      altered(good, \.ih, 0), altered(good, \.n, .max / 2), altered(good, \.oh, .max),
    ]
    let memory = Guarded(count: 1, filledWith: [7])
    for var d in broken {
      #expect(oct_pool2d_check(&d) == OCT_INVALID_DESCRIPTOR, "\(d)")
      #expect(oct_avg_pool2d_forward(&d, [0], memory.pointer, 1) == OCT_INVALID_DESCRIPTOR)
      #expect(oct_avg_pool2d_backward(&d, [0], memory.pointer, false, 1) == OCT_INVALID_DESCRIPTOR)
      #expect(oct_max_pool2d_forward(&d, [0], memory.pointer, nil, 1) == OCT_INVALID_DESCRIPTOR)
      #expect(oct_max_pool2d_backward(&d, [0], [0], memory.pointer, false, 1) == OCT_INVALID_DESCRIPTOR)
    }
    #expect(memory.values == [7] && memory.isIntact)
  }

  @Test func nothingToDoIsFine() {
    let memory = Guarded(count: 1, filledWith: [7])
    for var d in [altered(PoolCase().descriptor, \.n, 0), altered(PoolCase().descriptor, \.c, 0)] {
      #expect(oct_avg_pool2d_forward(&d, [0], memory.pointer, 2) == OCT_OK)
      #expect(oct_max_pool2d_backward(&d, [0], [0], memory.pointer, false, 2) == OCT_OK)
    }
    #expect(memory.values == [7] && memory.isIntact)
  }
}

@Suite struct MaxPoolingTests {
  /// Few distinct values, so that windows have ties.
  private func coarse(_ values: [Float]) -> [Float] { values.map { ($0 * 3).rounded() } }

  @Test(arguments: PoolCase.all)
  func agreesWithPlainLoops(testCase: PoolCase) {
    var d = testCase.descriptor, reference = d.reference
    var random = TestRandom(seed: 3)
    let src = coarse(random.floats(d.srcCount)), diffDst = random.floats(d.dstCount)

    var expected = [Double](repeating: 0, count: d.dstCount)
    var winners = [Int32](repeating: -1, count: d.dstCount), argmax = winners
    ref_max_pool2d_forward(&reference, src, &expected, &winners)
    let dst = random.guarded(d.dstCount)
    #expect(oct_max_pool2d_forward(&d, src, dst.pointer, &argmax, 2) == OCT_OK)
    #expect(dst.values.map(Double.init) == expected)
    #expect(argmax == winners)
    let unrecorded = random.guarded(d.dstCount)
    #expect(oct_max_pool2d_forward(&d, src, unrecorded.pointer, nil, 2) == OCT_OK)
    #expect(unrecorded.values == dst.values && unrecorded.isIntact && dst.isIntact)

    var expectedDiff = [Double](repeating: 0, count: d.srcCount)
    ref_max_pool2d_backward(&reference, src, diffDst, &expectedDiff)
    for accumulate in [true, false] {
      let diffSrc = random.guarded(d.srcCount)
      #expect(oct_max_pool2d_backward(&d, diffDst, argmax, diffSrc.pointer, accumulate, 2) == OCT_OK)
      expectAgreement(diffSrc, expectedDiff, accumulating: accumulate)
    }
  }

  /// A window's last NaN wins, −∞ can win only against itself: as in PyTorch.
  @Test(arguments: [1, 4, 17])
  func infinitiesAndNaN(channels: Int) {
    var d = PoolCase(n: 1, ih: 2, iw: 6, c: channels).descriptor
    let windows: [[Float]] = [
      [1, .nan, 5, 2], [.nan, .nan, 5, 2], [-.infinity, -.infinity, -.infinity, -.infinity],
    ]
    var src = [Float](repeating: 0, count: d.srcCount)
    for (w, window) in windows.enumerated() {
      for (tap, value) in window.enumerated() {
        for c in 0..<channels { src[((tap / 2) * 6 + 2 * w + tap % 2) * channels + c] = value }
      }
    }
    var dst = [Float](repeating: 0, count: d.dstCount)
    var argmax = [Int32](repeating: -1, count: d.dstCount)
    #expect(oct_max_pool2d_forward(&d, src, &dst, &argmax, 1) == OCT_OK)
    for c in 0..<channels {
      #expect(dst[c].isNaN && dst[channels + c].isNaN && dst[2 * channels + c] == -.infinity)
      #expect([argmax[c], argmax[channels + c], argmax[2 * channels + c]] == [1, 1, 0])
    }
  }

  @Test(arguments: PoolCase.large)
  func sameBitsForAnyNumberOfThreads(testCase: PoolCase) {
    var d = testCase.descriptor
    expectSameBits { threads in
      var random = TestRandom(seed: 4)
      let dst = random.guarded(d.dstCount), diffSrc = random.guarded(d.srcCount)
      var argmax = [Int32](repeating: -1, count: d.dstCount)
      _ = oct_max_pool2d_forward(&d, random.floats(d.srcCount), dst.pointer, &argmax, threads)
      _ = oct_max_pool2d_backward(&d, random.floats(d.dstCount), argmax, diffSrc.pointer, true, threads)
      return [dst.values, diffSrc.values, argmax.map(Float.init)]
    }
  }
}

@Suite struct GlobalAveragePoolingTests {
  static let sizes: [(n: Int, pixels: Int, c: Int)] =
    channelCounts.map { (2, 6, $0) } + [
      (1, 1, 1), (1, 49, 2048), (100, 1, 300), (3, 1000, 7), (1, 9000, 3), (2, 129, 257),
    ]

  @Test(arguments: sizes)
  func agreesWithPlainLoops(n: Int, pixels: Int, c: Int) {
    var random = TestRandom(seed: 5)
    let src = random.floats(n * pixels * c), diffDst = random.floats(n * c)
    var expected = [Double](repeating: 0, count: n * c)
    ref_global_avg_pool_forward(n, pixels, c, src, &expected)
    let dst = random.guarded(n * c)
    #expect(oct_global_avg_pool_forward(n, pixels, c, src, dst.pointer, 2) == OCT_OK)
    expectAgreement(dst, expected, tolerance: 3e-6)

    var expectedDiff = [Double](repeating: 0, count: n * pixels * c)
    ref_global_avg_pool_backward(n, pixels, c, diffDst, &expectedDiff)
    for accumulate in [true, false] {
      let diffSrc = random.guarded(n * pixels * c)
      #expect(oct_global_avg_pool_backward(n, pixels, c, diffDst, diffSrc.pointer, accumulate, 2) == OCT_OK)
      expectAgreement(diffSrc, expectedDiff, accumulating: accumulate)
      if !accumulate { expectAdjoint(y: diffDst, forward: dst.values, x: src, backward: diffSrc.values) }
    }
  }

  @Test func sameBitsForAnyNumberOfThreads() {
    for (n, pixels, c) in [(1, 3000, 20), (7, 49, 65), (2, 1, 9000)] {
      expectSameBits { threads in
        var random = TestRandom(seed: 6)
        let dst = random.guarded(n * c), diffSrc = random.guarded(n * pixels * c)
        _ = oct_global_avg_pool_forward(n, pixels, c, random.floats(n * pixels * c), dst.pointer, threads)
        _ = oct_global_avg_pool_backward(n, pixels, c, random.floats(n * c), diffSrc.pointer, true, threads)
        return [dst.values, diffSrc.values]
      }
    }
  }

  @Test func invalidSizesAreRejected() {
    var memory: [Float] = [7]
    for (n, pixels, c) in [(-1, 4, 4), (2, -4, 4), (2, 4, -4), (2, 0, 4), (.max / 2, 4, 4)] {
      #expect(oct_global_avg_pool_forward(n, pixels, c, [0], &memory, 1) == OCT_INVALID_DESCRIPTOR)
    }
    #expect(oct_global_avg_pool_backward(-1, 4, 4, [0], &memory, false, 1) == OCT_INVALID_DESCRIPTOR)
    #expect(oct_global_avg_pool_forward(0, 0, 4, [0], &memory, 1) == OCT_OK)
    #expect(oct_global_avg_pool_backward(2, 0, 4, [0], &memory, false, 1) == OCT_OK)
    #expect(memory == [7])
  }
}
