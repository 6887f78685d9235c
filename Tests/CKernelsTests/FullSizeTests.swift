import CKernels
import CReference
import Foundation
import Testing

/// The shapes that speed is measured on at their full sizes, where chunks, parts and prefetches are those of real networks:
/// 200 numbers of each pass against plain sums.
@Suite struct FullSizeTests {
  static let shapes: Range<Int> = {
    var count = 0
    _ = oct_conv2d_benchmark_shapes(&count)
    return 0..<count
  }()

  private struct Memory {
    let buffer: UnsafeMutableBufferPointer<Float>

    init(_ count: Int, seed: UInt32) {
      let bytes = (count * MemoryLayout<Float>.stride + 63) / 64 * 64
      let raw = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
      buffer = UnsafeMutableBufferPointer(
        start: raw.bindMemory(to: Float.self, capacity: count), count: count)
      ref_fill(count, seed, pointer)
    }

    var pointer: UnsafeMutablePointer<Float> {
      guard let base = buffer.baseAddress else { preconditionFailure("allocated above") }
      return base
    }

    func free() { buffer.baseAddress?.deallocate() }
  }

  /// Root mean square of the differences to what `expected` says, over that of the values.
  private func error(_ count: Int, _ found: (Int) -> Float, _ expected: (Int) -> Double) -> Double {
    var state: UInt64 = 12345
    var difference = 0.0, size = 0.0
    for _ in 0..<200 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let index = Int((state >> 33) % UInt64(count))
      let value = expected(index)
      difference += (Double(found(index)) - value) * (Double(found(index)) - value)
      size += value * value
    }
    return (difference / size).squareRoot()
  }

  @Test(arguments: shapes) func sampledNumbersAgree(shape: Int) throws {
    var count = 0
    var d = oct_conv2d_benchmark_shapes(&count)[shape]
    var reference = d.reference
    let oihwCount = d.oc * (d.ic / d.g) * d.kh * d.kw
    let src = Memory(d.n * d.ih * d.iw * d.ic, seed: 1), gradient = Memory(d.n * d.oh * d.ow * d.oc, seed: 2)
    let dst = Memory(gradient.buffer.count, seed: 3), diffSrc = Memory(src.buffer.count, seed: 4)
    let oihw = Memory(oihwCount, seed: 5), diffOIHW = Memory(oihwCount, seed: 6)
    let weights = Memory(oct_conv2d_weights_count(&d), seed: 7)
    let diffWeights = Memory(weights.buffer.count, seed: 8)
    let bytes = max(
      oct_conv2d_forward_scratch_bytes(&d, 2), oct_conv2d_backward_data_scratch_bytes(&d, 2),
      oct_conv2d_backward_weights_scratch_bytes(&d, 2))
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: max(bytes, 64), alignment: 64)
    defer {
      for memory in [src, gradient, dst, diffSrc, oihw, diffOIHW, weights, diffWeights] { memory.free() }
      scratch.deallocate()
    }
    oct_conv2d_pack_weights(&d, oihw.pointer, weights.pointer)
    #expect(
      oct_conv2d_forward(&d, src.pointer, weights.pointer, nil, dst.pointer, false, scratch, 2) == OCT_OK)
    #expect(
      oct_conv2d_backward_data(&d, gradient.pointer, weights.pointer, diffSrc.pointer, false, scratch, 2)
        == OCT_OK)
    #expect(
      oct_conv2d_backward_weights(
        &d, src.pointer, gradient.pointer, diffWeights.pointer, false, nil, scratch, 2) == OCT_OK)
    oct_conv2d_unpack_weights(&d, diffWeights.pointer, diffOIHW.pointer)
    let forward = error(dst.buffer.count, { dst.buffer[$0] }) {
      ref_conv2d_forward_at(&reference, src.pointer, oihw.pointer, $0)
    }
    let data = error(diffSrc.buffer.count, { diffSrc.buffer[$0] }) {
      ref_conv2d_backward_data_at(&reference, gradient.pointer, oihw.pointer, $0)
    }
    let gradients = error(oihwCount, { diffOIHW.buffer[$0] }) {
      ref_conv2d_backward_weights_at(&reference, src.pointer, gradient.pointer, $0)
    }
    #expect(forward < 2e-6)
    #expect(data < 2e-6)
    // Sums of up to 50,176 pixels.
    #expect(gradients < 1e-5)
  }

  /// On a machine that has it, what the environment names runs: a test run under another name tests something else.
  @Test func theInstructionSetIsTheOneAskedFor() {
    #expect(oct_isa_is_valid() && oct_machine_is_valid())
    let caches = oct_active_machine()
    #expect(caches.l1_bytes >= 1024 && caches.l2_bytes >= caches.l1_bytes)
    guard let cap = ProcessInfo.processInfo.environment["OCTNET_MAX_ISA"] else { return }
    let name = String(cString: oct_isa_name(oct_active_isa()))
    #if arch(x86_64)
      #expect(name == cap, "OCTNET_MAX_ISA is \(cap), and this machine runs \(name)")
    #else
      #expect(name == "portable" && ["portable", "avx2", "avx512"].contains(cap))
    #endif
  }
}
