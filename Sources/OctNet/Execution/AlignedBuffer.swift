#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Zeroed memory on a boundary that suits cache lines, and large pages where the buffer is large.
///
/// Unchecked: a buffer is owned by one object that guards who touches it.
final class AlignedBuffer: @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  let byteCount: Int

  init(byteCount: Int) {
    // A transparent huge page is 2 MiB; the kernels walk rows far apart and would miss in the TLB at every one.
    let large = 1 << 21
    let alignment = byteCount >= 2 * large ? large : 64
    let rounded = max(alignment, (byteCount + alignment - 1) / alignment * alignment)
    var pointer: UnsafeMutableRawPointer?
    guard posix_memalign(&pointer, alignment, rounded) == 0, let pointer else {
      preconditionFailure("out of memory: \(rounded) bytes")
    }
    #if os(Linux)
      if alignment == large { madvise(pointer, rounded, 14 /* MADV_HUGEPAGE */) }
    #endif
    memset(pointer, 0, rounded)
    base = pointer
    self.byteCount = rounded
  }

  deinit { free(base) }

  var floats: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }
}
