#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Zeroed memory on a boundary that suits cache lines, and large pages where the buffer is large.
///
/// Pages of a large buffer take memory when they are first touched: gradients cost nothing in a process that only runs
/// a network forward.
///
/// Unchecked: a buffer is owned by one object that guards who touches it.
final class AlignedBuffer: @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  let byteCount: Int
  /// What the system mapped for a large buffer; a small one comes from the heap.
  private let mapping: UnsafeMutableRawBufferPointer?

  init(byteCount: Int) {
    // A transparent huge page is 2 MiB; the kernels walk rows far apart and would miss in the TLB at every one.
    let large = 1 << 21
    let alignment = byteCount >= 2 * large ? large : 64
    let rounded = max(alignment, (byteCount + alignment - 1) / alignment * alignment)
    self.byteCount = rounded
    guard alignment == large else {
      var pointer: UnsafeMutableRawPointer?
      guard posix_memalign(&pointer, alignment, rounded) == 0, let pointer else {
        preconditionFailure("out of memory: \(rounded) bytes")
      }
      memset(pointer, 0, rounded)
      base = pointer
      mapping = nil
      return
    }
    // One alignment more than needed, so that a boundary lies inside.
    let length = rounded + large
    guard
      let start = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      start != UnsafeMutableRawPointer(bitPattern: -1)
    else { preconditionFailure("out of memory: \(rounded) bytes") }
    base = start.alignedUp(toMultipleOf: large)
    mapping = UnsafeMutableRawBufferPointer(start: start, count: length)
    #if os(Linux)
      madvise(base, rounded, 14 /* MADV_HUGEPAGE */)
    #endif
  }

  deinit {
    guard let mapping else { return free(base) }
    munmap(mapping.baseAddress, mapping.count)
  }

  /// Gives the whole pages inside a range of bytes back to the system; they may read as zeros from now on.
  func release(_ range: Range<Int>) {
    #if os(Linux)
      guard mapping != nil else { return }
      let page = 4096
      let first = (range.lowerBound + page - 1) / page * page
      let end = min(range.upperBound, byteCount) / page * page
      if first < end { madvise(base + first, end - first, 4 /* MADV_DONTNEED */) }
    #endif
  }

  var floats: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }
}
