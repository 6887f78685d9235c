import CKernels
import CReference
import Testing

@Suite struct ActivationTests {
  struct Case: CustomStringConvertible, Sendable {
    var kind: oct_activation_kind
    var low: Float = 0, high: Float = 0

    var activation: oct_activation { oct_activation(kind: kind, low: low, high: high) }
    var description: String { "kind \(kind.rawValue) \(low) \(high)" }

    func reference(_ x: Float) -> (value: Double, slope: Double) { reference(Double(x)) }
    func reference(_ x: Double) -> (value: Double, slope: Double) {
      var slope = 0.0
      let value = ref_activation(Int32(kind.rawValue), Double(low), Double(high), x, &slope)
      return (value, slope)
    }
  }

  static let cases = [
    Case(kind: OCT_RELU), Case(kind: OCT_CLAMP, low: 0, high: 6), Case(kind: OCT_CLAMP, low: -0.5, high: 0.7),
    Case(kind: OCT_LEAKY_RELU, low: 0.01), Case(kind: OCT_LEAKY_RELU, low: 0.3), Case(kind: OCT_SIGMOID),
    Case(kind: OCT_SILU), Case(kind: OCT_GELU),
  ]

  /// Lengths at and beside vectors, and one that a team of threads shares.
  static let lengths = [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100, 20_011]

  @Test(arguments: cases, lengths)
  func agreesWithTheFormula(testCase k: Case, count: Int) {
    var random = TestRandom(seed: 1)
    let src = random.floats(count).map { 4 * $0 }, diffDst = random.floats(count)
    let dst = random.guarded(count), inPlace = Guarded(count: count, filledWith: src)
    var a = k.activation
    #expect(oct_activation_forward(&a, count, src, dst.pointer, 2) == OCT_OK)
    #expect(oct_activation_forward(&a, count, inPlace.pointer, inPlace.pointer, 2) == OCT_OK)
    expectAgreement(dst, src.map { k.reference($0).value })
    #expect(inPlace.values == dst.values && inPlace.isIntact)

    let kept = oct_activation_keeps_output(k.kind) ? dst.values : src
    let expected = zip(src, diffDst).map { k.reference($0).slope * Double($1) }
    for accumulate in [false, true] {
      let diffSrc = random.guarded(count), overDst = Guarded(count: count, filledWith: diffDst)
      #expect(
        oct_activation_backward(&a, count, kept, diffDst, diffSrc.pointer, accumulate, 2) == OCT_OK)
      expectAgreement(diffSrc, expected, accumulating: accumulate)
      #expect(
        oct_activation_backward(&a, count, kept, overDst.pointer, overDst.pointer, false, 2) == OCT_OK)
      expectAgreement(overDst, expected)
    }
  }

  /// Element by element over the whole range: a norm over all of them would hide the small values.
  @Test(arguments: cases) func everyMagnitude(testCase k: Case) {
    let magnitudes: [Float] = (-30..<10).flatMap { power in
      [1, 1.2, 1.4, 1.7].map { $0 * Float(sign: .plus, exponent: power, significand: 1) }
    }
    let src = magnitudes + magnitudes.map { -$0 } + [0]
    var a = k.activation
    var dst = [Float](repeating: 0, count: src.count), slope = dst
    #expect(oct_activation_forward(&a, src.count, src, &dst, 1) == OCT_OK)
    let kept = oct_activation_keeps_output(k.kind) ? dst : src
    let ones = [Float](repeating: 1, count: src.count)
    #expect(oct_activation_backward(&a, src.count, kept, ones, &slope, false, 1) == OCT_OK)
    for (index, x) in src.enumerated() {
      let expected = k.reference(x)
      // Below 1e-34 the exponential is cut off; a derivative from a rounded output is as exact as that.
      #expect(abs(Double(dst[index]) - expected.value) <= 4e-6 * abs(expected.value) + 1e-34, "f(\(x))")
      #expect(abs(Double(slope[index]) - expected.slope) <= 1e-6, "f′(\(x))")
    }
  }

  @Test(arguments: cases) func sameBitsForAnyNumberOfThreads(testCase k: Case) {
    var random = TestRandom(seed: 2)
    let count = 20_011
    let src = random.floats(count), diffDst = random.floats(count)
    expectSameBits { threads in
      var a = k.activation
      let dst = Guarded(count: count, filledWith: src), diffSrc = Guarded(count: count, filledWith: src)
      _ = oct_activation_forward(&a, count, src, dst.pointer, threads)
      _ = oct_activation_backward(&a, count, src, diffDst, diffSrc.pointer, true, threads)
      return [dst.values, diffSrc.values]
    }
  }

  /// A network that has diverged must not look healthy behind its next activation.
  @Test(arguments: cases) func keepsNaN(testCase k: Case) {
    let src: [Float] = [.nan, -.infinity, .infinity, -0.0] + [Float](repeating: .nan, count: 20)
    var dst = [Float](repeating: 0, count: src.count)
    var a = k.activation
    #expect(oct_activation_forward(&a, src.count, src, &dst, 1) == OCT_OK)
    #expect(dst[0].isNaN && dst[4...].allSatisfy { $0.isNaN })
    if k.kind == OCT_RELU { #expect(dst[1] == 0 && dst[2] == .infinity && dst[3] == 0) }
    if k.kind == OCT_CLAMP { #expect(dst[1] == k.low && dst[2] == k.high) }
    if k.kind == OCT_SIGMOID { #expect(dst[1] < 1e-37 && dst[2] == 1) }
  }

  @Test func theIdentityChangesNothing() {
    let src: [Float] = [.nan, -.infinity, -0.0, 3]
    var dst = [Float](repeating: 7, count: 4), gradient = dst
    var a = oct_activation()
    #expect(a.kind == OCT_IDENTITY)
    #expect(oct_activation_forward(&a, 4, src, &dst, 1) == OCT_OK)
    #expect(oct_activation_backward(&a, 4, src, [1, 2, 3, 4], &gradient, false, 1) == OCT_OK)
    #expect(dst.map(\.bitPattern) == src.map(\.bitPattern) && gradient == [1, 2, 3, 4])
  }

  static let rows = [0, 1, 3, 4, 5, 127, 128, 133, 1100]

  /// The gradients of a bias and of its sum in one pass have the bits of two.
  @Test(arguments: cases.filter { oct_activation_keeps_output($0.kind) }, rows)
  func biasAndActivationInOnePass(testCase k: Case, rows: Int) {
    for c in channelCounts + [300] {
      var random = TestRandom(seed: 3)
      var a = k.activation
      let dst = random.floats(rows * c), diffDst = random.floats(rows * c)
      let scratch = GuardedBytes(count: oct_bias_backward_scratch_bytes(rows, c))
      let expected = random.guarded(rows * c), expectedBias = random.guarded(c)
      #expect(oct_activation_backward(&a, rows * c, dst, diffDst, expected.pointer, false, 2) == OCT_OK)
      #expect(
        oct_bias_backward(rows, c, expected.pointer, expectedBias.pointer, scratch.pointer, 2) == OCT_OK)
      let diff = Guarded(count: rows * c, filledWith: diffDst), bias = random.guarded(c)
      #expect(
        oct_bias_activation_backward(&a, rows, c, dst, diff.pointer, bias.pointer, scratch.pointer, 2)
          == OCT_OK)
      #expect(diff.values == expected.values && bias.values == expectedBias.values)
      #expect(diff.isIntact && bias.isIntact && scratch.isIntact)
    }
  }

  @Test func wrongDescriptionsAreRefused() {
    var memory: [Float] = [7]
    let refused = [
      Case(kind: OCT_CLAMP, low: 1, high: 1), Case(kind: OCT_CLAMP, low: .nan, high: 1),
      Case(kind: OCT_LEAKY_RELU, low: 0), Case(kind: OCT_LEAKY_RELU, low: .infinity),
      Case(kind: oct_activation_kind(rawValue: 17)),
    ]
    for k in refused {
      var a = k.activation
      #expect(oct_activation_forward(&a, 1, [1], &memory, 1) == OCT_INVALID_DESCRIPTOR)
      #expect(oct_activation_backward(&a, 1, [1], [1], &memory, false, 1) == OCT_INVALID_DESCRIPTOR)
    }
    var relu = oct_activation(kind: OCT_RELU, low: 0, high: 0)
    #expect(oct_activation_forward(&relu, -1, [1], &memory, 1) == OCT_INVALID_DESCRIPTOR)
    #expect(oct_activation_backward(&relu, -1, [1], [1], &memory, false, 1) == OCT_INVALID_DESCRIPTOR)
    for kind in [OCT_SILU, OCT_GELU] {
      var a = oct_activation(kind: kind, low: 0, high: 0), bias: [Float] = [7]
      let scratch = GuardedBytes(count: oct_bias_backward_scratch_bytes(1, 1))
      #expect(
        oct_bias_activation_backward(&a, 1, 1, [1], &memory, &bias, scratch.pointer, 1)
          == OCT_INVALID_DESCRIPTOR)
      #expect(bias == [7])
    }
    #expect(memory == [7])
  }
}
