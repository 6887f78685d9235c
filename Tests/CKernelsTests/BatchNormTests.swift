import CKernels
import CReference
import Testing

@Suite struct BatchNormTests {
  struct Case: CustomStringConvertible, Sendable {
    var rows = 30, c = 8
    var activation = ActivationTests.Case(kind: OCT_IDENTITY)
    var residual = false
    var mean: Float = 0.3

    var description: String { "\(rows)×\(c)\(residual ? " + residual" : "") \(activation)" }
    var count: Int { rows * c }
    var descriptor: oct_batch_norm_desc {
      oct_batch_norm_desc(rows: rows, c: c, epsilon: 1e-5, momentum: 0.1, activation: activation.activation)
    }
    var differentiates: Bool { activation.kind != OCT_IDENTITY }
    var keepsOutput: Bool { oct_activation_keeps_output(activation.kind) }
  }

  private static let relu = ActivationTests.Case(kind: OCT_RELU)

  static let cases: [Case] = {
    var cases: [Case] = []
    for c in channelCounts + [100, 255, 256, 257, 600] {
      for residual in [false, true] {
        cases.append(Case(rows: 37, c: c, activation: relu, residual: residual))
        cases.append(Case(rows: 37, c: c, residual: residual))
      }
    }
    for activation in ActivationTests.cases {
      for (rows, c) in [(37, 1), (37, 7), (40, 16), (131, 33), (1100, 3), (90, 270)] {
        for residual in [false, true] {
          cases.append(Case(rows: rows, c: c, activation: activation, residual: residual))
        }
      }
    }
    // Rows below, at and above a folded row, a block and a part; few rows of many channels.
    for rows in [5, 15, 16, 17, 127, 128, 129, 257, 2100] {
      cases.append(Case(rows: rows, c: 3, activation: relu, residual: true))
      cases.append(Case(rows: rows, c: 20, activation: relu))
    }
    cases.append(Case(rows: 100, c: 2048, activation: relu, residual: true))
    cases.append(Case(rows: 20_000, c: 1))
    return cases
  }()

  /// What every pass reads and writes for one case.
  struct Passes {
    let src, gamma, beta, residual, diffDst: [Float]
    let dst, mean, invStd, shift, runningMean, runningVar, diffSrc, diffResidual, diffGamma, diffBeta: Guarded
    let scratch: GuardedBytes

    init(
      _ k: Case, accumulateSrc: Bool = false, accumulateResidual: Bool = false, wantsSrc: Bool = true,
      threads: Int32 = 2
    ) {
      var random = TestRandom(seed: 1)
      let offset = k.mean
      src = random.floats(k.count).map { $0 + offset }
      gamma = random.floats(k.c).map { $0 + 1.5 }
      beta = random.floats(k.c)
      residual = random.floats(k.count)
      diffDst = random.floats(k.count)
      (dst, diffSrc, diffResidual) = (
        random.guarded(k.count), random.guarded(k.count), random.guarded(k.count)
      )
      (mean, invStd, diffGamma) = (random.guarded(k.c), random.guarded(k.c), random.guarded(k.c))
      shift = random.guarded(k.c)
      (diffBeta, runningMean, runningVar) = (random.guarded(k.c), random.guarded(k.c), random.guarded(k.c))
      var d = k.descriptor
      scratch = GuardedBytes(count: oct_batch_norm_scratch_bytes(&d))
      #expect(
        oct_batch_norm_forward_training(
          &d, src, gamma, beta, k.residual ? residual : nil, runningMean.pointer, runningVar.pointer,
          dst.pointer,
          mean.pointer, invStd.pointer, shift.pointer, scratch.pointer, threads) == OCT_OK)
      #expect(
        oct_batch_norm_backward(
          &d, src, k.differentiates && k.keepsOutput ? dst.pointer : nil, k.residual ? residual : nil,
          diffDst, gamma, mean.pointer, invStd.pointer, shift.pointer,
          wantsSrc ? diffSrc.pointer : nil, accumulateSrc, k.residual ? diffResidual.pointer : nil,
          accumulateResidual,
          diffGamma.pointer,
          diffBeta.pointer, scratch.pointer, threads) == OCT_OK)
    }
  }

  @Test(arguments: cases)
  func trainingAgreesWithPlainLoops(testCase k: Case) {
    let p = Passes(k)
    var mean = [Double](repeating: 0, count: k.c), biased = mean, unbiased = mean
    ref_batch_statistics(k.rows, k.c, p.src, &mean, &biased, &unbiased)
    var dst = [Double](repeating: 0, count: k.count)
    ref_batch_norm_forward(
      k.rows, k.c, p.src, p.gamma, p.beta, mean, biased, 1e-5, k.residual ? p.residual : nil, &dst)
    expectAgreement(p.dst, dst.map { k.activation.reference($0).value }, tolerance: 2e-6)
    expectAgreement(p.mean, mean)
    expectAgreement(p.invStd, biased.map { 1 / ($0 + 1e-5).squareRoot() })
    expectAgreement(p.runningMean, zip(p.runningMean.start, mean).map { 0.9 * Double($0) + 0.1 * $1 })
    expectAgreement(p.runningVar, zip(p.runningVar.start, unbiased).map { 0.9 * Double($0) + 0.1 * $1 })
    #expect(p.scratch.isIntact)
  }

  @Test(arguments: cases, [false, true])
  func backwardAgreesWithPlainLoops(testCase k: Case, accumulate: Bool) {
    // The two sinks take their flags separately.
    for other in [false, true] {
      let p = Passes(k, accumulateSrc: accumulate, accumulateResidual: other)
      var diffSrc = [Double](repeating: 0, count: k.count), diffResidual = diffSrc
      var diffGamma = [Double](repeating: 0, count: k.c), diffBeta = diffGamma
      let slope = slopes(k, p)
      ref_batch_norm_backward(
        k.rows, k.c, p.src, slope, p.diffDst, p.gamma, 1e-5, &diffSrc, &diffResidual,
        &diffGamma, &diffBeta)
      expectAgreement(p.diffSrc, diffSrc, accumulating: accumulate, tolerance: 3e-6)
      expectAgreement(p.diffGamma, diffGamma, tolerance: 2e-6)
      expectAgreement(p.diffBeta, diffBeta, tolerance: 2e-6)
      if k.residual {
        expectAgreement(p.diffResidual, diffResidual, accumulating: other)
      } else {
        #expect(p.diffResidual.values == p.diffResidual.start)
      }
      #expect(p.scratch.isIntact)
    }
  }

  /// f′ at what the activation takes, which a ReLU's sign decides: there it is that of the output.
  private func slopes(_ k: Case, _ p: Passes) -> [Double] {
    if k.activation.kind == OCT_RELU { return p.dst.values.map { $0 > 0 ? 1 : 0 } }
    if k.activation.kind == OCT_CLAMP {
      return p.dst.values.map { $0 > k.activation.low && $0 < k.activation.high ? 1 : 0 }
    }
    var mean = [Double](repeating: 0, count: k.c), biased = mean, unbiased = mean
    ref_batch_statistics(k.rows, k.c, p.src, &mean, &biased, &unbiased)
    var sum = [Double](repeating: 0, count: k.count)
    ref_batch_norm_forward(
      k.rows, k.c, p.src, p.gamma, p.beta, mean, biased, 1e-5, k.residual ? p.residual : nil, &sum)
    return sum.map { k.activation.reference($0).slope }
  }

  /// With constant statistics: every form of both sinks.
  @Test(arguments: cases.filter { $0.keepsOutput && $0.rows < 200 })
  func backwardWithConstantStatisticsAgreesWithPlainLoops(testCase k: Case) {
    var random = TestRandom(seed: 4)
    let dst = random.floats(k.count), diffDst = random.floats(k.count), gamma = random.floats(k.c)
    let variance = random.floats(k.c).map { $0 + 1.1 }
    var a = k.activation.activation, g = [Float](repeating: 0, count: k.count)
    #expect(oct_activation_backward(&a, k.count, dst, diffDst, &g, false, 1) == OCT_OK)
    let diffSrc = random.guarded(k.count), diffResidual = random.guarded(k.count)
    var d = k.descriptor
    #expect(
      oct_batch_norm_backward_inference(
        &d, dst, diffDst, gamma, variance, diffSrc.pointer, true, diffResidual.pointer, false, 2) == OCT_OK)
    let scales = zip(gamma, variance).map { Double($0) / (Double($1) + 1e-5).squareRoot() }
    expectAgreement(
      diffSrc, g.enumerated().map { scales[$0 % k.c] * Double($1) }, accumulating: true, tolerance: 2e-6)
    #expect(diffResidual.values == g)
  }

  /// A gradient of infinity that is masked is gone; one that is not stays what it is.
  @Test func infiniteGradientsOfConstantStatistics() {
    let diffSrc = Guarded(count: 3, filledWith: [7, 7, 7])
    var d = Case(rows: 3, c: 1, activation: Self.relu).descriptor
    #expect(
      oct_batch_norm_backward_inference(
        &d, [0, 2, 1], [.infinity, .infinity, 3], [2], [4], diffSrc.pointer, false, nil, false, 1) == OCT_OK)
    #expect(diffSrc.values[0] == 0 && diffSrc.values[1] == .infinity)
    #expect(abs(diffSrc.values[2] - 3) < 1e-4)
  }

  /// A norm of a network's input: nobody asks for the gradient of an image.
  @Test(arguments: cases, [false, true])
  func theSourceMayHaveNoGradient(testCase k: Case, accumulate: Bool) {
    let whole = Passes(k, accumulateResidual: accumulate)
    let part = Passes(k, accumulateResidual: accumulate, wantsSrc: false)
    #expect(part.diffGamma.values == whole.diffGamma.values)
    #expect(part.diffBeta.values == whole.diffBeta.values)
    #expect(part.diffResidual.values == whole.diffResidual.values)
    #expect(part.diffSrc.values == part.diffSrc.start)
  }

  @Test(arguments: cases)
  func inferenceAgreesWithPlainLoops(testCase k: Case) {
    var random = TestRandom(seed: 2)
    let src = random.floats(k.count), residual = random.floats(k.count)
    let gamma = random.floats(k.c), beta = random.floats(k.c), mean = random.floats(k.c)
    let variance = random.floats(k.c).map { $0 + 1.1 }
    var expected = [Double](repeating: 0, count: k.count)
    ref_batch_norm_forward(
      k.rows, k.c, src, gamma, beta, mean.map(Double.init), variance.map(Double.init), 1e-5,
      k.residual ? residual : nil, &expected)
    let dst = random.guarded(k.count)
    var d = k.descriptor
    #expect(
      oct_batch_norm_forward_inference(
        &d, src, gamma, beta, mean, variance, k.residual ? residual : nil, dst.pointer, 2) == OCT_OK)
    expectAgreement(dst, expected.map { k.activation.reference($0).value })
  }

  @Test(
    arguments: cases.filter { $0.count > 8192 }
      + ActivationTests.cases.map { Case(rows: 900, c: 17, activation: $0, residual: true) })
  func sameBitsForAnyNumberOfThreads(testCase k: Case) {
    expectSameBits { threads in
      let p = Passes(k, accumulateSrc: true, threads: threads)
      return [
        p.dst, p.mean, p.invStd, p.runningMean, p.runningVar, p.diffSrc, p.diffResidual, p.diffGamma,
        p.diffBeta,
      ].map(\.values)
    }
  }

  /// |mean| is ten thousand deviations: sums of squares in single precision would have no digit left.
  @Test(arguments: [1, 3, 16, 65, 300])
  func largeMeans(channels: Int) {
    let k = Case(rows: 700, c: channels, mean: 5000)
    let p = Passes(k)
    var mean = [Double](repeating: 0, count: k.c), biased = mean, unbiased = mean
    ref_batch_statistics(k.rows, k.c, p.src, &mean, &biased, &unbiased)
    var dst = [Double](repeating: 0, count: k.count)
    ref_batch_norm_forward(k.rows, k.c, p.src, p.gamma, p.beta, mean, biased, 1e-5, nil, &dst)
    expectAgreement(p.invStd, biased.map { 1 / ($0 + 1e-5).squareRoot() }, tolerance: 2e-6)
    expectAgreement(p.dst, dst, tolerance: 5e-6)
  }

  /// A first row far from all others is the worst shift the statistics can start from.
  @Test func outlierInTheFirstRow() {
    let rows = 128, c = 20
    var random = TestRandom(seed: 3)
    var src = random.floats(rows * c).map { $0 * 0.01 }
    for k in 0..<c { src[k] = 1000 }
    var mean = [Double](repeating: 0, count: c), biased = mean, unbiased = mean
    ref_batch_statistics(rows, c, src, &mean, &biased, &unbiased)
    let dst = random.guarded(rows * c), saved = random.guarded(c), inverse = random.guarded(c)
    let runningMean = random.guarded(c), runningVar = random.guarded(c)
    // Not in the call itself: what is only asked for its pointer there may be freed before the kernel runs.
    let shift = random.guarded(c)
    var d = Case(rows: rows, c: c).descriptor
    let scratch = GuardedBytes(count: oct_batch_norm_scratch_bytes(&d))
    let ones = [Float](repeating: 1, count: c)
    #expect(
      oct_batch_norm_forward_training(
        &d, src, ones, ones, nil, runningMean.pointer, runningVar.pointer, dst.pointer, saved.pointer,
        inverse.pointer, shift.pointer, scratch.pointer, 2) == OCT_OK)
    #expect(shift.isIntact && scratch.isIntact)
    expectAgreement(inverse, biased.map { 1 / ($0 + 1e-5).squareRoot() }, tolerance: 2e-5)
  }

  /// Without a residual the mask follows from src; and either gradient may overwrite diff_dst. Same bits in every form.
  @Test(arguments: cases.filter(\.differentiates))
  func backwardHasTheSameBitsInPlaceAndWithoutTheOutput(testCase k: Case) {
    let p = Passes(k)
    func gradients(withOutput: Bool, inPlaceOf place: Int?) -> [[Float]] {
      var random = TestRandom(seed: 9)
      let diffDst = Guarded(count: k.count, filledWith: p.diffDst)
      let diffSrc = place == 0 ? diffDst : random.guarded(k.count)
      let diffResidual = place == 1 ? diffDst : random.guarded(k.count)
      let diffGamma = random.guarded(k.c), diffBeta = random.guarded(k.c)
      var d = k.descriptor
      #expect(
        oct_batch_norm_backward(
          &d, p.src, withOutput ? p.dst.pointer : nil, k.residual ? p.residual : nil, diffDst.pointer,
          p.gamma, p.mean.pointer,
          p.invStd.pointer, p.shift.pointer, diffSrc.pointer, false, k.residual ? diffResidual.pointer : nil,
          false, diffGamma.pointer, diffBeta.pointer, p.scratch.pointer, 2) == OCT_OK)
      return [diffSrc.values, diffGamma.values, diffBeta.values] + (k.residual ? [diffResidual.values] : [])
    }
    let plain = gradients(withOutput: true, inPlaceOf: nil)
    #expect(gradients(withOutput: true, inPlaceOf: 0) == plain)
    if k.residual {
      #expect(gradients(withOutput: true, inPlaceOf: 1) == plain)
    }
    if !k.residual || !k.keepsOutput {
      #expect(gradients(withOutput: false, inPlaceOf: nil) == plain)
      #expect(gradients(withOutput: false, inPlaceOf: 0) == plain)
    }
  }

  /// One value has no spread: the output is beta, the biased variance 0 goes into the running one.
  @Test func singleRow() {
    let k = Case(rows: 1, c: 5)
    let p = Passes(k)
    expectAgreement(p.dst, p.beta.map(Double.init))
    expectAgreement(p.runningVar, p.runningVar.start.map { 0.9 * Double($0) })
    #expect(p.diffSrc.values.allSatisfy { abs($0) < 1e-3 })
  }

  @Test func constantChannelsStayFinite() {
    let c = 3, rows = 40
    let dst = Guarded(count: rows * c, filledWith: [Float](repeating: 9, count: rows * c))
    var mean = [Float](repeating: 0, count: c), inverse = mean, shift = mean
    var runningMean = mean, runningVar = mean
    var d = Case(rows: rows, c: c).descriptor
    let scratch = GuardedBytes(count: oct_batch_norm_scratch_bytes(&d))
    let status = oct_batch_norm_forward_training(
      &d, [Float](repeating: 0.1, count: rows * c), [1, 1, 1], [4, 5, 6], nil, &runningMean, &runningVar,
      dst.pointer, &mean, &inverse, &shift, scratch.pointer, 1)
    #expect(status == OCT_OK && mean == [0.1, 0.1, 0.1])
    for (i, value) in dst.values.enumerated() { #expect(abs(value - Float(4 + i % c)) < 1e-4) }
  }

  @Test func invalidDescriptorsAreRejected() {
    var memory: [Float] = [7], other: [Float] = [7]
    let good = Case().descriptor
    for var d in [altered(good, \.rows, -1), altered(good, \.c, -1), altered(good, \.rows, .max / 2)] {
      #expect(
        oct_batch_norm_forward_inference(&d, [0], [0], [0], [0], [0], nil, &memory, 1)
          == OCT_INVALID_DESCRIPTOR)
      #expect(oct_batch_norm_scratch_bytes(&d) == 0)
    }
    for epsilon: Float in [-1, .nan] {
      var d = Case(rows: 1, c: 1).descriptor
      d.epsilon = epsilon
      #expect(
        oct_batch_norm_forward_inference(&d, [0], [0], [0], [0], [0], nil, &memory, 1)
          == OCT_INVALID_DESCRIPTOR)
    }
    for kind in [OCT_CLAMP, OCT_LEAKY_RELU, oct_activation_kind(rawValue: 17)] {
      var d = good
      d.activation = oct_activation(kind: kind, low: 0, high: 0)
      #expect(
        oct_batch_norm_forward_inference(&d, [0], [0], [0], [0], [0], nil, &memory, 1)
          == OCT_INVALID_DESCRIPTOR)
    }
    // With ReLU, backward needs the output or what it follows from.
    var d = Case(rows: 1, c: 1, activation: Self.relu).descriptor
    let scratch = GuardedBytes(count: oct_batch_norm_scratch_bytes(&d))
    var gamma: [Float] = [7], beta: [Float] = [7]
    #expect(
      oct_batch_norm_backward(
        &d, [0], nil, nil, [0], [0], [0], [0], nil, &memory, false, &other, false, &gamma, &beta,
        scratch.pointer,
        1)
        == OCT_INVALID_DESCRIPTOR)
    #expect(memory + other + gamma + beta == [7, 7, 7, 7])
  }

  @Test func noRowsGiveZeroGradients() {
    var d = Case(rows: 0, c: 2).descriptor
    var unused: [Float] = [7], gamma: [Float] = [7, 7], beta: [Float] = [7, 7]
    #expect(
      oct_batch_norm_backward(
        &d, [0], nil, nil, [0], [1, 1], [0, 0], [1, 1], nil, &unused, false, nil, false, &gamma, &beta, nil, 1
      )
        == OCT_OK)
    #expect(unused == [7] && gamma == [0, 0] && beta == [0, 0])
  }
}
