import CKernels
import Testing

/// Work that runs beside a convolution's gradient: every thread calls it once, and neither knows of the other.
@Suite struct SideWorkTests {
  typealias Case = ConvolutionTests.Case

  /// A direct sum in one part and in several, Winograd's algorithm, depthwise, narrow groups.
  static let cases = [
    Case(n: 2, ih: 5, iw: 4, ic: 130, oc: 100),
    Case(n: 40, ih: 8, iw: 8, ic: 20, oc: 30, kh: 1, kw: 1, ph: 0, pw: 0),
    Case(n: 12, ih: 8, iw: 8, ic: 64, oc: 64), Case(ic: 24, oc: 24, groups: 24),
    Case(ic: 24, oc: 24, groups: 6),
  ]

  @Test(arguments: cases, [1, 2, 3, 4])
  func runsOnceInEveryThread(testCase: Case, threads: Int) throws {
    var descriptor = testCase.descriptor
    var random = TestRandom(seed: 4)
    let d = descriptor
    let src = random.floats(d.n * d.ih * d.iw * d.ic), diffDst = random.floats(d.n * d.oh * d.ow * d.oc)
    let count = oct_conv2d_weights_count(&descriptor)
    let scratch = GuardedBytes(count: oct_conv2d_backward_weights_scratch_bytes(&descriptor, Int32(threads)))
    func gradient(_ work: UnsafePointer<oct_side_work>?) -> [Float] {
      let diffWeights = random.guarded(count)
      let status = oct_conv2d_backward_weights(
        &descriptor, src, diffDst, diffWeights.pointer, false, work, scratch.pointer, Int32(threads))
      #expect(status == OCT_OK && diffWeights.isIntact && scratch.isIntact)
      return diffWeights.values
    }
    let alone = gradient(nil)
    // A counter of its own for each thread, and one that says how many threads there were.
    let counters = UnsafeMutablePointer<Int32>.allocate(capacity: 2 * threads)
    counters.initialize(repeating: 0, count: 2 * threads)
    defer { counters.deallocate() }
    var work = oct_side_work(
      run: { context, thread, threads in
        guard let counters = context?.assumingMemoryBound(to: Int32.self) else { return }
        let mine = UnsafeMutablePointer(mutating: counters) + 2 * Int(thread)
        mine[0] += 1
        mine[1] = threads
      }, context: UnsafeRawPointer(counters))
    #expect(gradient(&work) == alone)
    #if OpenMP && os(Linux)
      let team = threads
    #else
      let team = 1
    #endif
    for thread in 0..<team {
      #expect(counters[2 * thread] == 1)
      #expect(counters[2 * thread + 1] == team)
    }
  }

  /// Updates handed over in shares are those that run alone.
  @Test func sharesOfUpdatesMakeTheWhole() {
    let counts = [1, 17, 5000]
    func weights(shares: Int32?) -> [[Float]] {
      var random = TestRandom(seed: 5)
      let memory = counts.map { count in
        (0..<4).map { _ in Guarded(count: count, filledWith: random.floats(count).map(abs)) }
      }
      let items = zip(counts, memory).map { count, m in
        var update = oct_update()
        update.optimizer = OCT_ADAM
        update.adam = oct_adam(
          beta1: 0.9, beta2: 0.999, learning_rate: 0.01, epsilon: 1e-8, weight_decay: 0.1, gradient_scale: 1,
          decoupled: true, step: 3)
        update.count = count
        update.gradient = UnsafePointer(m[0].pointer)
        (update.weights, update.first, update.second) = (m[1].pointer, m[2].pointer, m[3].pointer)
        return update
      }
      items.withUnsafeBufferPointer { items in
        var list = oct_updates(items: items.baseAddress, count: items.count)
        guard let shares else {
          #expect(oct_run_updates(&list, 2) == OCT_OK)
          return
        }
        for share in 0..<shares { oct_run_updates_share(&list, share, shares) }
      }
      #expect(memory.allSatisfy { $0.allSatisfy(\.isIntact) })
      return memory.flatMap { $0.map(\.values) }
    }
    let whole = weights(shares: nil)
    for shares in [1, 2, 7] as [Int32] { #expect(weights(shares: shares) == whole) }
  }
}
