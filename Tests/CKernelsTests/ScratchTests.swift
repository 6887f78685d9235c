import CKernels
import Testing

/// Whoever plans for a batch runs its last, smaller one too, and may use fewer threads: the scratch of the plan is enough.
@Suite struct ScratchTests {
  struct Fewer: CustomStringConvertible, Sendable {
    let planned: ConvolutionTests.Case
    let threads: Int32
    let images: Int
    let team: Int32

    init(
      _ n: Int, _ size: Int, _ ic: Int, _ oc: Int, kernel: Int = 3, threads: Int32, images: Int? = nil,
      team: Int32? = nil
    ) {
      planned = .init(
        n: n, ih: size, iw: size, ic: ic, oc: oc, kh: kernel, kw: kernel, ph: kernel / 2, pw: kernel / 2)
      self.threads = threads
      self.images = images ?? n
      self.team = team ?? threads
    }
    var description: String {
      "\(planned), \(threads) threads, then \(images) images and \(team) threads"
    }
  }

  /// Runs of channels become longer; the packed way is taken; smaller tiles pay, where larger ones do not; fewer parts are cut in
  /// fewer runs.
  static let fewer = [
    Fewer(16, 28, 256, 512, threads: 8, team: 7),
    Fewer(8, 7, 256, 256, kernel: 1, threads: 2, team: 1),
    Fewer(7, 9, 96, 96, threads: 4, images: 6),
    Fewer(8, 10, 40, 40, threads: 2, images: 6),
    Fewer(10, 14, 16, 256, threads: 3, images: 8),
  ]

  @Test(arguments: fewer) func weightsOfFewerImagesAndThreads(shape: Fewer) {
    var planned = shape.planned.descriptor, d = planned
    d.n = shape.images
    let scratch = GuardedBytes(count: oct_conv2d_backward_weights_scratch_bytes(&planned, shape.threads))
    var random = TestRandom(seed: 3)
    let src = random.floats(d.n * d.ih * d.iw * d.ic), diffDst = random.floats(d.n * d.oh * d.ow * d.oc)
    let gradient = random.guarded(oct_conv2d_weights_count(&d))
    #expect(
      oct_conv2d_backward_weights(
        &d, src, diffDst, gradient.pointer, false, nil, scratch.pointer, shape.team) == OCT_OK)
    #expect(scratch.isIntact && gradient.isIntact)
  }

  /// All smaller batches and teams of shapes beside the limits of tiles, parts and runs: of every pass.
  @Test func fewerNeverNeedMore() {
    let shapes = [
      (9, 9, 96, 96, 3), (12, 10, 40, 40, 3), (12, 14, 16, 256, 3), (9, 7, 256, 256, 1), (24, 8, 64, 130, 3),
      (5, 28, 192, 320, 3), (6, 4, 3, 80, 5),
    ]
    for (images, size, ic, oc, kernel) in shapes {
      var most = Fewer(images, size, ic, oc, kernel: kernel, threads: 6).planned.descriptor
      for count in 1...images {
        var d = most
        d.n = count
        for team in 1...Int32(6) {
          for bytes in [
            oct_conv2d_forward_scratch_bytes, oct_conv2d_backward_data_scratch_bytes,
            oct_conv2d_backward_weights_scratch_bytes,
          ] {
            let (few, all) = (bytes(&d, team), bytes(&most, 6))
            #expect(few <= all, "\(size)×\(size)×\(ic)→\(oc), \(count) images, \(team) threads")
          }
        }
      }
    }
  }

  @Test func normsOfFewerRows() {
    for pixels in [1, 7, 64, 130, 256, 5000] {
      var most = oct_group_norm_desc(n: 64, pixels: pixels, c: 24, groups: 3, epsilon: 1e-5)
      for count in 1...64 {
        var d = most
        d.n = count
        #expect(
          oct_group_norm_scratch_bytes(&d) <= oct_group_norm_scratch_bytes(&most), "\(count) × \(pixels)")
      }
    }
    for c in [1, 3, 16, 24, 56, 400] {
      var most = oct_batch_norm_desc(rows: 2048, c: c, epsilon: 1e-5, momentum: 0.1, activation: .init())
      let bias = oct_bias_backward_scratch_bytes(2048, c)
      for rows in 1...2048 {
        var d = most
        d.rows = rows
        #expect(oct_batch_norm_scratch_bytes(&d) <= oct_batch_norm_scratch_bytes(&most), "\(rows) × \(c)")
        #expect(oct_bias_backward_scratch_bytes(rows, c) <= bias, "\(rows) × \(c)")
      }
    }
  }

  /// An image's statistics do not depend on how many are beside it.
  @Test func groupNormHasTheSameBitsInAnyBatch() {
    let (pixels, c) = (256, 12)
    var random = TestRandom(seed: 4)
    let src = random.floats(64 * pixels * c), gamma = random.floats(c), beta = random.floats(c)
    func forward(_ n: Int) -> [Float] {
      var d = oct_group_norm_desc(n: n, pixels: pixels, c: c, groups: 3, epsilon: 1e-5)
      let dst = random.guarded(n * pixels * c)
      let scratch = GuardedBytes(count: oct_group_norm_scratch_bytes(&d))
      #expect(
        oct_group_norm_forward(&d, src, gamma, beta, dst.pointer, nil, nil, scratch.pointer, 2) == OCT_OK)
      #expect(scratch.isIntact && dst.isIntact)
      return dst.values
    }
    let whole = forward(64)
    for n in [1, 3, 32, 63] { #expect(forward(n) == Array(whole.prefix(n * pixels * c)), "\(n)") }
  }
}
