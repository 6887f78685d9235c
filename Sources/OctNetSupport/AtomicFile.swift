import Foundation

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Writes files so that a full disk, a crash or a kill leaves what was there before untouched.
///
/// The bytes go to a temporary name in the same directory (a rename is atomic only within a file system), are
/// flushed to the disk, and take the final name in one step. A destination that exists and is not a regular file
/// (a pipe, a terminal, `/dev/stdout`) has nothing to protect and is written in place. A symbolic link stays a link, also one
/// to what is not there yet.
public enum AtomicFile {
  /// Every temporary file's name ends so; a killed process can leave one behind.
  package static let temporarySuffix = ".octnet-tmp"

  /// What stands before the number, and the suffix, in the names of a file's temporary ones.
  private static func temporaryPrefix(of name: String) -> String { ".\(name)." }

  /// Calls `body` with a writer; the file appears under `path` when it returns. Errors of `body` are passed on,
  /// after the temporary file is gone.
  public static func write<Result>(to path: String, _ body: (FileWriter) throws -> Result) throws -> Result {
    try write(to: path, opening: openExclusively, body)
  }

  /// For whoever computes for long before it writes: whether a file can appear under `path`, as far as its directory says.
  /// - Throws: what `write` would.
  package static func requireDirectory(of path: String) throws(OctNetError) {
    if let stream = standardStream(path) {
      close(stream)
      return
    }
    let destination = resolvingLinks(path)
    guard !FileReader.isDirectory(destination) else { throw OctNetError.system(path, "cannot write", EISDIR) }
    guard !isSpecial(destination) else { return }
    let directory = split(destination).directory
    guard access(directory + "/", W_OK | X_OK) == 0 else {
      throw OctNetError.system(path, "cannot create", errno)
    }
  }

  /// - Parameters:
  ///   - path: the file.
  ///   - text: what is written, as UTF-8.
  ///   - onlyIfChanged: leaves a file that holds this text already as it is, its times too.
  public static func write(_ text: String, to path: String, onlyIfChanged: Bool = false) throws(OctNetError) {
    if onlyIfChanged, let reader = try? FileReader(path: path), reader.size == text.utf8.count,
      let bytes = try? reader.bytes(at: 0, count: reader.size), bytes.elementsEqual(text.utf8)
    {
      return
    }
    do {
      try write(to: path) { try $0.write(text) }
    } catch { throw OctNetError.wrapping(error, path: path) }
  }

  /// `opening` creates the temporary file; tests replace it by a device that is always full.
  static func write<Result>(
    to path: String, opening: (String) -> Int32, _ body: (FileWriter) throws -> Result
  ) throws -> Result {
    let destination = resolvingLinks(path)
    let stream = standardStream(path)
    if stream != nil || isSpecial(destination) {
      let descriptor = stream ?? open(destination, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw OctNetError.system(path, "cannot write", errno) }
      defer { close(descriptor) }
      return try body(FileWriter(descriptor: descriptor, path: path, seeks: stream == nil))
    }
    guard !isLink(destination) else { throw OctNetError.system(path, "cannot write", ELOOP) }

    let (directory, name) = split(destination)
    let number = String(UInt32.random(in: .min ... .max), radix: 16)
    let temporary = "\(directory)/\(temporaryPrefix(of: name))\(number)\(temporarySuffix)"
    let descriptor = opening(temporary)
    guard descriptor >= 0 else { throw OctNetError.system(path, "cannot create", errno) }
    var isOpen = true
    do {
      let result = try body(FileWriter(descriptor: descriptor, path: path))
      guard fsync(descriptor) == 0 else { throw OctNetError.system(path, "cannot flush", errno) }
      // The lock lasts until the file has its name: else another one could take it for abandoned.
      let held = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
      defer { if held >= 0 { close(held) } }
      isOpen = false
      guard close(descriptor) == 0 else { throw OctNetError.system(path, "cannot close", errno) }
      guard rename(temporary, destination) == 0 else {
        throw OctNetError.system(path, "cannot rename", errno)
      }
      try flushDirectory(directory, path: path)
      removeAbandoned(in: directory, of: name)
      return result
    } catch {
      if isOpen { close(descriptor) }
      unlink(temporary)
      throw error
    }
  }

  /// A new file, locked for as long as it is open: that tells it from what a killed process left behind.
  private static func openExclusively(_ path: String) -> Int32 {
    for attempt in 0..<100 {
      let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      guard descriptor >= 0 else {
        // Whoever took the last one for abandoned has not removed it yet.
        guard attempt > 0, errno == EEXIST else { return descriptor }
        usleep(200)
        continue
      }
      // Between its creation and the lock the file looks abandoned, and somebody may tidy it away.
      if case .taken = FileLock.lock(descriptor) {
        close(descriptor)
      } else if FileLock.isStill(descriptor, path) {
        return descriptor
      } else {
        close(descriptor)
      }
    }
    errno = EBUSY
    return -1
  }

  /// Removes the temporary files that killed processes left in a directory; those that are being written stay, whosever
  /// they are. Where the file system has no locks to tell them apart, all stay.
  /// - Parameter destination: of the file of this name only.
  package static func removeAbandoned(in directory: String, of destination: String = "") {
    let prefix = temporaryPrefix(of: destination)
    for name in (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    where name.hasSuffix(temporarySuffix)
      && (destination.isEmpty
        || name.hasPrefix(prefix)
          && !name.dropFirst(prefix.count).dropLast(temporarySuffix.count).contains("."))
    {
      let path = directory + "/" + name
      let descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
      guard descriptor >= 0 else { continue }
      if case .held = FileLock.lock(descriptor), FileLock.isStill(descriptor, path) { unlink(path) }
      close(descriptor)
    }
  }

  /// The rename itself is in the directory, which has buffers of its own.
  private static func flushDirectory(_ directory: String, path: String) throws {
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return }  // write-only directory: nothing more can be done
    defer { close(descriptor) }
    // EINVAL: a file system that has no such notion.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw OctNetError.system(path, "cannot flush its directory", errno)
    }
  }

  private static func resolvingLinks(_ path: String, depth: Int = 0) -> String {
    if let resolved = realpath(path, nil) {
      defer { free(resolved) }
      return String(cString: resolved)
    }
    guard depth < 40, let target = try? FileManager.default.destinationOfSymbolicLink(atPath: path) else {
      return path
    }
    return resolvingLinks(
      target.hasPrefix("/") ? target : split(path).directory + "/" + target, depth: depth + 1)
  }

  /// `/dev/stdout` and its like, where the shell has made a file of it: what is written there follows what was, and another
  /// file in its place would be nobody's. A descriptor to close.
  private static func standardStream(_ path: String) -> Int32? {
    var file = stat(), stream = stat()
    guard path.hasPrefix("/dev/") || path.hasPrefix("/proc/"), stat(path, &file) == 0,
      file.st_mode & S_IFMT == S_IFREG
    else { return nil }
    func isFile(_ descriptor: Int32) -> Bool {
      fstat(descriptor, &stream) == 0 && stream.st_dev == file.st_dev && stream.st_ino == file.st_ino
    }
    guard let descriptor = isFile(STDOUT_FILENO) ? STDOUT_FILENO : isFile(STDERR_FILENO) ? STDERR_FILENO : nil
    else { return nil }
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    return copy < 0 ? nil : copy
  }

  private static func isLink(_ path: String) -> Bool {
    (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) != nil
  }

  private static func isSpecial(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
  }

  private static func split(_ path: String) -> (directory: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    return (slash == path.startIndex ? "" : String(path[..<slash]), String(path[path.index(after: slash)...]))
  }
}

/// A file open for writing. Every failure is an `OctNetError.file` with the system's reason.
public final class FileWriter {
  private let descriptor: Int32
  private let path: String
  /// Whether its beginning is that of what it writes.
  private let seeks: Bool

  package init(descriptor: Int32, path: String, seeks: Bool = true) {
    self.descriptor = descriptor
    self.path = path
    self.seeks = seeks
  }

  /// Appends bytes.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(OctNetError) {
    guard let base = bytes.baseAddress else { return }
    var done = 0
    while done < bytes.count {
      #if canImport(Darwin)
        let count = Darwin.write(descriptor, base + done, bytes.count - done)
      #elseif canImport(Musl)
        let count = Musl.write(descriptor, base + done, bytes.count - done)
      #else
        let count = Glibc.write(descriptor, base + done, bytes.count - done)
      #endif
      if count < 0 {
        if errno == EINTR { continue }
        throw OctNetError.system(path, "cannot write", errno)
      }
      done += count
    }
  }

  /// Writes over bytes that are there already, or ahead of what is appended; what is appended later stays where it was.
  package func overwrite(at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(OctNetError) {
    guard let base = bytes.baseAddress else { return }
    guard seeks else { throw OctNetError.system(path, "cannot write", ESPIPE) }
    var done = 0
    while done < bytes.count {
      let count = pwrite(descriptor, base + done, bytes.count - done, off_t(offset + done))
      if count < 0 {
        if errno == EINTR { continue }
        throw OctNetError.system(path, "cannot write", errno)
      }
      done += count
    }
  }

  /// Appends text as UTF-8.
  public func write(_ text: String) throws {
    try Array(text.utf8).withUnsafeBytes { try write($0) }
  }
}

extension OctNetError {
  /// "cannot write: No space left on device".
  package static func system(_ path: String, _ action: String, _ code: Int32) -> OctNetError {
    .file(path: path, "\(action): \(String(cString: strerror(code)))")
  }

  /// `error` itself where it is an `OctNetError`, else a `.file` error around its description.
  package static func wrapping(_ error: any Error, path: String) -> OctNetError {
    error as? OctNetError ?? .file(path: path, "\(error)")
  }
}
