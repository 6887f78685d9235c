import CKernels
import CReference
import Testing

@Suite struct SoftmaxCrossEntropyTests {
  private func run(
    _ logits: [Float], _ labels: [Int32], mixed: [Int32]? = nil, share: Float = 1, smoothing: Float = 0,
    scale: Float = 1, threads: Int32 = 2
  ) -> (losses: Guarded, diff: Guarded) {
    let classes = logits.count / labels.count
    let losses = Guarded(count: labels.count, filledWith: [Float](repeating: 9, count: labels.count))
    let diff = Guarded(count: logits.count, filledWith: [Float](repeating: 9, count: logits.count))
    #expect(
      oct_softmax_cross_entropy(
        labels.count, classes, logits, labels, mixed, share, smoothing, scale, losses.pointer, diff.pointer,
        threads) == OCT_OK)
    return (losses, diff)
  }

  @Test(arguments: [(1, 1), (1, 2), (3, 10), (7, 17), (100, 10), (40, 1000)], [0, 0.1, 1] as [Float])
  func agreesWithPlainLoops(size: (n: Int, classes: Int), smoothing: Float) {
    var random = TestRandom(seed: 1)
    for spread: Float in [1, 30] {
      let logits = random.floats(size.n * size.classes).map { $0 * spread }
      let labels = (0..<size.n).map { Int32($0 * 7 % size.classes) }
      var losses = [Double](repeating: 0, count: size.n)
      var diff = [Double](repeating: 0, count: logits.count)
      ref_softmax_cross_entropy(
        size.n, size.classes, logits, labels, labels, 1, Double(smoothing), &losses, &diff)
      let scale = 1 / Float(size.n)
      let actual = run(logits, labels, smoothing: smoothing, scale: scale)
      if size.classes > 1 {
        expectAgreement(actual.losses, losses)
        expectAgreement(actual.diff, diff.map { $0 * Double(scale) })
      } else {
        #expect(
          actual.losses.values.allSatisfy { abs($0) < 1e-6 }
            && actual.diff.values.allSatisfy { abs($0) < 1e-6 })
      }
      // Without the gradient, the same losses.
      let only = Guarded(count: size.n, filledWith: [Float](repeating: 9, count: size.n))
      _ = oct_softmax_cross_entropy(
        size.n, size.classes, logits, labels, nil, 1, smoothing, scale, only.pointer, nil, 2)
      #expect(only.values == actual.losses.values && only.isIntact)
    }
  }

  /// Some images are mixed with one of their own class.
  @Test(arguments: [0, 0.3, 0.5, 1] as [Float], [0, 0.1] as [Float])
  func mixedLabelsAgreeWithPlainLoops(share: Float, smoothing: Float) {
    var random = TestRandom(seed: 3)
    let (n, classes) = (23, 17)
    let logits = random.floats(n * classes).map { $0 * 5 }
    let labels = (0..<n).map { Int32($0 * 7 % classes) }
    let mixed = (0..<n).map { Int32($0 * 4 % classes) }
    var losses = [Double](repeating: 0, count: n)
    var diff = [Double](repeating: 0, count: logits.count)
    ref_softmax_cross_entropy(
      n, classes, logits, labels, mixed, Double(share), Double(smoothing), &losses, &diff)
    let actual = run(logits, labels, mixed: mixed, share: share, smoothing: smoothing, scale: 0.5)
    expectAgreement(actual.losses, losses)
    expectAgreement(actual.diff, diff.map { $0 * 0.5 })
    expectSameBits { threads in
      let result = run(
        logits, labels, mixed: mixed, share: share, smoothing: smoothing, threads: threads)
      return [result.losses.values, result.diff.values]
    }
  }

  @Test(arguments: [nil, 0, 0.3, 1] as [Float?], [0, 0.1] as [Float])
  func weightedClassesAgreeWithPlainLoops(share: Float?, smoothing: Float) {
    var random = TestRandom(seed: 4)
    let (n, classes) = (23, 17)
    let logits = random.floats(n * classes).map { $0 * 5 }
    let labels = (0..<n).map { Int32($0 * 7 % classes) }
    let mixed = (0..<n).map { Int32($0 * 4 % classes) }
    let weights = (0..<classes).map { Float($0 % 5) * 0.4 }
    var expected = [Double](repeating: 0, count: n), slope = [Double](repeating: 0, count: logits.count)
    ref_softmax_weighted_cross_entropy(
      n, classes, logits, labels, share == nil ? labels : mixed, weights, Double(share ?? 1),
      Double(smoothing),
      &expected, &slope)
    func run(_ threads: Int32) -> (losses: Guarded, diff: Guarded) {
      let losses = Guarded(count: n, filledWith: [Float](repeating: 9, count: n))
      let diff = Guarded(count: logits.count, filledWith: [Float](repeating: 9, count: logits.count))
      #expect(
        oct_softmax_weighted_cross_entropy(
          n, classes, logits, labels, share == nil ? nil : mixed, weights, share ?? 1, smoothing, 0.5,
          losses.pointer, diff.pointer, threads) == OCT_OK)
      return (losses, diff)
    }
    let actual = run(2)
    expectAgreement(actual.losses, expected)
    expectAgreement(actual.diff, slope.map { $0 * 0.5 })
    expectSameBits { threads in
      let result = run(threads)
      return [result.losses.values, result.diff.values]
    }
    // Weights of one are no weights.
    let (plain, ones) = (self.run(logits, labels), [Float](repeating: 1, count: classes))
    var losses = [Float](repeating: 0, count: n), diff = [Float](repeating: 0, count: logits.count)
    _ = oct_softmax_weighted_cross_entropy(
      n, classes, logits, labels, nil, ones, 1, 0, 1, &losses, &diff, 1)
    #expect(zip(losses, plain.losses.values).allSatisfy { abs($0 - $1) < 1e-5 })
    #expect(zip(diff, plain.diff.values).allSatisfy { abs($0 - $1) < 1e-6 })
    for wrong: Float in [-1, .nan, .infinity] {
      var weights = ones
      weights[3] = wrong
      #expect(
        oct_softmax_weighted_cross_entropy(
          n, classes, logits, labels, nil, weights, 1, 0, 1, &losses, &diff, 1) == OCT_INVALID_DESCRIPTOR)
    }
  }

  @Test func mixingWithTheOwnClassChangesNothing() {
    let (plain, mixed) = (run([1, 2, 3], [1]), run([1, 2, 3], [1], mixed: [1], share: 0.25))
    #expect(plain.losses.values == mixed.losses.values && plain.diff.values == mixed.diff.values)
    // −∞ in a class without a share.
    #expect(run([-.infinity, 2, 2], [1], mixed: [0], share: 1).losses.values[0] == Float(0.6931471805599453))
    #expect(run([-.infinity, 2, 2], [0], mixed: [1], share: 0).losses.values[0] == Float(0.6931471805599453))
  }

  @Test func largeLogitsDoNotOverflow() {
    let (losses, diff) = run([1000, 0, -1000, 3e38, -3e38, 0], [1, 0])
    #expect(losses.values == [1000, 0])
    #expect(diff.values == [1, -1, 0, 0, 0, 0])
    #expect(run([-.infinity, 2, 2], [1]).losses.values[0] == Float(0.6931471805599453))
    #expect(run([.nan, 2, 2], [1]).losses.values[0].isNaN)
  }

  /// A nearly certain prediction keeps a small but exact gradient.
  @Test func gradientNearCertainty() {
    let diff = run([20, 0], [0]).diff.values
    #expect(abs(diff[0] + 2.0611536e-9) < 1e-15 && abs(diff[1] - 2.0611536e-9) < 1e-15)
  }

  @Test func sameBitsForAnyNumberOfThreads() {
    var random = TestRandom(seed: 2)
    let logits = random.floats(50 * 100), labels = (0..<50).map { Int32($0) }
    expectSameBits { threads in
      let (losses, diff) = run(logits, labels, smoothing: 0.1, threads: threads)
      return [losses.values, diff.values]
    }
  }

  @Test func invalidArgumentsAreRejected() {
    var losses: [Float] = [7], diff: [Float] = [7, 7]
    for (n, classes, label, smoothing): (Int, Int, Int32, Float) in [
      (-1, 2, 0, 0), (1, -2, 0, 0), (1, 0, 0, 0), (1, 2, 2, 0), (1, 2, -1, 0), (1, 2, 0, -0.1),
      (1, 2, 0, 1.1),
      (1, 2, 0, .nan),
    ] {
      #expect(
        oct_softmax_cross_entropy(n, classes, [1, 2], [label], nil, 1, smoothing, 1, &losses, &diff, 1)
          == OCT_INVALID_DESCRIPTOR)
    }
    for (mixed, share): (Int32, Float) in [(2, 0.5), (-1, 0.5), (1, -0.1), (1, 1.1), (1, .nan)] {
      #expect(
        oct_softmax_cross_entropy(1, 2, [1, 2], [0], [mixed], share, 0, 1, &losses, &diff, 1)
          == OCT_INVALID_DESCRIPTOR)
    }
    #expect(oct_softmax_cross_entropy(0, 2, [1, 2], [0], nil, 1, 0, 1, &losses, &diff, 1) == OCT_OK)
    #expect(losses == [7] && diff == [7, 7])
  }
}

@Suite struct OptimizerKernelTests {
  private static let lengths = [1, 3, 15, 16, 17, 33, 20_011]
  private static let steps: Int64 = 5

  private func update(
    _ rule: oct_update, _ count: Int, _ gradient: [Float], _ weights: UnsafeMutablePointer<Float>,
    _ first: UnsafeMutablePointer<Float>?, _ second: UnsafeMutablePointer<Float>? = nil, threads: Int32
  ) -> oct_status {
    gradient.withUnsafeBufferPointer { gradient in
      var update = rule
      update.count = count
      update.gradient = gradient.baseAddress
      (update.weights, update.first, update.second) = (weights, first, second)
      return withUnsafePointer(to: update) {
        var updates = oct_updates(items: $0, count: 1)
        return oct_run_updates(&updates, threads)
      }
    }
  }

  /// Gradients of one step, some of them zero: Adam's denominator is then epsilon alone.
  private func gradient(_ random: inout TestRandom, _ count: Int) -> [Float] {
    random.floats(count).enumerated().map { $0.offset % 11 == 5 ? 0 : $0.element }
  }

  @Test(arguments: lengths, [(0, false), (0.9, false), (0.9, true)] as [(Float, Bool)])
  func sgd(count: Int, rule: (momentum: Float, nesterov: Bool)) {
    for (decay, scale) in [(0, 1), (0.05, 0.3)] as [(Float, Float)] {
      var random = TestRandom(seed: 1)
      let weights = random.guarded(count), velocity = random.guarded(count)
      var expected = weights.start.map(Double.init), expectedVelocity = velocity.start.map(Double.init)
      for step in 1...Self.steps {
        let g = gradient(&random, count)
        let sgd = oct_sgd(
          learning_rate: 0.1, momentum: rule.momentum, weight_decay: decay, gradient_scale: scale,
          nesterov: rule.nesterov, first_step: step == 1)
        let status = update(
          .init(sgd: sgd), count, g, weights.pointer, rule.momentum == 0 ? nil : velocity.pointer, threads: 2)
        #expect(status == OCT_OK)
        ref_sgd(
          count, step, Double(sgd.learning_rate), Double(rule.momentum), Double(decay), rule.nesterov,
          Double(scale), g,
          &expected, &expectedVelocity)
      }
      expectAgreement(weights, expected)
      expectAgreement(velocity, expectedVelocity)
    }
  }

  @Test(arguments: lengths, [false, true])
  func adam(count: Int, decoupled: Bool) {
    for (decay, scale) in [(0, 1), (0.05, 0.3)] as [(Float, Float)] {
      var random = TestRandom(seed: 2)
      let weights = random.guarded(count)
      let zeros = [Float](repeating: 0, count: count)
      let first = Guarded(count: count, filledWith: zeros), second = Guarded(count: count, filledWith: zeros)
      var expected = weights.start.map(Double.init)
      var expectedFirst = zeros.map(Double.init), expectedSecond = expectedFirst
      for step in 1...Self.steps {
        let g = gradient(&random, count)
        let adam = oct_adam(
          beta1: 0.9, beta2: 0.999, learning_rate: 0.01, epsilon: 1e-8, weight_decay: decay,
          gradient_scale: scale,
          decoupled: decoupled, step: step)
        let status = update(
          .init(adam: adam), count, g, weights.pointer, first.pointer, second.pointer, threads: 2)
        #expect(status == OCT_OK)
        ref_adam(
          count, step, Double(adam.learning_rate), adam.beta1, adam.beta2,
          Double(adam.epsilon),
          Double(decay), decoupled, Double(scale), g, &expected, &expectedFirst, &expectedSecond)
      }
      expectAgreement(weights, expected)
      expectAgreement(first, expectedFirst)
      expectAgreement(second, expectedSecond, tolerance: 2e-6)
    }
  }

  @Test func sameBitsForAnyNumberOfThreads() {
    let count = 20_011
    expectSameBits { threads in
      var random = TestRandom(seed: 3)
      let w = random.guarded(count), v = random.guarded(count), g = random.floats(count)
      let m = random.guarded(count), s = Guarded(count: count, filledWith: random.floats(count).map(abs))
      let sgd = oct_sgd(
        learning_rate: 0.1, momentum: 0.9, weight_decay: 0.1, gradient_scale: 0.5, nesterov: true,
        first_step: false)
      _ = update(.init(sgd: sgd), count, g, w.pointer, v.pointer, threads: threads)
      let adam = oct_adam(
        beta1: 0.9, beta2: 0.999, learning_rate: 0.01, epsilon: 1e-8, weight_decay: 0.1, gradient_scale: 0.5,
        decoupled: false, step: 9)
      _ = update(.init(adam: adam), count, g, w.pointer, m.pointer, s.pointer, threads: threads)
      return [w.values, v.values, m.values, s.values]
    }
  }

  @Test func invalidArgumentsAreRejected() {
    var w: [Float] = [7], m: [Float] = [7], v: [Float] = [7]
    let sgd = oct_sgd(
      learning_rate: 0.1, momentum: 0.9, weight_decay: 0, gradient_scale: 1, nesterov: false, first_step: true
    )
    #expect(update(.init(sgd: sgd), 1, [1], &w, nil, threads: 1) == OCT_INVALID_DESCRIPTOR)
    #expect(update(.init(sgd: sgd), -1, [1], &w, &v, threads: 1) == OCT_INVALID_DESCRIPTOR)
    var adam = oct_adam(
      beta1: 0.9, beta2: 0.999, learning_rate: 0.1, epsilon: 1e-8, weight_decay: 0, gradient_scale: 1,
      decoupled: false, step: 0)
    #expect(update(.init(adam: adam), 1, [1], &w, &m, &v, threads: 1) == OCT_INVALID_DESCRIPTOR)
    adam.step = 1
    #expect(update(.init(adam: adam), -1, [1], &w, &m, &v, threads: 1) == OCT_INVALID_DESCRIPTOR)
    #expect(update(.init(adam: adam), 1, [1], &w, &m, nil, threads: 1) == OCT_INVALID_DESCRIPTOR)
    #expect(w + m + v == [7, 7, 7])
  }
}

extension oct_update {
  fileprivate init(sgd: oct_sgd) {
    self.init()
    optimizer = OCT_SGD
    self.sgd = sgd
  }

  fileprivate init(adam: oct_adam) {
    self.init()
    optimizer = OCT_ADAM
    self.adam = adam
  }
}
