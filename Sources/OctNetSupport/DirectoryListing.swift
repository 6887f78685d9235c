#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What a folder holds, by names as the system has them. Links count as what they lead to.
package struct DirectoryListing {
  package struct Entry: Sendable {
    package let name: FilePath
    package let isDirectory: Bool
  }

  /// Sorted by name, without "." and "..".
  package let entries: [Entry]
  package let identity: Identity

  /// The same folder under whatever path.
  package struct Identity: Hashable, Sendable {
    let device: UInt64, file: UInt64
  }

  /// - Throws: `OctNetError.file` for a folder that cannot be read.
  package init(_ path: FilePath) throws(OctNetError) {
    guard let directory = path.withCString({ opendir($0) }) else {
      let code = errno
      if code == ENOENT, let target = path.linkTarget {
        throw OctNetError.file(
          path: "\(path)", "cannot list the folder: a link to \(target), which does not exist")
      }
      throw OctNetError.system("\(path)", "cannot list the folder", code)
    }
    defer { closedir(directory) }
    var status = stat()
    guard fstat(dirfd(directory), &status) == 0 else {
      throw OctNetError.system("\(path)", "cannot list the folder", errno)
    }
    identity = Identity(device: UInt64(status.st_dev), file: UInt64(status.st_ino))
    var entries: [Entry] = []
    while true {
      errno = 0
      guard let entry = readdir(directory) else { break }
      let name = FilePath(bytes: Self.name(of: entry))
      guard name.bytes != [0x2e], name.bytes != [0x2e, 0x2e] else { continue }
      let type = Int32(entry.pointee.d_type)
      let isKnown = type == Int32(DT_REG) || type == Int32(DT_DIR)
      let isDirectory = isKnown ? type == Int32(DT_DIR) : path.appending(name).isDirectory
      entries.append(Entry(name: name, isDirectory: isDirectory))
    }
    guard errno == 0 else { throw OctNetError.system("\(path)", "cannot list the folder", errno) }
    self.entries = entries.sorted { $0.name < $1.name }
  }

  /// Read where it lies: the record is only as long as its name.
  private static func name(of entry: UnsafeMutablePointer<dirent>) -> [UInt8] {
    guard let offset = MemoryLayout<dirent>.offset(of: \.d_name) else { return [] }
    let start = UnsafeRawPointer(entry) + offset
    return Array(
      UnsafeRawBufferPointer(start: start, count: strlen(start.assumingMemoryBound(to: CChar.self))))
  }
}

extension FilePath {
  /// A folder, or a link to one.
  package var isDirectory: Bool {
    var status = stat()
    return withCString { stat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// Whether this is a link to something that does not exist.
  package var isDanglingLink: Bool {
    var status = stat()
    return withCString { stat($0, &status) } != 0 && linkTarget != nil
  }

  /// What the link says that this is; nil where it is none.
  package var linkTarget: FilePath? {
    var target = [CChar](repeating: 0, count: Int(PATH_MAX))
    let size = target.count
    let count = withCString { readlink($0, &target, size) }
    return count < 0 ? nil : FilePath(bytes: target.prefix(count).map(UInt8.init(bitPattern:)))
  }
}
