import CKernels
import Testing

/// The definition: of the two neighbours that bfloat16 has the nearer one, of two as near the one whose last bit is 0.
private func nearest(_ value: Float) -> UInt16 {
  guard value.isFinite else { return UInt16(value.bitPattern >> 16) | (value.isNaN ? 0x40 : 0) }
  let low = UInt16(value.bitPattern >> 16)
  // Infinity counts as the number that would come next.
  func exact(_ upper: UInt16) -> Double {
    let number = Float(bitPattern: UInt32(upper) << 16)
    return number.isFinite ? Double(number) : (number < 0 ? -0x1p128 : 0x1p128)
  }
  let (below, above) = (abs(Double(value) - exact(low)), abs(exact(low + 1) - Double(value)))
  return below < above || (below == above && low % 2 == 0) ? low : low + 1
}

private func rounded(_ values: [Float], threads: Int32 = 1) -> [UInt16] {
  var result = [UInt16](repeating: 0, count: values.count)
  #expect(oct_bfloat16_round(values.count, values, &result, threads) == OCT_OK)
  return result
}

private func widened(_ values: [UInt16], threads: Int32 = 1) -> [Float] {
  var result = [Float](repeating: 0, count: values.count)
  #expect(oct_bfloat16_widen(values.count, values, &result, threads) == OCT_OK)
  return result
}

@Suite struct BFloat16Tests {
  /// Every upper half, NaN, infinity and subnormal numbers among them, with lower halves around the middle.
  @Test(arguments: [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] as [UInt32])
  func roundsToNearestEven(lower: UInt32) {
    let values = (0...UInt32(UInt16.max)).map { Float(bitPattern: $0 << 16 | lower) }
    let (found, expected) = (rounded(values), values.map(nearest))
    #expect(found == expected)
    for threads: Int32 in [2, 5] { #expect(rounded(values, threads: threads) == expected) }
  }

  /// By hand.
  @Test func whatBecomesOfWhichNumber() {
    let cases: [(Float, Float)] = [
      (1, 1), (0x1.01p0, 0x1p0), (0x1.03p0, 0x1.04p0), (0x1.010002p0, 0x1.02p0), (-0x1.03p0, -0x1.04p0),
      (0, 0), (3.4e38, .infinity), (-.greatestFiniteMagnitude, -.infinity),
      (0x1.fep127, 0x1.fep127), (0x1.fefffep127, 0x1.fep127), (.infinity, .infinity),
      (0x1p-149, 0), (0x1p-133, 0x1p-133), (0x1.8p-133, 0x1p-132),
    ]
    for (value, expected) in cases { #expect(widened(rounded([value])) == [expected], "\(value)") }
    #expect(widened(rounded([-0.0]))[0].sign == .minus)
    // Whichever of its bits say that it is none.
    for pattern: UInt32 in [0x7f80_0001, 0x7fc0_0000, 0x7fff_ffff, 0xffff_ffff, 0xff80_8000] {
      #expect(widened(rounded([Float(bitPattern: pattern)]))[0].isNaN, "\(pattern)")
    }
  }

  @Test func everyNumberIsKept() {
    let all = (0...UInt16.max).map { $0 }
    let wide = widened(all, threads: 2)
    #expect(wide.map(\.bitPattern) == all.map { UInt32($0) << 16 })
    #expect(zip(rounded(wide), all).allSatisfy { $0 == $1 || Float(bitPattern: UInt32($1) << 16).isNaN })
  }

  @Test(arguments: [0, 1, 7, 8, 9, 31, 33, 20_011]) func sums(count: Int) {
    var random = TestRandom(seed: 4)
    // Of unlike sizes, and what no sum of numbers is.
    var (a, b) = (random.floats(count), random.floats(count))
    for index in stride(from: 0, to: count, by: 3) { b[index] *= 1000 }
    if count > 30 { (a[3], a[5], b[5], a[7]) = (.nan, .infinity, -.infinity, .infinity) }
    let (left, right) = (rounded(a), rounded(b))
    let exact = zip(widened(left), widened(right)).map { $0 + $1 }
    for threads: Int32 in [1, 2, 5] {
      var (sum, whole) = (left, [Float](repeating: 0, count: count))
      #expect(oct_bfloat16_add(count, left, right, &sum, threads) == OCT_OK)
      #expect(oct_bfloat16_sum(count, left, right, &whole, threads) == OCT_OK)
      #expect(zip(sum, exact).allSatisfy { $0 == nearest($1) })
      #expect(zip(whole, exact).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) })
      // In place of either.
      (sum, whole) = (left, [])
      sum.withUnsafeMutableBufferPointer { sum in
        guard let start = sum.baseAddress else { return }
        #expect(oct_bfloat16_add(count, start, right, start, threads) == OCT_OK)
      }
      var other = right
      other.withUnsafeMutableBufferPointer { other in
        guard let start = other.baseAddress else { return }
        #expect(oct_bfloat16_add(count, left, start, start, threads) == OCT_OK)
      }
      #expect(zip(sum, exact).allSatisfy { $0 == nearest($1) } && sum == other)
    }
  }

  @Test func invalidSizesAreRejected() {
    var (narrow, wide): ([UInt16], [Float]) = ([7], [7])
    #expect(oct_bfloat16_round(-1, [0], &narrow, 1) == OCT_INVALID_DESCRIPTOR)
    #expect(oct_bfloat16_widen(-1, [0], &wide, 1) == OCT_INVALID_DESCRIPTOR)
    #expect(oct_bfloat16_add(-1, [0], [0], &narrow, 1) == OCT_INVALID_DESCRIPTOR)
    #expect(oct_bfloat16_sum(-1, [0], [0], &wide, 1) == OCT_INVALID_DESCRIPTOR)
    #expect(narrow == [7] && wide == [7])
  }
}
