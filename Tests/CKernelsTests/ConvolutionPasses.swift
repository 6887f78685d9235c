import CKernels
import CReference
import Testing

/// One run of the three passes on random data.
struct ConvolutionPasses {
  let src, weights, blockedWeights, bias, diffDst: [Float]
  let dst, diffSrc, diffWeights: Guarded
  let isIntact: Bool

  init(_ descriptor: oct_conv2d_desc, accumulate: Bool, threads: Int, withBias: Bool = true) throws {
    var d = descriptor
    var random = TestRandom(seed: 1)
    src = random.floats(d.n * d.ih * d.iw * d.ic)
    weights = random.floats(d.oc * (d.ic / d.g) * d.kh * d.kw)
    bias = random.floats(d.oc)
    diffDst = random.floats(d.n * d.oh * d.ow * d.oc)
    blockedWeights = d.pack(weights)
    dst = Guarded(count: diffDst.count, filledWith: random.floats(diffDst.count))
    diffSrc = Guarded(count: src.count, filledWith: random.floats(src.count))
    diffWeights = Guarded(count: blockedWeights.count, filledWith: d.pack(random.floats(weights.count)))
    let thread = Int32(threads)
    let (src, blockedWeights) = (try PageEnd(src), try PageEnd(blockedWeights))
    let (diffDst, bias) = (try PageEnd(diffDst), try PageEnd(bias))
    let forward = GuardedBytes(count: oct_conv2d_forward_scratch_bytes(&d, thread))
    let data = GuardedBytes(count: oct_conv2d_backward_data_scratch_bytes(&d, thread))
    let gradient = GuardedBytes(count: oct_conv2d_backward_weights_scratch_bytes(&d, thread))
    try #require(
      oct_conv2d_forward(
        &d, src.pointer, blockedWeights.pointer, withBias ? bias.pointer : nil, dst.pointer, accumulate,
        forward.pointer, thread)
        == OCT_OK)
    try #require(
      oct_conv2d_backward_data(
        &d, diffDst.pointer, blockedWeights.pointer, diffSrc.pointer, accumulate, data.pointer, thread)
        == OCT_OK)
    try #require(
      oct_conv2d_backward_weights(
        &d, src.pointer, diffDst.pointer, diffWeights.pointer, accumulate, nil, gradient.pointer, thread)
        == OCT_OK)
    isIntact =
      dst.isIntact && diffSrc.isIntact && diffWeights.isIntact && forward.isIntact && data.isIntact
      && gradient.isIntact
  }
}

extension oct_conv2d_desc {
  var reference: ref_conv_desc {
    ref_conv_desc(
      n: n, ih: ih, iw: iw, ic: ic, oh: oh, ow: ow, oc: oc, kh: kh, kw: kw, sh: sh, sw: sw, ph: ph, pw: pw,
      g: g)
  }

  func pack(_ oihw: [Float]) -> [Float] {
    var descriptor = self
    var weights = [Float](repeating: 7, count: oct_conv2d_weights_count(&descriptor))
    oct_conv2d_pack_weights(&descriptor, oihw, &weights)
    return weights
  }

  func unpack(_ weights: [Float]) -> [Float] {
    var descriptor = self
    var oihw = [Float](repeating: 7, count: oc * (ic / g) * kh * kw)
    oct_conv2d_unpack_weights(&descriptor, weights, &oihw)
    return oihw
  }
}
