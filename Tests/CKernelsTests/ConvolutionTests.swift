import CKernels
import CReference
import Testing

/// Every pass against plain loops in double precision, with guard values around all that is written and scratch of
/// exactly the stated size.
@Suite struct ConvolutionTests {
  struct Case: CustomStringConvertible, Sendable {
    var n = 2, ih = 5, iw = 6, ic = 3, oc = 4, kh = 3, kw = 3, stride = 1, ph = 1, pw = 1, groups = 1
    var direct = false

    var descriptor: oct_conv2d_desc {
      oct_conv2d_desc(
        n: n, ih: ih, iw: iw, ic: ic, oh: (ih + 2 * ph - kh) / stride + 1,
        ow: (iw + 2 * pw - kw) / stride + 1,
        oc: oc, kh: kh, kw: kw, sh: stride, sw: stride, ph: ph, pw: pw, g: groups, direct: direct)
    }
    var description: String {
      "n\(n) \(ih)×\(iw)×\(ic) → \(oc), \(kh)×\(kw) stride \(stride) padding \(ph),\(pw) groups \(groups)"
    }
  }

  /// Channels beside the vector and block widths, one-pixel maps, batch 1, odd sizes, every tap outside for some pixel.
  static let cases: [Case] = {
    var cases: [Case] = []
    for channels in [1, 3, 8, 15, 16, 17, 33, 56, 63, 64, 65, 100] {
      cases.append(Case(ic: channels, oc: 20))
      cases.append(Case(n: 1, ic: 20, oc: channels, kh: 1, kw: 1, ph: 0, pw: 0))
      cases.append(Case(n: 3, ih: 2, iw: 2, ic: channels, oc: channels))
    }
    for kernel in [1, 2, 3, 5, 7] {
      for stride in [1, 2, 3] {
        cases.append(
          Case(ih: 9, iw: 7, kh: kernel, kw: kernel, stride: stride, ph: kernel / 2, pw: kernel / 2))
        cases.append(Case(ih: 8, iw: 7, kh: kernel, kw: kernel, stride: stride, ph: 0, pw: 0))
      }
    }
    cases.append(Case(n: 5, ih: 1, iw: 1, ic: 40, oc: 70))
    cases.append(Case(n: 1, ih: 1, iw: 1, ic: 1, oc: 1))
    cases.append(Case(n: 17, ih: 4, iw: 4, ic: 8, oc: 8))
    cases.append(Case(ih: 11, iw: 3, kh: 5, kw: 1, ph: 4, pw: 0))
    cases.append(Case(ih: 3, iw: 11, kh: 1, kw: 4, stride: 2, ph: 0, pw: 3))
    cases.append(Case(n: 1, ih: 33, iw: 35, ic: 3, oc: 64, kh: 7, kw: 7, stride: 2, ph: 3, pw: 3))
    // Long reductions are cut in groups that continue from dst.
    cases.append(Case(n: 1, ih: 4, iw: 3, ic: 700, oc: 66))
    cases.append(Case(n: 1, ih: 3, iw: 4, ic: 18, oc: 1100, kh: 1, kw: 1, ph: 0, pw: 0))
    // Enough pixels for several parts and chunks.
    cases.append(Case(n: 7, ih: 20, iw: 19, ic: 6, oc: 18))
    for groups in [2, 3] {
      cases.append(Case(ic: 6 * groups, oc: 5 * groups, groups: groups))
      cases.append(Case(ih: 7, iw: 7, ic: 20 * groups, oc: 70 * groups, stride: 2, groups: groups))
    }
    for channels in [2, 8, 17, 40] {
      cases.append(Case(ih: 7, iw: 6, ic: channels, oc: channels, groups: channels))
      cases.append(Case(ih: 7, iw: 6, ic: channels, oc: channels, stride: 2, groups: channels))
    }
    return cases + winogradCases + tapCases + packedCases + GroupedConvolutionTests.cases
  }()

  /// Whose weights' gradient may come from packed pixels: several blocks, pixels a page apart, tiles and panels that are not
  /// full, strides, groups, and more pixels than a chunk has.
  static let packedCases: [Case] = [
    Case(n: 3, ih: 12, iw: 11, ic: 64, oc: 200, kh: 1, kw: 1, ph: 0, pw: 0),
    Case(n: 2, ih: 15, iw: 9, ic: 37, oc: 137, kh: 1, kw: 1, ph: 0, pw: 0),
    Case(n: 1, ih: 5, iw: 4, ic: 1024, oc: 20, kh: 1, kw: 1, ph: 0, pw: 0),
    Case(n: 2, ih: 17, iw: 18, ic: 53, oc: 190, kh: 1, kw: 1, stride: 2, ph: 0, pw: 0),
    Case(n: 2, ih: 11, iw: 13, ic: 2 * 21, oc: 2 * 150, kh: 1, kw: 1, ph: 0, pw: 0, groups: 2),
    Case(n: 1, ih: 1, iw: 1, ic: 5, oc: 260, kh: 1, kw: 1, ph: 0, pw: 0),
  ]

  /// Few pixels and large weights: one thread goes tap by tap, more of them only in blocks that they do not share.
  static let tapCases: [Case] = [
    Case(n: 2, ih: 7, iw: 7, ic: 130, oc: 128),
    Case(n: 3, ih: 5, iw: 3, ic: 200, oc: 200, stride: 2),
    Case(n: 2, ih: 1, iw: 4, ic: 128, oc: 120),
    Case(n: 3, ih: 2, iw: 2, ic: 224, oc: 224),
    Case(n: 2, ih: 3, iw: 2, ic: 1100, oc: 1028),
    Case(n: 2, ih: 4, iw: 5, ic: 90, oc: 128, kh: 5, kw: 2, ph: 4, pw: 0),
  ]

  /// Shapes that Winograd's algorithm takes in every pass: odd maps whose last tiles reach past them, every padding,
  /// channels beside the vector and block widths, and more tiles than a chunk and a part have.
  static let winogradCases: [Case] = [
    Case(n: 3, ih: 13, iw: 14, ic: 36, oc: 65),
    Case(n: 4, ih: 12, iw: 11, ic: 65, oc: 36),
    Case(n: 5, ih: 20, iw: 19, ic: 40, oc: 56),
    Case(n: 2, ih: 11, iw: 12, ic: 130, oc: 200),
    Case(n: 3, ih: 13, iw: 16, ic: 64, oc: 64, ph: 0, pw: 2),
    Case(n: 3, ih: 28, iw: 29, ic: 48, oc: 64, ph: 3, pw: 2),
    Case(n: 33, ih: 4, iw: 4, ic: 128, oc: 128),
    Case(n: 1, ih: 21, iw: 40, ic: 33, oc: 96),
    Case(n: 12, ih: 8, iw: 8, ic: 64, oc: 64),
    Case(n: 1, ih: 15, iw: 28, ic: 45, oc: 100, ph: 0, pw: 0),
    Case(n: 4, ih: 10, iw: 21, ic: 130, oc: 48),
  ]

  @Test(arguments: winogradCases)
  func winogradIsAnotherAlgorithmForTheSameSums(testCase: Case) throws {
    var other = testCase
    other.direct = true
    let winograd = try ConvolutionPasses(testCase.descriptor, accumulate: true, threads: 2)
    let direct = try ConvolutionPasses(other.descriptor, accumulate: true, threads: 2)
    for (a, b) in [
      (winograd.dst, direct.dst), (winograd.diffSrc, direct.diffSrc),
      (winograd.diffWeights, direct.diffWeights),
    ] {
      let differs = a.values != b.values
      #expect(differs)
      #expect(normalizedError(a.values, b.values.map(Double.init)) < 2e-6)
    }
  }

  /// Where the weights' transform is part of the pass, it has to pay for the images there are.
  @Test func fewImagesTakeTheDirectSum() throws {
    let testCase = Case(n: 1, ih: 8, iw: 8, ic: 128, oc: 128)
    var other = testCase
    other.direct = true
    let automatic = try ConvolutionPasses(testCase.descriptor, accumulate: false, threads: 2)
    let direct = try ConvolutionPasses(other.descriptor, accumulate: false, threads: 2)
    #expect(automatic.dst.values == direct.dst.values)
    #expect(automatic.diffSrc.values == direct.diffSrc.values)
    #expect(automatic.diffWeights.values == direct.diffWeights.values)
    var one = testCase.descriptor
    var many = Case(n: 33, ih: 8, iw: 8, ic: 128, oc: 128).descriptor
    // Weights that one small image reads take tiles of 2 × 2, which have fewer elements.
    #expect(oct_conv2d_transformed_count(&one) > 16 * 128 * 128)
    #expect(oct_conv2d_transformed_count(&one) < 17 * 128 * 128)
    #expect(oct_conv2d_transformed_count(&many) > 36 * 128 * 128)
    // Large weights that one small image reads are better few than transformed.
    var smallOne = Case(n: 1, ih: 7, iw: 7, ic: 512, oc: 512).descriptor
    var smallMany = Case(n: 4, ih: 7, iw: 7, ic: 512, oc: 512).descriptor
    #expect(oct_conv2d_transformed_count(&smallOne) == 0)
    #expect(oct_conv2d_transformed_count(&smallMany) > 0)
    // A plan for many images is enough for few.
    for threads in [1, 2, 5] as [Int32] {
      #expect(
        oct_conv2d_forward_scratch_bytes(&one, threads) <= oct_conv2d_forward_scratch_bytes(&many, threads))
      #expect(
        oct_conv2d_backward_data_scratch_bytes(&one, threads)
          <= oct_conv2d_backward_data_scratch_bytes(&many, threads))
      #expect(
        oct_conv2d_backward_weights_scratch_bytes(&one, threads)
          <= oct_conv2d_backward_weights_scratch_bytes(&many, threads))
    }
  }

  @Test(arguments: cases)
  func agreesWithPlainLoops(testCase: Case) throws {
    for accumulate in [false, true] {
      try verify(testCase.descriptor, accumulate: accumulate, threads: 2)
    }
  }

  /// The shapes that speed is measured on, with few images.
  @Test func benchmarkShapes() throws {
    var count = 0
    let shapes = UnsafeBufferPointer(start: oct_conv2d_benchmark_shapes(&count), count: count)
    #expect(count == 33)
    for shape in shapes {
      // The oracle is slow: keep the channels' structure and a strip of the map.
      let size = min(shape.ih, 4)
      let testCase = Case(
        n: 1, ih: size, iw: size, ic: min(shape.ic, 520), oc: min(shape.oc, shape.g > 1 ? 520 : 260),
        kh: shape.kh,
        kw: shape.kw, ph: shape.ph, pw: shape.pw, groups: shape.g)
      try verify(testCase.descriptor, accumulate: false, threads: 2)
    }
  }

  @Test(arguments: cases.filter { $0.n > 1 })
  func sameBitsForAnyNumberOfThreads(testCase: Case) throws {
    let one = try ConvolutionPasses(testCase.descriptor, accumulate: true, threads: 1)
    for threads in [2, 3, 5] {
      let other = try ConvolutionPasses(testCase.descriptor, accumulate: true, threads: threads)
      #expect(one.dst.values == other.dst.values)
      #expect(one.diffSrc.values == other.diffSrc.values)
      #expect(one.diffWeights.values == other.diffWeights.values)
    }
  }

  /// ⟨y, Ax⟩ = ⟨Aᵀy, x⟩ in both the map and the weights.
  @Test(arguments: cases)
  func passesAreAdjoint(testCase: Case) throws {
    let p = try ConvolutionPasses(testCase.descriptor, accumulate: false, threads: 2, withBias: false)
    func dot(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).map { Double($0) * Double($1) }.reduce(0, +) }
    let forward = dot(p.diffDst, p.dst.values)
    let scale = (dot(p.diffDst, p.diffDst) * dot(p.dst.values, p.dst.values)).squareRoot() + 1e-6
    #expect(abs(forward - dot(p.diffSrc.values, p.src)) < 1e-5 * scale)
    #expect(abs(forward - dot(p.diffWeights.values, p.blockedWeights)) < 1e-5 * scale)
  }

  /// A map larger than any cache is written past them where its lines are aligned. Elsewhere it is not, so the two
  /// differ only in the way of their stores.
  @Test func streamedMapsHaveTheBitsOfOthers() throws {
    var wide = Case(n: 1, ih: 383, iw: 381, ic: 5, oc: 64, ph: 1, pw: 1).descriptor
    var winograd = Case(n: 1, ih: 383, iw: 381, ic: 40, oc: 64, ph: 1, pw: 1).descriptor
    #expect(oct_conv2d_transformed_count(&winograd) > 0)
    var narrow = Case(n: 1, ih: 383, iw: 381, ic: 64, oc: 5, kh: 1, kw: 1, ph: 0, pw: 0).descriptor
    let count = 383 * 381 * 64
    var random = TestRandom(seed: 5)
    let src = random.floats(383 * 381 * 5)
    let deepSrc = Array(repeatElement(src, count: 8).joined())
    let deepWeights = winograd.pack(random.floats(64 * 40 * 9))
    let weights = wide.pack(random.floats(64 * 5 * 9))
    let transposed = narrow.pack(random.floats(64 * 5))
    let memory = UnsafeMutableRawPointer.allocate(byteCount: (count + 16) * 4, alignment: 64)
    defer { memory.deallocate() }
    var results: [[[Float]]] = []
    for offset in [0, 3] {
      let map = memory.assumingMemoryBound(to: Float.self) + offset
      let scratch = GuardedBytes(count: oct_conv2d_forward_scratch_bytes(&wide, 2))
      #expect(oct_conv2d_forward(&wide, src, weights, nil, map, false, scratch.pointer, 2) == OCT_OK)
      let forward = Array(UnsafeBufferPointer(start: map, count: count))
      let data = GuardedBytes(count: oct_conv2d_backward_data_scratch_bytes(&narrow, 2))
      #expect(oct_conv2d_backward_data(&narrow, src, transposed, map, false, data.pointer, 2) == OCT_OK)
      let backward = Array(UnsafeBufferPointer(start: map, count: count))
      let tiles = GuardedBytes(count: oct_conv2d_forward_scratch_bytes(&winograd, 2))
      #expect(
        oct_conv2d_forward(&winograd, deepSrc, deepWeights, nil, map, false, tiles.pointer, 2) == OCT_OK)
      results.append([forward, backward, Array(UnsafeBufferPointer(start: map, count: count))])
    }
    #expect(results[0] == results[1])
    #expect(results[0][0] != results[0][1])
    #expect(results[0][1] != results[0][2])
  }

  private enum Algorithm { case rectangles, taps, winograd }

  /// Every combination of the epilogue's parts, and all of them with every activation, on direct sums of one group and of several (700 channels), on one that
  /// goes tap by tap, and on one of Winograd's algorithm, with weights that come transformed and with weights that do not.
  @Test(arguments: Array(0..<16) + (0..<ActivationTests.cases.count).map { 16 + 8 * $0 + 7 })
  func severalSourcesAnUpsampledMapAndAnEpilogueAreOneSum(parts: Int) throws {
    let (hasScale, hasBias, hasResidual) = (parts & 1 != 0, parts & 2 != 0, parts & 4 != 0)
    let activation =
      parts < 16
      ? ActivationTests.Case(kind: parts & 8 == 0 ? OCT_IDENTITY : OCT_RELU)
      : ActivationTests.cases[parts / 8 - 2]
    for (ih, iw, inputs, channels, algorithm) in [
      (5, 7, 9, 20, .rectangles), (4, 4, 9, 64, .rectangles), (1, 1, 9, 3, .rectangles),
      (9, 2, 700, 70, .rectangles), (7, 5, 160, 190, .taps), (13, 14, 36, 65, .winograd),
    ] as [(Int, Int, Int, Int, Algorithm)] {
      let winograd = algorithm == .winograd
      let a = Case(n: 2, ih: ih, iw: iw, ic: inputs, oc: channels).descriptor
      let other: Case =
        switch algorithm {
        case .rectangles: Case(n: 2, ih: ih, iw: iw, ic: 17, oc: channels, kh: 1, kw: 1, ph: 0, pw: 0)
        case .taps: Case(n: 2, ih: ih, iw: iw, ic: 65, oc: channels)
        case .winograd: Case(n: 2, ih: ih, iw: iw, ic: 40, oc: channels)
        }
      let b = other.descriptor
      let low = ((ih + 1) / 2, (iw + 1) / 2)
      var random = TestRandom(seed: 3)
      let sources = [a, b].map {
        (random.floats($0.n * $0.ih * $0.iw * $0.ic), random.floats($0.oc * $0.ic * $0.kh * $0.kw))
      }
      let lowMap = random.floats(2 * low.0 * low.1 * channels)
      let (scale, bias) = (random.floats(channels), random.floats(channels))
      let residual = random.floats(2 * ih * iw * channels)
      var expected = [Double](repeating: 0, count: 2 * ih * iw * channels)
      for (index, descriptor) in [a, b].enumerated() {
        var sum = expected
        var reference = descriptor.reference
        ref_conv2d_forward(&reference, sources[index].0, sources[index].1, nil, &sum)
        for i in sum.indices { expected[i] += sum[i] }
      }
      for i in expected.indices {
        let (pixel, c) = (i / channels, i % channels)
        let (x, y, n) = (pixel % iw, pixel / iw % ih, pixel / iw / ih)
        expected[i] += Double(lowMap[((n * low.0 + y / 2) * low.1 + x / 2) * channels + c])
        if hasScale { expected[i] *= Double(scale[c]) }
        if hasBias { expected[i] += Double(bias[c]) }
        if hasResidual { expected[i] += Double(residual[i]) }
      }
      // Functions that saturate leave less than the sums whose rounding they pass on.
      let sums = expected
      expected = sums.map { activation.reference($0).value }
      func norm(_ x: [Double]) -> Double { x.reduce(0) { $0 + $1 * $1 }.squareRoot() }
      let tolerance = 2e-6 * max(1, norm(sums) / norm(expected))
      let dst = Guarded(count: expected.count, filledWith: random.floats(expected.count))
      var descriptors = [a, b]
      let weights = zip(descriptors, sources).map { $0.0.pack($0.1.1) }
      descriptors.withUnsafeMutableBufferPointer { d in
        weights[0].withUnsafeBufferPointer { w0 in
          weights[1].withUnsafeBufferPointer { w1 in
            sources[0].0.withUnsafeBufferPointer { s0 in
              sources[1].0.withUnsafeBufferPointer { s1 in
                guard let first = d.baseAddress else { return }
                var list = [
                  oct_conv2d_source(
                    desc: first, src: s0.baseAddress, weights: w0.baseAddress, transformed: nil),
                  oct_conv2d_source(
                    desc: first + 1, src: s1.baseAddress, weights: w1.baseAddress, transformed: nil),
                ]
                let scratch = GuardedBytes(count: oct_conv2d_forward_sources_scratch_bytes(list, 2, 3))
                scale.withUnsafeBufferPointer { scale in
                  bias.withUnsafeBufferPointer { bias in
                    residual.withUnsafeBufferPointer { residual in
                      var epilogue = oct_conv2d_epilogue(
                        scale: hasScale ? scale.baseAddress : nil, bias: hasBias ? bias.baseAddress : nil,
                        residual: hasResidual ? residual.baseAddress : nil,
                        activation: activation.activation)
                      #expect(
                        oct_conv2d_forward_sources(
                          list, 2, lowMap, low.0, low.1, &epilogue, dst.pointer, scratch.pointer, 3) == OCT_OK
                      )
                      #expect((oct_conv2d_transformed_count(first) > 0) == winograd)
                      guard winograd else { return }
                      let written = dst.values
                      let transformed = (0..<2).map { index in
                        let count = oct_conv2d_transformed_count(first + index)
                        let weights = Guarded(count: count, filledWith: random.floats(count))
                        oct_conv2d_transform_weights(first + index, list[index].weights, weights.pointer, 2)
                        #expect(weights.isIntact)
                        return weights
                      }
                      for index in 0..<2 {
                        list[index].transformed = UnsafePointer(transformed[index].pointer)
                      }
                      #expect(
                        oct_conv2d_forward_sources(
                          list, 2, lowMap, low.0, low.1, &epilogue, dst.pointer, scratch.pointer, 3) == OCT_OK
                      )
                      #expect(dst.values == written)
                      withExtendedLifetime(transformed) {}
                    }
                  }
                }
                #expect(scratch.isIntact)
              }
            }
          }
        }
      }
      #expect(dst.isIntact)
      #expect(normalizedError(dst.values, expected) < tolerance)
    }
  }

  @Test func refusesDescriptorsThatDoNotFit() {
    func refuses(_ change: (inout oct_conv2d_desc) -> Void) -> Bool {
      var descriptor = Case(ic: 6, oc: 6).descriptor
      change(&descriptor)
      return oct_conv2d_check(&descriptor) == OCT_INVALID_DESCRIPTOR
    }
    #expect(!refuses { _ in })
    #expect(refuses { $0.n = 0 })
    #expect(refuses { $0.oh += 1 })
    #expect(refuses { $0.g = 4 })
    #expect(refuses { $0.ph = -1 })
    #expect(refuses { $0.sw = 0 })
    #expect(refuses { $0.ic = -6 })
    #expect(refuses { $0.ih = 1 << 40 })
  }

  private func verify(_ descriptor: oct_conv2d_desc, accumulate: Bool, threads: Int) throws {
    let p = try ConvolutionPasses(descriptor, accumulate: accumulate, threads: threads)
    var reference = descriptor.reference
    func expected(_ start: [Float], _ body: (inout [Double]) -> Void) -> [Double] {
      var sum = [Double](repeating: 0, count: start.count)
      body(&sum)
      return accumulate ? zip(sum, start).map { $0 + Double($1) } : sum
    }
    let dst = expected(p.dst.start) { ref_conv2d_forward(&reference, p.src, p.weights, p.bias, &$0) }
    let diffSrc = expected(p.diffSrc.start) {
      ref_conv2d_backward_data(&reference, p.diffDst, p.weights, &$0)
    }
    let diffWeights = expected(descriptor.unpack(p.diffWeights.start)) {
      ref_conv2d_backward_weights(&reference, p.src, p.diffDst, &$0)
    }
    // Measured below 4e-7; a lost or doubled term is above 1e-3 in the smallest of these sums.
    #expect(normalizedError(p.dst.values, dst) < 2e-6)
    #expect(normalizedError(p.diffSrc.values, diffSrc) < 2e-6)
    #expect(normalizedError(descriptor.unpack(p.diffWeights.values), diffWeights) < 2e-6)
    // Padding of the blocked layout stays zero.
    #expect(descriptor.pack(descriptor.unpack(p.diffWeights.values)) == p.diffWeights.values)
    #expect(p.isIntact)
  }
}
