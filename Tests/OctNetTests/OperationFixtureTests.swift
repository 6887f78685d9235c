import CKernels
import Testing

import OctNet

/// Every kernel against PyTorch, forward and backward.
///
/// Normalised errors measured with AVX-512, AVX2 and the portable kernels are at most 5.4e-7 (optimizers:
/// 3.8e-6); a wrong sign, scale or index gives 1e-2 and more.
@Suite struct OperationFixtureTests {
  private static let fixture = Result { try Fixture("operations.safetensors") }
  private let fixture: Fixture
  private let threads: Int32 = 2
  private let tolerance = 5e-6

  init() throws { fixture = try Self.fixture.get() }

  /// Poisoned, so that an element that is never written shows.
  private func poisoned(_ count: Int) -> [Float] { Array(repeating: .nan, count: count) }

  private func withScratch<R>(_ bytes: Int, _ body: (UnsafeMutableRawPointer) throws -> R) rethrows -> R {
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 1), alignment: 64)
    defer { scratch.deallocate() }
    return try body(scratch)
  }

  /// Compares with a map stored as [n, c, h, w].
  private func expectMap(_ actual: [Float], _ name: String) throws {
    expectClose(actual, try fixture.nhwc(name), within: tolerance, name)
  }

  private func expectVector(_ actual: [Float], _ name: String) throws {
    expectClose(actual, try fixture.floats(name), within: tolerance, name)
  }

  @Test func convolutions() throws {
    let cases = fixture.cases("conv2d")
    #expect(cases.count == 13)
    for name in cases {
      let d = try fixture.integers(name + "/desc")
      let desc = oct_conv2d_desc(
        n: d[0], ih: d[1], iw: d[2], ic: d[3], oh: d[4], ow: d[5], oc: d[6], kh: d[7], kw: d[8], sh: d[9],
        sw: d[10], ph: d[11], pw: d[12], g: d[13], direct: false)
      try convolution(
        name, desc, src: fixture.nhwc(name + "/src"), dst: fixture.nhwc(name + "/dst"),
        diffDst: fixture.nhwc(name + "/diff_dst"), diffSrc: fixture.nhwc(name + "/diff_src"))
    }
  }

  @Test func linear() throws {
    let name = "linear/37_to_10"
    let d = try fixture.integers(name + "/desc")
    let desc = oct_conv2d_desc(
      n: d[0], ih: 1, iw: 1, ic: d[1], oh: 1, ow: 1, oc: d[2], kh: 1, kw: 1, sh: 1, sw: 1, ph: 0, pw: 0, g: 1,
      direct: false)
    try convolution(
      name, desc, src: fixture.floats(name + "/src"), dst: fixture.floats(name + "/dst"),
      diffDst: fixture.floats(name + "/diff_dst"), diffSrc: fixture.floats(name + "/diff_src"))
  }

  /// All three passes; maps are NHWC.
  private func convolution(
    _ name: String, _ desc: oct_conv2d_desc, src: [Float], dst: [Float], diffDst: [Float], diffSrc: [Float]
  ) throws {
    var desc = desc
    let oihw = try fixture.floats(name + "/weights")
    var weights = poisoned(oct_conv2d_weights_count(&desc))
    oct_conv2d_pack_weights(&desc, oihw, &weights)
    let bias = try fixture.floats(name + "/bias")

    var output = poisoned(dst.count)
    withScratch(oct_conv2d_forward_scratch_bytes(&desc, threads)) {
      #expect(oct_conv2d_forward(&desc, src, weights, bias, &output, false, $0, threads) == OCT_OK)
    }
    expectClose(output, dst, within: tolerance, name + " forward")

    var dataGradient = poisoned(src.count)
    withScratch(oct_conv2d_backward_data_scratch_bytes(&desc, threads)) {
      #expect(oct_conv2d_backward_data(&desc, diffDst, weights, &dataGradient, false, $0, threads) == OCT_OK)
    }
    expectClose(dataGradient, diffSrc, within: tolerance, name + " backward data")

    var blocked = poisoned(weights.count)
    withScratch(oct_conv2d_backward_weights_scratch_bytes(&desc, threads)) {
      #expect(oct_conv2d_backward_weights(&desc, src, diffDst, &blocked, false, nil, $0, threads) == OCT_OK)
    }
    var weightGradient = poisoned(oihw.count)
    oct_conv2d_unpack_weights(&desc, blocked, &weightGradient)
    try expectVector(weightGradient, name + "/diff_weights")

    let rows = desc.n * desc.oh * desc.ow
    var biasGradient = poisoned(desc.oc)
    withScratch(oct_bias_backward_scratch_bytes(rows, desc.oc)) {
      #expect(oct_bias_backward(rows, desc.oc, diffDst, &biasGradient, $0, threads) == OCT_OK)
    }
    try expectVector(biasGradient, name + "/diff_bias")
  }

  private func poolDescriptor(_ name: String) throws -> oct_pool2d_desc {
    let d = try fixture.integers(name + "/desc")
    return oct_pool2d_desc(
      n: d[0], ih: d[1], iw: d[2], c: d[3], oh: d[4], ow: d[5], kh: d[6], kw: d[7], sh: d[8], sw: d[9],
      ph: d[10], pw: d[11])
  }

  @Test func averagePooling() throws {
    let cases = fixture.cases("avg_pool2d")
    #expect(cases.count == 6)
    for name in cases {
      var desc = try poolDescriptor(name)
      let src = try fixture.nhwc(name + "/src")
      let diffDst = try fixture.nhwc(name + "/diff_dst")
      var output = poisoned(diffDst.count)
      #expect(oct_avg_pool2d_forward(&desc, src, &output, threads) == OCT_OK)
      try expectMap(output, name + "/dst")
      var gradient = poisoned(src.count)
      #expect(oct_avg_pool2d_backward(&desc, diffDst, &gradient, false, threads) == OCT_OK)
      try expectMap(gradient, name + "/diff_src")
    }
  }

  @Test func maxPooling() throws {
    let cases = fixture.cases("max_pool2d")
    #expect(cases.count == 3)
    for name in cases {
      var desc = try poolDescriptor(name)
      let src = try fixture.nhwc(name + "/src")
      let diffDst = try fixture.nhwc(name + "/diff_dst")
      var output = poisoned(diffDst.count)
      var argmax = [Int32](repeating: -1, count: diffDst.count)
      #expect(oct_max_pool2d_forward(&desc, src, &output, &argmax, threads) == OCT_OK)
      try expectMap(output, name + "/dst")
      var gradient = poisoned(src.count)
      #expect(oct_max_pool2d_backward(&desc, diffDst, argmax, &gradient, false, threads) == OCT_OK)
      try expectMap(gradient, name + "/diff_src")
    }
  }

  @Test func globalAveragePooling() throws {
    let name = "global_avg_pool/5x3"
    let d = try fixture.integers(name + "/desc")
    let src = try fixture.nhwc(name + "/src")
    let diffDst = try fixture.floats(name + "/diff_dst")
    var output = poisoned(diffDst.count)
    #expect(oct_global_avg_pool_forward(d[0], d[1], d[2], src, &output, threads) == OCT_OK)
    try expectVector(output, name + "/dst")
    var gradient = poisoned(src.count)
    #expect(oct_global_avg_pool_backward(d[0], d[1], d[2], diffDst, &gradient, false, threads) == OCT_OK)
    try expectMap(gradient, name + "/diff_src")
  }

  @Test func upsampling() throws {
    let cases = fixture.cases("upsample2x")
    #expect(cases.count == 3)
    for name in cases {
      let d = try fixture.integers(name + "/desc")
      var desc = oct_upsample2x_desc(n: d[0], ih: d[1], iw: d[2], c: d[3], oh: d[4], ow: d[5])
      let src = try fixture.nhwc(name + "/src")
      let diffDst = try fixture.nhwc(name + "/diff_dst")
      var output = poisoned(diffDst.count)
      #expect(oct_upsample2x_forward(&desc, src, &output, false, threads) == OCT_OK)
      try expectMap(output, name + "/dst")
      var gradient = poisoned(src.count)
      #expect(oct_upsample2x_backward(&desc, diffDst, &gradient, false, threads) == OCT_OK)
      try expectMap(gradient, name + "/diff_src")
    }
  }

  @Test func batchNormalization() throws {
    let cases = fixture.cases("batch_norm")
    #expect(cases.count == 4)
    for name in cases {
      let d = try fixture.integers(name + "/desc")
      var desc = oct_batch_norm_desc(
        rows: d[0], c: d[1], epsilon: 1e-5, momentum: 0.1,
        activation: oct_activation(kind: d[2] == 1 ? OCT_RELU : OCT_IDENTITY, low: 0, high: 0))
      let hasResidual = d[3] == 1
      let src = try fixture.nhwc(name + "/src")
      let gamma = try fixture.floats(name + "/gamma")
      let beta = try fixture.floats(name + "/beta")
      let residual = hasResidual ? try fixture.nhwc(name + "/residual") : nil
      var mean = try fixture.floats(name + "/running_mean")
      var variance = try fixture.floats(name + "/running_var")

      var inference = poisoned(src.count)
      #expect(
        oct_batch_norm_forward_inference(
          &desc, src, gamma, beta, mean, variance, residual, &inference, threads)
          == OCT_OK)
      try expectMap(inference, name + "/inference")

      var output = poisoned(src.count)
      var savedMean = poisoned(desc.c)
      var savedScale = poisoned(desc.c)
      var savedShift = poisoned(desc.c)
      withScratch(oct_batch_norm_scratch_bytes(&desc)) {
        #expect(
          oct_batch_norm_forward_training(
            &desc, src, gamma, beta, residual, &mean, &variance, &output, &savedMean, &savedScale,
            &savedShift, $0, threads)
            == OCT_OK)
      }
      try expectMap(output, name + "/dst")
      try expectVector(mean, name + "/running_mean_after")
      try expectVector(variance, name + "/running_var_after")

      let diffDst = try fixture.nhwc(name + "/diff_dst")
      var diffSrc = poisoned(src.count)
      var diffResidual = poisoned(src.count)
      var diffGamma = poisoned(desc.c)
      var diffBeta = poisoned(desc.c)
      withScratch(oct_batch_norm_scratch_bytes(&desc)) { scratch in
        diffResidual.withUnsafeMutableBufferPointer { residualGradient in
          let status = oct_batch_norm_backward(
            &desc, src, output, residual, diffDst, gamma, savedMean, savedScale, savedShift, &diffSrc,
            false, hasResidual ? residualGradient.baseAddress : nil, false, &diffGamma, &diffBeta, scratch,
            threads)
          #expect(status == OCT_OK)
        }
      }
      try expectMap(diffSrc, name + "/diff_src")
      try expectVector(diffGamma, name + "/diff_gamma")
      try expectVector(diffBeta, name + "/diff_beta")
      if hasResidual { try expectMap(diffResidual, name + "/diff_residual") }
    }
  }

  @Test func elementwise() throws {
    let a = try fixture.nhwc("add/a/a")
    let b = try fixture.nhwc("add/a/b")
    var sum = poisoned(a.count)
    #expect(oct_add(a.count, a, b, &sum, threads) == OCT_OK)
    try expectMap(sum, "add/a/dst")
  }

  @Test func crossEntropy() throws {
    let cases = fixture.cases("cross_entropy")
    #expect(cases.count == 3)
    for name in cases {
      let d = try fixture.integers(name + "/desc")
      let logits = try fixture.floats(name + "/logits")
      let labels = try fixture.integers(name + "/labels").map { Int32($0) }
      let smoothing = try fixture.floats(name + "/smoothing")[0]
      var losses = poisoned(d[0])
      var gradient = poisoned(logits.count)
      #expect(
        oct_softmax_cross_entropy(
          d[0], d[1], logits, labels, nil, 1, smoothing, 1 / Float(d[0]), &losses, &gradient, threads)
          == OCT_OK)
      try expectVector(losses, name + "/losses")
      try expectVector(gradient, name + "/diff_logits")
    }
  }

  /// 0.999, not the float beside it.
  private func decimal(_ value: Float) -> Double { Double(value.description) ?? .nan }

  private func buffer(_ floats: [Float]) -> AlignedBuffer {
    let buffer = AlignedBuffer(byteCount: floats.count * MemoryLayout<Float>.stride)
    for (index, value) in floats.enumerated() { buffer.floats[index] = value }
    return buffer
  }

  /// Weights after each of five steps. What is compared is the distance travelled.
  @Test func optimizers() throws {
    let cases = fixture.cases("optimizer")
    #expect(cases.count == 7)
    for name in cases {
      let o = try fixture.floats(name + "/options")
      let start = try fixture.floats(name + "/weights")
      let gradients = try fixture.floats(name + "/gradients")
      let after = try fixture.floats(name + "/after")
      let count = start.count
      let (weights, first, second) = (
        buffer(start), buffer(start.map { _ in 0 }), buffer(start.map { _ in 0 })
      )
      for step in 0..<5 {
        let gradient = buffer(Array(gradients[step * count..<(step + 1) * count]))
        var update = oct_update()
        if name.contains("adam") {
          update.optimizer = OCT_ADAM
          update.adam = oct_adam(
            beta1: decimal(o[4]), beta2: decimal(o[5]), learning_rate: o[0], epsilon: o[6],
            weight_decay: o[3],
            gradient_scale: 1,
            decoupled: name.contains("adamw"), step: Int64(step + 1))
        } else {
          update.sgd = oct_sgd(
            learning_rate: o[0], momentum: o[1], weight_decay: o[3], gradient_scale: 1, nesterov: o[2] == 1,
            first_step: step == 0)
        }
        update.count = count
        update.gradient = UnsafePointer(gradient.floats)
        (update.weights, update.first, update.second) = (weights.floats, first.floats, second.floats)
        let status = withUnsafePointer(to: update) {
          var updates = oct_updates(items: $0, count: 1)
          return oct_run_updates(&updates, threads)
        }
        #expect(status == OCT_OK)
        let travelled = zip(UnsafeBufferPointer(start: weights.floats, count: count), start).map { $0 - $1 }
        let expected = after[step * count..<(step + 1) * count]
        expectClose(
          travelled, zip(expected, start).map { $0 - $1 }, within: 5e-5,
          "\(name) after step \(step + 1)")
      }
    }
  }
}
