import CKernels
import CReference
import Testing

@Suite struct MuonTests {
  /// Rows at and beside vectors and blocks, columns from as many on.
  @Test(arguments: [
    (1, 1), (1, 9), (3, 5), (7, 7), (15, 40), (16, 16), (17, 33), (33, 100), (64, 65), (65, 300),
  ])
  func orthogonalFactor(rows: Int, columns: Int) {
    var random = TestRandom(seed: 11)
    // Not of length 1, so that the division by it counts.
    let matrix = random.floats(rows * columns).map { 5 * $0 }
    for steps: Int32 in [0, 1, 3, 5] {
      var expected = matrix.map(Double.init)
      ref_newton_schulz(rows, columns, steps, &expected)
      let transposed = (0..<columns).flatMap { column in
        (0..<rows).map { expected[$0 * columns + column] }
      }
      expectSameBits { threads in
        var start = [Float](repeating: 0, count: rows * columns)
        #expect(oct_transpose(rows, columns, matrix, &start, threads) == OCT_OK)
        let x = Guarded(count: rows * columns, filledWith: start)
        let scratch = GuardedBytes(count: oct_newton_schulz_scratch_bytes(rows, columns, threads))
        #expect(oct_newton_schulz(rows, columns, steps, x.pointer, scratch.pointer, threads) == OCT_OK)
        expectAgreement(x, transposed, tolerance: 2e-5, "\(rows)×\(columns), \(steps) steps")
        #expect(scratch.isIntact)
        return [x.values]
      }
    }
  }

  @Test func singularValuesComeNearOne() {
    // Two columns of lengths 100 and 1: both are of about one length afterwards.
    var x: [Float] = [100, 0, 0, 1, 0, 0]
    var scratch = [UInt8](repeating: 0, count: oct_newton_schulz_scratch_bytes(2, 3, 1))
    #expect(oct_newton_schulz(2, 3, 5, &x, &scratch, 1) == OCT_OK)
    #expect(abs(x[0] - 1) < 0.35 && abs(x[3] - 1) < 0.35)
    #expect([1, 2, 4, 5].allSatisfy { abs(x[$0]) < 1e-6 })
  }

  @Test func zerosStayZeros() {
    let x = Guarded(count: 24, filledWith: [Float](repeating: 0, count: 24))
    var scratch = [UInt8](repeating: 0, count: oct_newton_schulz_scratch_bytes(4, 6, 1))
    #expect(oct_newton_schulz(4, 6, 5, x.pointer, &scratch, 1) == OCT_OK)
    #expect(x.values.allSatisfy { $0 == 0 } && x.isIntact)
  }

  @Test func sizesThatDoNotFitAreRefused() {
    var x = [Float](repeating: 1, count: 6)
    let source = x
    var velocity = x
    var scratch = [UInt8](repeating: 0, count: 64)
    for (rows, columns, steps) in [(3, 2, 5), (0, 2, 5), (-1, 2, 5), (2, 3, -1)] as [(Int, Int, Int32)] {
      #expect(oct_newton_schulz(rows, columns, steps, &x, &scratch, 1) == OCT_INVALID_DESCRIPTOR)
    }
    #expect(oct_newton_schulz(2, 3, 1, &x, &scratch, 0) == OCT_INVALID_DESCRIPTOR)
    #expect(oct_newton_schulz_scratch_bytes(3, 2, 1) == 0)
    #expect(oct_newton_schulz_scratch_bytes(2, 3, 0) == 0)
    #expect(oct_transpose(-1, 2, source, &x, 1) == OCT_INVALID_DESCRIPTOR)
    #expect(oct_muon_direction(-1, 0.9, true, 1, source, &velocity, &x, 1) == OCT_INVALID_DESCRIPTOR)
    #expect(oct_scale(-1, 0.9, source, &x, false, 1) == OCT_INVALID_DESCRIPTOR)
  }

  @Test(arguments: [0, 1, 17, 20_011], [false, true])
  func momentum(count: Int, nesterov: Bool) {
    var random = TestRandom(seed: 12)
    let gradient = random.floats(count), before = random.floats(count)
    let velocity = zip(before, gradient).map { 0.6 * Double($0) + 0.5 * Double($1) }
    let direction = zip(velocity, gradient).map { nesterov ? 0.5 * Double($1) + 0.6 * $0 : $0 }
    expectSameBits { threads in
      let v = Guarded(count: count, filledWith: before), d = random.guarded(count)
      #expect(
        oct_muon_direction(count, 0.6, nesterov, 0.5, gradient, v.pointer, d.pointer, threads) == OCT_OK)
      expectAgreement(v, velocity, tolerance: 4e-6)
      expectAgreement(d, direction, tolerance: 4e-6)
      return [v.values, d.values]
    }
  }

  @Test(arguments: [(1, 1), (1, 40), (40, 1), (16, 16), (17, 33), (130, 129)])
  func transposition(rows: Int, columns: Int) {
    var random = TestRandom(seed: 13)
    let source = random.floats(rows * columns)
    let expected = (0..<columns).flatMap { column in (0..<rows).map { source[$0 * columns + column] } }
    for threads: Int32 in [1, 3] {
      let target = random.guarded(rows * columns)
      #expect(oct_transpose(rows, columns, source, target.pointer, threads) == OCT_OK)
      #expect(target.values == expected && target.isIntact)
    }
  }

  @Test(arguments: [0, 1, 15, 33, 20_011], [false, true])
  func scaling(count: Int, accumulate: Bool) {
    var random = TestRandom(seed: 14)
    let source = random.floats(count)
    let expected = source.map { -0.3 * Double($0) }
    expectSameBits { threads in
      let target = Guarded(count: count, filledWith: source.map { 2 * $0 })
      #expect(oct_scale(count, -0.3, source, target.pointer, accumulate, threads) == OCT_OK)
      expectAgreement(target, expected, accumulating: accumulate)
      return [target.values]
    }
  }

  struct Patches { var n = 3, h = 5, w = 4, c = 3, kh = 2, kw = 2 }

  @Test(arguments: [
    Patches(), Patches(n: 1, h: 2, w: 2), Patches(n: 70, h: 3, w: 5, c: 1, kh: 3, kw: 2),
    Patches(n: 5, h: 7, w: 6, c: 2, kh: 1, kw: 4), Patches(n: 0), Patches(n: 130, h: 9, w: 9),
  ])
  func momentsOfPatches(_ p: Patches) {
    var random = TestRandom(seed: 15)
    let images = random.floats(p.n * p.h * p.w * p.c)
    let size = p.c * p.kh * p.kw
    // They are added to what is there.
    var expected = [Double](repeating: 0.5, count: size * size)
    ref_patch_moments(p.n, p.h, p.w, p.c, p.kh, p.kw, images, &expected)
    var descriptor = oct_patches_desc(n: p.n, h: p.h, w: p.w, c: p.c, kh: p.kh, kw: p.kw)
    var bits: [[UInt64]] = []
    for threads: Int32 in [1, 2, 5] {
      var moments = [Double](repeating: 0.5, count: size * size)
      let scratch = GuardedBytes(count: oct_patch_moments_scratch_bytes(&descriptor))
      #expect(oct_patch_moments(&descriptor, images, &moments, scratch.pointer, threads) == OCT_OK)
      #expect(zip(moments, expected).allSatisfy { abs($0 - $1) < 1e-9 * (1 + abs($1)) } && scratch.isIntact)
      bits.append(moments.map(\.bitPattern))
    }
    #expect(bits[1] == bits[0] && bits[2] == bits[0])
  }

  @Test func patchesThatDoNotFitAreRefused() {
    var moments = [0.0]
    var scratch = [UInt8](repeating: 0, count: 64)
    let good = oct_patches_desc(n: 1, h: 4, w: 4, c: 1, kh: 1, kw: 1)
    for bad in [
      altered(good, \.kh, 5), altered(good, \.kw, 0), altered(good, \.c, 0), altered(good, \.n, -1),
      altered(good, \.c, 1025),
    ] {
      var bad = bad
      #expect(oct_patch_moments(&bad, [0], &moments, &scratch, 1) == OCT_INVALID_DESCRIPTOR)
      #expect(oct_patch_moments_scratch_bytes(&bad) == 0)
    }
  }
}
