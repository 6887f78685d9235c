import Foundation
import OctNet

/// An events file that grows: `events.out.tfevents.<seconds>.<host>.<pid>`.
///
/// Events are collected and handed to the system a few seconds' worth at a time, never flushed to the disk: that costs
/// a training step nothing, and what a crash loses, the log and the checkpoints have.
final class EventFile {
  static let prefix = "events.out.tfevents."
  /// How long an event may wait, while events go on to come.
  static let longestWait = Duration.seconds(2)

  let path: String
  private let descriptor: Int32
  private let file: FileWriter
  private var pending: [UInt8] = []
  private let clock = ContinuousClock()
  private var lastFlush: ContinuousClock.Instant

  /// Creates a file that TensorBoard reads after those that are already in `directory`.
  /// - Parameter opening: tests replace it by a device that is always full.
  /// - Throws: `OctNetError.file` where that fails.
  init(directory: String, opening: (String) -> Int32 = openExclusively) throws {
    let name = Self.prefix + "\(Self.time(for: directory)).\(Self.host).\(getpid())"
    path = directory + "/" + name
    descriptor = opening(path)
    guard descriptor >= 0 else { throw OctNetError.system(path, "cannot create", errno) }
    file = FileWriter(descriptor: descriptor, path: path)
    lastFlush = clock.now
    try append(.with { $0.fileVersion = "brain.Event:2" })
  }

  deinit { close(descriptor) }

  static func openExclusively(_ path: String) -> Int32 {
    open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
  }

  /// Adds an event of now.
  func append(_ event: Tensorboard_Event) throws {
    var event = event
    event.wallTime = Date().timeIntervalSince1970
    pending += EventRecord.framing(try event.serializedBytes())
    try flushIfDue()
  }

  func flushIfDue() throws {
    if clock.now - lastFlush >= Self.longestWait { try flush() }
  }

  func flush() throws {
    lastFlush = clock.now
    guard !pending.isEmpty else { return }
    try pending.withUnsafeBytes { try file.write($0) }
    pending.removeAll(keepingCapacity: true)
  }

  // MARK: Name

  /// Now, or the second after the latest file's. TensorBoard reads a directory's files in the order of their names and
  /// never goes back, so a run resumed at once, or after the clock was set back, must not sort before its past.
  private static func time(for directory: String) -> Int {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    let times = names.filter { $0.hasPrefix(prefix) }
      .compactMap { Int($0.dropFirst(prefix.count).prefix { $0 != "." }) }
    return max(Int(Date().timeIntervalSince1970), (times.max() ?? -1) + 1)
  }

  private static var host: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
