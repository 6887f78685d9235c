import CKernels
import CReference
import Testing

/// Depthwise convolutions and those of narrow groups, which have micro-kernels of their own.
@Suite struct GroupedConvolutionTests {
  typealias Case = ConvolutionTests.Case

  /// Vectors of several groups and of a part of one, the last one not full; more channels in than out and the other way
  /// round, as between the maps of an octave convolution; rows that every tile's length leaves a rest of; every number of taps
  /// and stride that a micro-kernel has, and those it has not.
  static let cases: [Case] = {
    var cases: [Case] = []
    let widths = [
      (1, 2), (2, 1), (2, 2), (3, 3), (3, 1), (1, 3), (4, 4), (5, 3), (6, 2), (2, 6), (7, 8), (8, 8), (9, 9),
      (12, 4),
      (4, 12), (16, 16), (16, 5), (17, 17),
    ]
    for (i, (input, output)) in widths.enumerated() {
      let groups = 5 + i % 3
      cases.append(
        Case(n: 1 + i % 2, ih: 3, iw: 1 + i, ic: input * groups, oc: output * groups, groups: groups))
      cases.append(
        Case(
          n: 1, ih: 5, iw: 3 + i, ic: input * groups, oc: output * groups, stride: 2, groups: groups))
    }
    for kernel in [1, 2, 3, 4] {
      for stride in [1, 2, 3] {
        cases.append(
          Case(
            ih: 9, iw: 11, ic: 24, oc: 24, kh: kernel, kw: kernel, stride: stride, ph: kernel / 2,
            pw: kernel / 2, groups: 6))
      }
    }
    cases.append(Case(n: 1, ih: 1, iw: 1, ic: 24, oc: 24, groups: 6))
    cases.append(Case(n: 2, ih: 4, iw: 2, ic: 24, oc: 24, kh: 5, kw: 3, ph: 2, pw: 2, groups: 6))
    // More rows than parts, and more pixels than a block of them.
    cases.append(Case(n: 3, ih: 19, iw: 40, ic: 12, oc: 12, groups: 3))
    return cases
  }()

  /// A pixel that is not finite spoils the gradients of the taps that read it, and of no other one.
  @Test(arguments: [4, 8]) func infinitePixelsReachTheirTaps(ofGroup: Int) {
    var d = Case(n: 1, ih: 5, iw: 6, ic: 16, oc: 16, groups: 16 / ofGroup).descriptor
    let diffDst = [Float](repeating: 1, count: 5 * 6 * 16)
    for (x, tapOutside) in [(0, 2), (5, 0)] {
      var src = diffDst
      src[(2 * 6 + x) * 16] = .infinity
      var gradient = [Float](repeating: 0, count: oct_conv2d_weights_count(&d))
      let scratch = GuardedBytes(count: oct_conv2d_backward_weights_scratch_bytes(&d, 1))
      #expect(
        oct_conv2d_backward_weights(&d, src, diffDst, &gradient, false, nil, scratch.pointer, 1) == OCT_OK)
      for (index, value) in d.unpack(gradient).enumerated() {
        let (kx, channel, output) = (index % 3, index / 9 % ofGroup, index / 9 / ofGroup)
        let isReached = output < ofGroup && channel == 0 && kx != tapOutside
        #expect(value.isFinite != isReached, "x \(x), output \(output), channel \(channel), kx \(kx)")
      }
    }
  }

  /// Their sums have epilogues of their own: whole vectors and a part of one, rows of every tile's length.
  @Test(
    arguments: ActivationTests.cases + [ActivationTests.Case(kind: OCT_IDENTITY)],
    [(1, 1), (7, 1), (16, 1), (33, 1), (70, 1), (20, 4), (15, 3), (33, 11), (26, 13)])
  func epilogues(activation: ActivationTests.Case, shape: (channels: Int, ofGroup: Int)) {
    let (channels, ofGroup) = shape
    for (ih, iw) in [(3, 11), (1, 1), (2, 4)] {
      var d = Case(n: 2, ih: ih, iw: iw, ic: channels, oc: channels, groups: channels / ofGroup).descriptor
      var random = TestRandom(seed: 5)
      let count = 2 * ih * iw * channels
      let src = random.floats(count), oihw = random.floats(channels * ofGroup * 9)
      let scale = random.floats(channels), bias = random.floats(channels), residual = random.floats(count)
      var expected = [Double](repeating: 0, count: count), reference = d.reference
      ref_conv2d_forward(&reference, src, oihw, nil, &expected)
      for i in expected.indices {
        let sum = expected[i] * Double(scale[i % channels]) + Double(bias[i % channels]) + Double(residual[i])
        expected[i] = activation.reference(sum).value
      }
      let weights = d.pack(oihw), dst = random.guarded(count)
      let scratch = GuardedBytes(count: oct_conv2d_forward_scratch_bytes(&d, 2))
      withUnsafePointer(to: &d) { d in
        src.withUnsafeBufferPointer { src in
          weights.withUnsafeBufferPointer { weights in
            let source = [
              oct_conv2d_source(
                desc: d, src: src.baseAddress, weights: weights.baseAddress, transformed: nil)
            ]
            scale.withUnsafeBufferPointer { scale in
              bias.withUnsafeBufferPointer { bias in
                residual.withUnsafeBufferPointer { residual in
                  var epilogue = oct_conv2d_epilogue(
                    scale: scale.baseAddress, bias: bias.baseAddress, residual: residual.baseAddress,
                    activation: activation.activation)
                  #expect(
                    oct_conv2d_forward_sources(
                      source, 1, nil, 0, 0, &epilogue, dst.pointer, scratch.pointer, 2) == OCT_OK)
                  epilogue.activation = oct_activation(kind: OCT_CLAMP, low: 1, high: 1)
                  #expect(
                    oct_conv2d_forward_sources(
                      source, 1, nil, 0, 0, &epilogue, dst.pointer, scratch.pointer, 2)
                      == OCT_INVALID_DESCRIPTOR)
                }
              }
            }
          }
        }
      }
      #expect(dst.isIntact && scratch.isIntact)
      #expect(normalizedError(dst.values, expected) < 2e-6)
    }
  }
}
