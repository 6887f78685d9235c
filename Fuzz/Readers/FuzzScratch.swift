import Foundation

/// A directory for the files that readers want, in memory where the system has a file system for that.
package final class FuzzScratch {
  package let path: String

  /// - Throws: what the system says where the directory cannot be made.
  package init() throws {
    let memory = "/dev/shm"
    let parent =
      FileManager.default.isWritableFile(atPath: memory)
      ? memory : FileManager.default.temporaryDirectory.path
    path =
      "\(parent)/octnet-fuzz-\(ProcessInfo.processInfo.processIdentifier)-\(UInt32.random(in: 0 ... .max))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file and returns its path.
  func file(_ name: String, _ bytes: [UInt8]) -> String {
    let file = path + "/" + name
    guard let stream = fopen(file, "wb") else { preconditionFailure("cannot write \(file)") }
    defer { fclose(stream) }
    precondition(fwrite(bytes, 1, bytes.count, stream) == bytes.count, "cannot write \(file)")
    return file
  }

  func remove(_ name: String) { unlink(path + "/" + name) }
}
