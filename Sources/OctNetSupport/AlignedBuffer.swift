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
package final class AlignedBuffer: @unchecked Sendable {
  /// Bytes of a cache line: where every map, parameter and scratch memory begins.
  package static let cacheLine = 64

  package let base: UnsafeMutableRawPointer
  let byteCount: Int
  /// What the system mapped for a large buffer; a small one comes from the heap.
  private let mapping: UnsafeMutableRawBufferPointer?

  /// - Precondition: there is the memory. Sizes that follow from settings are checked before (`MemoryDemand`).
  package convenience init(byteCount: Int) {
    guard let memory = Self.allocate(byteCount) else {
      preconditionFailure("out of memory: \(byteCount) bytes")
    }
    self.init(memory)
  }

  /// - Throws: `OctNetError.configuration` where the system refuses the memory.
  package convenience init(byteCount: Int, for setting: String) throws(OctNetError) {
    guard let memory = Self.allocate(byteCount) else {
      throw OctNetError.configuration(
        key: setting, "the system refuses \(MemoryDemand.text(byteCount)) of memory in one piece")
    }
    self.init(memory)
  }

  private typealias Memory = (
    base: UnsafeMutableRawPointer, byteCount: Int, mapping: UnsafeMutableRawBufferPointer?
  )

  private init(_ memory: Memory) { (base, byteCount, mapping) = memory }

  private static func allocate(_ byteCount: Int) -> Memory? {
    // A transparent huge page is 2 MiB; the kernels walk rows far apart and would miss in the TLB at every one.
    let large = 1 << 21
    let alignment = byteCount >= 2 * large ? large : cacheLine
    let rounded = max(alignment, (byteCount + alignment - 1) / alignment * alignment)
    guard alignment == large else {
      var pointer: UnsafeMutableRawPointer?
      guard posix_memalign(&pointer, alignment, rounded) == 0, let pointer else { return nil }
      memset(pointer, 0, rounded)
      return (pointer, rounded, nil)
    }
    // One alignment more than needed, so that a boundary lies inside.
    let length = rounded + large
    guard
      let start = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      start != UnsafeMutableRawPointer(bitPattern: -1)
    else { return nil }
    let base = start.alignedUp(toMultipleOf: large)
    #if os(Linux)
      madvise(base, rounded, 14 /* MADV_HUGEPAGE */)
    #endif
    return (base, rounded, UnsafeMutableRawBufferPointer(start: start, count: length))
  }

  deinit {
    guard let mapping else { return free(base) }
    munmap(mapping.baseAddress, mapping.count)
  }

  /// Gives the whole pages inside a range of bytes back to the system; they may read as zeros from now on.
  package func release(_ range: Range<Int>) {
    #if os(Linux)
      guard mapping != nil else { return }
      let page = 4096
      let first = (range.lowerBound + page - 1) / page * page
      let end = min(range.upperBound, byteCount) / page * page
      if first < end { madvise(base + first, end - first, 4 /* MADV_DONTNEED */) }
    #endif
  }

  package var floats: UnsafeMutablePointer<Float> { base.assumingMemoryBound(to: Float.self) }
}
