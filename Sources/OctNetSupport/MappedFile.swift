#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A file as memory that is read from the disk where it is touched, and dropped again where memory is short.
///
/// Unchecked: nobody writes to it. A file that somebody else shortens meanwhile ends the process, as the system has it;
/// files that are replaced as a whole (`AtomicFile`) stay what they were for whoever has them open.
package final class MappedFile: @unchecked Sendable {
  /// All bytes of the file when it was opened.
  package let bytes: UnsafeRawBufferPointer

  /// - Throws: `OctNetError.file` where the file is empty or the system refuses.
  package init(_ file: FileReader) throws(OctNetError) {
    guard file.size > 0 else { throw OctNetError.file(path: file.path, "the file is empty") }
    var start: UnsafeMutableRawPointer?
    var code: Int32 = 0
    file.withDescriptor { descriptor in
      start = mmap(nil, file.size, PROT_READ, MAP_SHARED, descriptor, 0)
      code = errno
    }
    guard let start, start != UnsafeMutableRawPointer(bitPattern: -1) else {
      throw OctNetError.system(file.path, "cannot map \(numbered(file.size, "byte"))", code)
    }
    bytes = UnsafeRawBufferPointer(start: start, count: file.size)
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }

  /// Asks the system to read a range in one go, in place of a page at a time.
  package func willNeed(_ range: Range<Int>) {
    guard let base = bytes.baseAddress, !range.isEmpty else { return }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let start = range.lowerBound / page * page
    madvise(UnsafeMutableRawPointer(mutating: base + start), range.upperBound - start, MADV_WILLNEED)
  }
}
