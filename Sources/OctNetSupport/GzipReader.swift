#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A file compressed with gzip, unpacked by the system's own `gzip` while it is read.
///
/// The program is on every system on which such files are made, and nothing has to be linked. It reads the file from its
/// standard input and gets no path, so no name can be taken for a flag; no shell is involved.
package final class GzipReader {
  let path: String
  private let file: FileReader
  private let output: Int32
  private var child: pid_t

  /// - Throws: `OctNetError.file` as `FileReader`, and where there is no program `gzip`.
  package init(path: String) throws(OctNetError) {
    self.path = path
    file = try FileReader(path: path)
    var ends: (read: Int32, write: Int32) = (-1, -1)
    let isPiped = withUnsafeMutablePointer(to: &ends) {
      $0.withMemoryRebound(to: Int32.self, capacity: 2) { pipe($0) == 0 }
    }
    guard isPiped else { throw OctNetError.system(path, "cannot unpack", errno) }
    // Not for children of this or another thread, but for the one below, which gets copies.
    for end in [ends.read, ends.write] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    child = 0
    let code = Self.spawn(input: file, output: ends.write, child: &child)
    close(ends.write)
    output = ends.read
    guard code == 0 else {
      child = 0
      throw OctNetError.file(
        path: path,
        code == ENOENT
          ? "compressed with gzip, and there is no program gzip: unpack it first"
          : "cannot unpack: \(String(cString: strerror(code)))")
    }
  }

  deinit {
    close(output)
    if child > 0 {
      kill(child, SIGKILL)
      _ = Self.wait(for: child)
    }
  }

  /// The next bytes of the unpacked file, `count` of them or fewer at its end. Memory follows what really comes, whatever
  /// the caller hopes for.
  /// - Throws: `OctNetError.file` where it ends and `gzip` has found the file damaged.
  package func bytes(upTo count: Int) throws(OctNetError) -> [UInt8] {
    var bytes: [UInt8] = []
    var nextCheck = 1 << 26
    while bytes.count < count {
      // A few megabytes unpack to any number. An array that grows is in memory twice for a moment.
      if bytes.count >= nextCheck, let available = AvailableMemory.now(), available.bytes < 2 * bytes.count {
        throw OctNetError.file(
          path: path,
          "unpacks to more than \(MemoryDemand.text(bytes.count)); \(MemoryDemand.text(available.bytes)) of memory \(available.limit) are left"
        )
      }
      if bytes.count >= nextCheck { nextCheck = bytes.count + (1 << 26) }
      let wanted = min(1 << 20, count - bytes.count)
      var failure: Int32 = 0
      let piece = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, initialized in
        var length = read(output, buffer.baseAddress, wanted)
        while length < 0 && errno == EINTR { length = read(output, buffer.baseAddress, wanted) }
        if length < 0 { failure = errno }
        initialized = max(0, length)
      }
      guard failure == 0 else { throw OctNetError.system(path, "cannot unpack", failure) }
      if piece.isEmpty {
        try finish()
        break
      }
      bytes += piece
    }
    return bytes
  }

  /// Asks `gzip` what it thought of the file, once.
  private func finish() throws(OctNetError) {
    guard child > 0 else { return }
    let status = Self.wait(for: child)
    child = 0
    // 2 is a warning, such as for zeros behind the end.
    let code = status >> 8 & 0xff
    guard status & 0x7f == 0, code == 0 || code == 2 else {
      throw OctNetError.file(path: path, "damaged: gzip cannot unpack it")
    }
  }

  private static func wait(for child: pid_t) -> Int32 {
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    return status
  }

  /// - Returns: the system's number for what went wrong, 0 where nothing did.
  private static func spawn(input: FileReader, output: Int32, child: inout pid_t) -> Int32 {
    #if canImport(Darwin)
      var actions: posix_spawn_file_actions_t?
    #else
      var actions = posix_spawn_file_actions_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    input.withDescriptor { _ = posix_spawn_file_actions_adddup2(&actions, $0, STDIN_FILENO) }
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    var words: [UnsafeMutablePointer<CChar>?] = (["gzip", "-dc"] as [String]).map { strdup($0) }
    defer { words.forEach { free($0) } }
    words.append(nil)
    return posix_spawnp(&child, "gzip", &actions, nil, words, environ)
  }
}
