import CKernels
import OctNetCheckpoint
import OctNetCore
import OctNetSupport
import OctNetTraining

/// Times the convolution kernels on the shapes of real networks, against the machine's own peak.
public struct KernelBenchmark {
  /// One pass of a convolution.
  public enum Pass: String, Codable, CaseIterable, Sendable {
    /// The convolution itself.
    case forward
    /// The gradient of the source.
    case backwardData = "backward-data"
    /// The gradient of the weights.
    case backwardWeights = "backward-weights"
  }

  /// What one pass of one convolution took.
  public struct Timing: Codable, Sendable {
    /// Which pass.
    public let pass: Pass
    /// Median of the repetitions.
    public let milliseconds: Double
    /// Counted in multiplications and additions of the direct algorithm, also where Winograd's does fewer.
    public let gflops: Double
    /// Of the machine's peak; more than 1 where padding is skipped, since its multiplications are counted.
    public let fractionOfPeak: Double
    /// 10⁹ bytes a second of both maps and the weights, each counted once.
    public let gigabytesPerSecond: Double
  }

  /// All passes of one convolution.
  public struct Result: Codable, Sendable {
    /// Images, height and width, input channels, output channels, kernel size; and g with the groups where there are some.
    public let shape: String
    /// In the order of `Pass`.
    public let timings: [Timing]
  }

  /// OpenMP threads.
  public let threads: Int
  /// Of each pass; the median counts.
  public let repetitions: Int

  /// - Parameters:
  ///   - threads: OpenMP threads that it uses.
  ///   - repetitions: the median of so many counts.
  public init(threads: Int, repetitions: Int = 9) {
    precondition(threads > 0 && repetitions > 0)
    self.threads = threads
    self.repetitions = repetitions
  }

  /// - Throws: `OctNetError.configuration` for more threads than there may be, or than there is room for.
  public func validate() throws(OctNetError) {
    try Machine.checkEnvironment()
    try SettingBounds.check(threads, in: SettingBounds.threads, "threads")
    try MemoryDemand.check(threads: threads, stack: KernelThreads.stackBytes)
  }

  /// Instruction set in use: avx512, avx2 or portable.
  public static var instructionSet: String { Machine.current.instructionSet }

  /// Fused multiply–adds a second that the threads reach with nothing else to do, in GFLOP/s (best of several).
  public func peak() -> Double {
    var best = 0.0
    for _ in 0..<repetitions {
      var operations = 0.0
      let seconds = elapsed { operations = oct_fma_burn(4_000_000, Int32(threads)) }
      best = max(best, operations / seconds * 1e-9)
    }
    return best
  }

  /// What the threads reach when they copy a map that no cache holds: 10⁹ bytes read and written a second (best of
  /// several).
  public func bandwidth() -> Double {
    let count = 64 << 20
    let source = AlignedBuffer(byteCount: count * MemoryLayout<Float>.stride)
    let copy = AlignedBuffer(byteCount: count * MemoryLayout<Float>.stride)
    // The first pass makes the pages of the copy, and those of the source are not to be one shared page of zeros.
    check(oct_axpby(count, 1, copy.floats, 1, source.floats, Int32(threads)))
    var best = 0.0
    for _ in 0..<repetitions + 1 {
      let seconds = elapsed { check(oct_copy(count, source.floats, copy.floats, Int32(threads))) }
      best = max(best, 2 * Double(count * MemoryLayout<Float>.stride) / seconds * 1e-9)
    }
    return best
  }

  /// Every shape of the list in every pass, one after the other.
  public func run(peak: Double, onResult: (Result) throws -> Void) rethrows {
    for desc in Self.shapes { try onResult(measure(desc, peak: peak)) }
  }

  static var shapes: UnsafeBufferPointer<oct_conv2d_desc> {
    var count = 0
    let first = oct_conv2d_benchmark_shapes(&count)
    return UnsafeBufferPointer(start: first, count: count)
  }

  private func measure(_ desc: oct_conv2d_desc, peak: Double) -> Result {
    let source = Self.buffer(desc.n * desc.ih * desc.iw * desc.ic)
    let gradient = Self.buffer(desc.n * desc.oh * desc.ow * desc.oc)
    let output = AlignedBuffer(byteCount: desc.n * desc.oh * desc.ow * desc.oc * MemoryLayout<Float>.stride)
    let weightCount = withUnsafePointer(to: desc) { oct_conv2d_weights_count($0) }
    let weights = Self.buffer(weightCount)
    let weightGradient = AlignedBuffer(byteCount: weightCount * MemoryLayout<Float>.stride)
    let bytes =
      MemoryLayout<Float>.stride
      * (desc.n * (desc.ih * desc.iw * desc.ic + desc.oh * desc.ow * desc.oc) + weightCount)
    let operations =
      2 * Double(desc.n * desc.oh * desc.ow * desc.oc) * Double(desc.ic / desc.g * desc.kh * desc.kw)

    func timing(_ pass: Pass, scratchBytes: Int, _ body: (UnsafeMutableRawPointer) -> oct_status) -> Timing {
      let scratch = AlignedBuffer(byteCount: scratchBytes)
      let memory = UnsafeMutableRawPointer(scratch.floats)
      check(body(memory))
      let seconds = (0..<repetitions).map { _ in elapsed { check(body(memory)) } }.sorted()[repetitions / 2]
      let gflops = operations / seconds * 1e-9
      return Timing(
        pass: pass, milliseconds: seconds * 1e3, gflops: gflops, fractionOfPeak: gflops / peak,
        gigabytesPerSecond: Double(bytes) / seconds * 1e-9)
    }

    let count = Int32(threads)
    let timings = withUnsafePointer(to: desc) { desc in
      [
        timing(.forward, scratchBytes: oct_conv2d_forward_scratch_bytes(desc, count)) {
          oct_conv2d_forward(desc, source.floats, weights.floats, nil, output.floats, false, $0, count)
        },
        timing(.backwardData, scratchBytes: oct_conv2d_backward_data_scratch_bytes(desc, count)) {
          // The source itself is not needed any more: its gradient has the same size.
          oct_conv2d_backward_data(desc, gradient.floats, weights.floats, source.floats, false, $0, count)
        },
        timing(.backwardWeights, scratchBytes: oct_conv2d_backward_weights_scratch_bytes(desc, count)) {
          oct_conv2d_backward_weights(
            desc, source.floats, gradient.floats, weightGradient.floats, false, nil, $0, count)
        },
      ]
    }
    return Result(
      shape: "\(desc.n),\(desc.ih),\(desc.ic),\(desc.oc),\(desc.kh)"
        + (desc.g > 1 ? ",g\(desc.g)" : ""), timings: timings)
  }

  /// Small numbers of both signs, so that nothing overflows or becomes denormal.
  private static func buffer(_ count: Int) -> AlignedBuffer {
    let buffer = AlignedBuffer(byteCount: count * MemoryLayout<Float>.stride)
    var stream = RandomStream(seed: 1, "benchmark", count)
    // A period is enough, and quick to fill in a debug build.
    let period = (0..<1021).map { _ in stream.uniform() - 0.5 }
    var start = 0
    while start < count {
      let length = min(period.count, count - start)
      (buffer.floats + start).update(from: period, count: length)
      start += length
    }
    return buffer
  }

  private func elapsed(_ body: () -> Void) -> Double {
    let clock = ContinuousClock()
    let start = clock.now
    body()
    return (clock.now - start).inSeconds
  }
}
