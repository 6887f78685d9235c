import CKernels
import CReference
import Testing

/// Gates, copies of channels and biases.
@Suite struct ChannelTests {
  static let shapes: [(n: Int, pixels: Int, c: Int)] =
    channelCounts.map { (2, 12, $0) } + [(1, 1, 1), (1, 1, 2048), (3, 1, 20), (1, 300, 33), (7, 130, 19)]

  @Test(arguments: shapes) func gatesAgreeWithPlainLoops(n: Int, pixels: Int, c: Int) {
    let count = n * pixels * c
    var random = TestRandom(seed: 1)
    let src = random.floats(count), gate = random.floats(n * c), diffDst = random.floats(count)
    var expected = [Double](repeating: 0, count: count), expectedDiff = [Double](repeating: 0, count: n * c)
    ref_gate_forward(n, pixels, c, src, gate, &expected)
    ref_gate_backward(n, pixels, c, src, diffDst, &expectedDiff)
    for accumulate in [true, false] {
      let dst = random.guarded(count), diffGate = random.guarded(n * c)
      #expect(oct_gate_forward(n, pixels, c, src, gate, dst.pointer, accumulate, 2) == OCT_OK)
      #expect(oct_gate_backward(n, pixels, c, src, diffDst, diffGate.pointer, accumulate, 2) == OCT_OK)
      expectAgreement(dst, expected, accumulating: accumulate)
      expectAgreement(diffGate, expectedDiff, accumulating: accumulate)
      if !accumulate { expectAdjoint(y: diffDst, forward: dst.values, x: gate, backward: diffGate.values) }
    }
  }

  @Test(arguments: shapes) func copiesMoveNothingElse(n: Int, pixels: Int, c: Int) {
    let rows = n * pixels, (from, to) = (c + 3, c + 5)
    var random = TestRandom(seed: 3)
    let src = random.floats(rows * from)
    for accumulate in [true, false] {
      let dst = random.guarded(rows * to)
      // From the second channel to the third.
      src.withUnsafeBufferPointer {
        #expect(
          oct_copy_channels(rows, c, $0.baseAddress! + 1, from, dst.pointer + 2, to, accumulate, 2) == OCT_OK)
      }
      var expected = dst.start
      for row in 0..<rows {
        for channel in 0..<c {
          let place = row * to + 2 + channel
          expected[place] = src[row * from + 1 + channel] + (accumulate ? expected[place] : 0)
        }
      }
      #expect(dst.values == expected && dst.isIntact)
    }
  }

  @Test(arguments: shapes) func biasesAreAdded(n: Int, pixels: Int, c: Int) {
    let rows = n * pixels
    var random = TestRandom(seed: 4)
    let bias = random.floats(c), dst = random.guarded(rows * c)
    #expect(oct_bias_forward(rows, c, bias, dst.pointer, 2) == OCT_OK)
    #expect(dst.values == dst.start.enumerated().map { $1 + bias[$0 % c] } && dst.isIntact)
  }

  @Test func sameBitsForAnyNumberOfThreads() {
    for (n, pixels, c) in [(7, 130, 19), (1, 900, 16), (1, 1, 20000)] {
      expectSameBits { threads in
        var random = TestRandom(seed: 2)
        let count = n * pixels * c
        let src = random.floats(count), gate = random.floats(n * c)
        let dst = random.guarded(count), diffGate = random.guarded(n * c)
        _ = oct_gate_forward(n, pixels, c, src, gate, dst.pointer, true, threads)
        _ = oct_gate_backward(n, pixels, c, src, dst.values, diffGate.pointer, true, threads)
        _ = oct_bias_forward(n * pixels, c, gate, dst.pointer, threads)
        return [dst.values, diffGate.values]
      }
    }
  }

  @Test func invalidSizesAreRejected() {
    var memory: [Float] = [7]
    for (n, pixels, c) in [(-1, 1, 1), (1, -1, 1), (1, 1, -1), (Int.max / 2, 3, 3)] {
      #expect(oct_gate_forward(n, pixels, c, [0], [0], &memory, false, 1) == OCT_INVALID_DESCRIPTOR)
      #expect(oct_gate_backward(n, pixels, c, [0], [0], &memory, false, 1) == OCT_INVALID_DESCRIPTOR)
    }
    #expect(oct_copy_channels(1, 2, [0], 1, &memory, 2, false, 1) == OCT_INVALID_DESCRIPTOR)
    #expect(oct_copy_channels(1, 2, [0], 2, &memory, 1, false, 1) == OCT_INVALID_DESCRIPTOR)
    #expect(oct_bias_forward(-1, 1, [0], &memory, 1) == OCT_INVALID_DESCRIPTOR)
    #expect(oct_gate_forward(0, 1, 1, [0], [0], &memory, false, 1) == OCT_OK)
    #expect(oct_copy_channels(0, 1, [0], 1, &memory, 1, false, 1) == OCT_OK)
    #expect(memory == [7])
  }
}
