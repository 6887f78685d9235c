#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A regular file open for reading at any position, without a buffer: pieces go straight where they belong.
public final class FileReader {
  /// As it was opened.
  public let path: String
  /// Bytes of the file when it was opened.
  public let size: Int
  /// When it was written last: nanoseconds since 1970.
  package let modified: Int64
  private let descriptor: Int32

  /// - Parameters:
  ///   - path: the file.
  ///   - limit: bytes that the format may have at most.
  /// - Throws: `OctNetError.file` for a missing or unreadable file, anything but a regular file, and one beyond the limit.
  public convenience init(path: String, limit: Int = .max) throws(OctNetError) {
    try self.init(FilePath(path), limit: limit)
  }

  /// The same where the name may not be UTF-8.
  package init(_ file: FilePath, limit: Int = .max) throws(OctNetError) {
    let path = file.description
    // Without O_NONBLOCK, opening a pipe waits until somebody writes into it.
    let descriptor = file.withCString { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) }
    guard descriptor >= 0 else {
      let code = errno
      if code == ENOENT, let target = file.linkTarget {
        throw OctNetError.file(path: path, "cannot open: a link to \(target), which does not exist")
      }
      throw OctNetError.system(path, "cannot open", code)
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let code = errno
      close(descriptor)
      throw OctNetError.system(path, "cannot read", code)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      close(descriptor)
      let isDirectory = status.st_mode & S_IFMT == S_IFDIR
      throw OctNetError.file(
        path: path, "expected a file, found a \(isDirectory ? "directory" : "device or pipe")")
    }
    guard Int(status.st_size) <= limit else {
      close(descriptor)
      throw OctNetError.file(
        path: path, "found \(numbered(status.st_size, "byte")), expected at most \(limit)")
    }
    self.path = path
    self.descriptor = descriptor
    size = Int(status.st_size)
    #if canImport(Darwin)
      let time = status.st_mtimespec
    #else
      let time = status.st_mtim
    #endif
    // Dates beyond 2262 wrap around, which tells them from each other all the same.
    modified = Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }

  deinit { close(descriptor) }

  /// For calls that take a descriptor, whose position nobody has moved.
  func withDescriptor(_ body: (Int32) -> Void) { body(descriptor) }

  /// The `count` bytes from `offset` on.
  /// - Throws: `OctNetError.file` where the file ends before that.
  public func bytes(at offset: Int, count: Int) throws(OctNetError) -> [UInt8] {
    precondition(offset >= 0 && count >= 0)
    guard offset <= size, count <= size - offset else {
      throw OctNetError.file(
        path: path, "truncated: expected \(numbered(count, "byte")) at offset \(offset), the file has \(size)"
      )
    }
    try requireMemory(count)
    var failure: OctNetError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      guard let base = buffer.baseAddress else { return }
      while initialized < count {
        let chunk = pread(
          descriptor, base + initialized, count - initialized, off_t(offset + initialized))
        if chunk < 0 && errno == EINTR { continue }
        guard chunk > 0 else {
          failure =
            chunk < 0
            ? OctNetError.system(path, "cannot read", errno)
            : OctNetError.file(path: path, "truncated while it was read: expected \(numbered(size, "byte"))")
          return
        }
        initialized += chunk
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Before memory is asked for so many bytes of the file: a few bytes of a sparse file can promise a terabyte.
  ///
  /// - Throws: `OctNetError.file` where there is less. Small amounts are not asked about.
  package func requireMemory(
    _ count: Int, available: () -> AvailableMemory? = { .now() }
  ) throws(OctNetError) {
    guard count >= 1 << 26, let available = available(), count > available.bytes else { return }
    throw OctNetError.file(
      path: path, "takes \(MemoryDemand.shortage(count, available))")
  }

  /// Whether there is anything under this name.
  package static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  package static func isDirectory(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// The whole file, which may have `limit` bytes at most: whoever reads a file into memory says how large its format can
  /// be.
  public static func bytes(of path: String, limit: Int) throws(OctNetError) -> [UInt8] {
    let reader = try FileReader(path: path, limit: limit)
    return try reader.bytes(at: 0, count: reader.size)
  }
}
