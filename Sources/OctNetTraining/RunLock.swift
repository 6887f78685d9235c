import Foundation
import OctNetCore
import OctNetData
import OctNetSupport

/// The right to write into a directory, which one process at a time has.
///
/// It is a lock of the system (`flock`) on the file `.octnet-lock` in the directory, so that it ends with the process
/// however that ends. The file says whose it is, and is gone when the lock is given back; what a killed process leaves
/// of it means nothing. On a file system without locks everybody gets the right, with a `warning`.
public final class RunLock: @unchecked Sendable {
  static let fileName = ".octnet-lock"

  /// The directory.
  public let path: String

  // Unchecked: these two are only touched under `guarding`.
  private let guarding = NSLock()
  private var descriptor: Int32?
  private var problem: String?

  private let locking: (Int32) -> FileLock.Outcome

  /// Locks nothing yet.
  /// - Parameter locking: tests replace it by a file system that has no locks.
  init(path: String, locking: @escaping @Sendable (Int32) -> FileLock.Outcome = FileLock.lock) {
    self.path = path
    self.locking = locking
  }

  deinit { release() }

  /// Why nothing keeps other processes away, `nil` where the lock holds.
  public var warning: String? { guarding.withLock { problem } }

  private var file: String { path + "/" + Self.fileName }

  /// Takes the lock, where it is not this object's already.
  /// - Throws: `OctNetError.file` that names the process which has it, or says why the file cannot be made.
  func acquire() throws(OctNetError) {
    let failure: OctNetError? = guarding.withLock {
      guard descriptor == nil else { return nil }
      do throws(OctNetError) {
        descriptor = try locked()
        return nil
      } catch { return error }
    }
    if let failure { throw failure }
  }

  /// Gives the lock back; the directory is as if it had never been.
  func release() {
    guarding.withLock {
      guard let held = descriptor else { return }
      // In this order: who opened the file in between sees that it is not the directory's any more.
      unlink(file)
      close(held)
      descriptor = nil
    }
  }

  private func locked() throws(OctNetError) -> Int32 {
    // Who only looks whether the lock is free, or is just giving it back, is away in a moment.
    for attempt in 0..<6 {
      if attempt > 0 { usleep(20_000) }
      let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o666)
      guard descriptor >= 0 else { throw OctNetError.system(file, "cannot create", errno) }
      switch locking(descriptor) {
      case .held where FileLock.isStill(descriptor, file):
        Self.sign(descriptor)
        return descriptor
      case .unsupported(let reason):
        problem = "\(path): \(reason); nothing keeps a second process from writing into it"
        return descriptor
      case .held, .taken: close(descriptor)
      }
    }
    throw OctNetError.file(path: path, "in use by \(Self.owner(file)); wait until it ends, or stop it")
  }

  /// Who has the lock of a directory at the moment, `nil` where it is free.
  static func owner(of directory: String) -> String? {
    let file = directory + "/" + fileName
    let descriptor = open(file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    guard case .taken = FileLock.lock(descriptor) else { return nil }
    return owner(file)
  }

  // MARK: Whose it is

  /// On a full disk the file stays empty, and the lock is as good.
  private static func sign(_ descriptor: Int32) {
    let arguments = CommandLine.arguments
    let program = (arguments.first.map { ($0 as NSString).lastPathComponent } ?? "") + " "
    let command = program + (arguments.dropFirst().first { !$0.hasPrefix("-") } ?? "")
    var host = [CChar](repeating: 0, count: 256)
    let hasHost = gethostname(&host, host.count - 1) == 0
    let name =
      hasHost ? String(decoding: host.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) : ""
    let text =
      "process \(getpid()) (\(command.trimmingCharacters(in: .whitespaces).prefix(80)))" + " on \(name)"
    _ = ftruncate(descriptor, 0)
    Array(text.utf8).withUnsafeBytes { _ = pwrite(descriptor, $0.baseAddress, $0.count, 0) }
  }

  private static func owner(_ file: String) -> String {
    guard let reader = try? FileReader(path: file), reader.size > 0,
      let bytes = try? reader.bytes(at: 0, count: min(reader.size, 512))
    else { return "another process" }
    // A file is not trusted with a terminal.
    let text = String(decoding: bytes, as: UTF8.self).unicodeScalars.filter {
      $0.value >= 0x20 && $0.value != 0x7F
    }
    return String(String.UnicodeScalarView(text))
  }
}
