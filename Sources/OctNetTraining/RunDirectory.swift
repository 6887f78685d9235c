import Foundation
import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport

/// The directory of one run. It is created once and never given to another run.
///
/// - `config.json`: the `TrainingConfiguration`.
/// - `log.csv`: one row an epoch; `timing.csv`: how long it took. Equal runs write equal logs.
/// - `machines.json`: on what it was trained, a `RunMachine` each.
/// - `results.json`: the `RunResults`.
/// - `last.safetensors`, `best.safetensors`: `Checkpoint`s after the last epoch and after the best one.
/// - `resume.safetensors`: the `TrainingState`.
/// - `shards/`: indices of shards whose own folders cannot be written.
/// - `events.out.tfevents.*`: from `OctNetTensorBoard`, where it is used.
public struct RunDirectory: Sendable {
  /// Of the directory.
  public let path: String

  /// The settings.
  public var configurationPath: String { path + "/config.json" }
  /// A row an epoch, the same in equal runs.
  public var logPath: String { path + "/log.csv" }
  /// A row an epoch of what differs between equal runs.
  public var timingPath: String { path + "/timing.csv" }
  /// What took part.
  public var machinesPath: String { path + "/machines.json" }
  /// Outcome and scores.
  public var resultsPath: String { path + "/results.json" }
  /// Weights of the best epoch.
  public var bestPath: String { path + "/best.safetensors" }
  /// Weights of the last epoch.
  public var lastPath: String { path + "/last.safetensors" }
  /// What a resumed run goes on from.
  public var statePath: String { path + "/resume.safetensors" }
  /// Indices of shards whose own folders cannot be written.
  package var shardIndexPath: String { path + "/shards" }

  /// Held from `create` or `open` until the trainer that writes here is done; `nil` for those who only read.
  package let lock: RunLock?

  /// Whether it was made for this run.
  private var isNew = false
  /// Whether nothing was in it when it was taken for this run.
  private var isFresh = false

  /// The one that a checkpoint lies in, where it does.
  package static func of(checkpoint path: String) -> RunDirectory {
    let folder = (path as NSString).deletingLastPathComponent
    return RunDirectory(path: folder.isEmpty ? "." : folder)
  }

  /// A directory to read.
  package init(path: String, lock: RunLock? = nil) {
    self.path = path
    self.lock = lock
  }

  /// - Throws: `OctNetError.file` for a disk that refuses.
  package func write(_ indices: [UnsavedShardIndex]) throws(OctNetError) {
    guard !indices.isEmpty else { return }
    do {
      try FileManager.default.createDirectory(atPath: shardIndexPath, withIntermediateDirectories: true)
    } catch { throw OctNetError.wrapping(error, path: shardIndexPath) }
    for index in indices { try index.write(in: shardIndexPath) }
  }

  /// Gives up a directory whose run could not begin: one that was made for it and is empty still is removed.
  public func abandon() {
    // All that is written before a run begins.
    if isFresh { try? FileManager.default.removeItem(atPath: shardIndexPath) }
    lock?.release()
    // Fails where anything is in it.
    if isNew { rmdir(path) }
  }

  /// A directory to write, which is this process's from now on.
  private init(locking path: String) throws(OctNetError) {
    self.path = path
    let lock = RunLock(path: path)
    try lock.acquire()
    self.lock = lock
    AtomicFile.removeAbandoned(in: path)
  }

  /// Creates the directory, and those above it, for a new run. An empty one that exists is taken.
  /// - Throws: `OctNetError.file` where it exists and is not empty, is another process's, or cannot be created.
  public static func create(_ path: String) throws(OctNetError) -> RunDirectory {
    var isDirectory: ObjCBool = false
    let isNew = !FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
    if !isNew {
      guard isDirectory.boolValue else {
        throw OctNetError.file(path: path, "expected a new directory for the run, found a file")
      }
      // Before the lock, which would be a file in somebody's directory.
      try expectEmpty(path)
    } else {
      try makeDirectory(path)
    }
    var run = try RunDirectory(locking: path)
    try expectEmpty(path)
    (run.isNew, run.isFresh) = (isNew, true)
    return run
  }

  /// What killed processes leave does not count.
  private static func expectEmpty(_ path: String) throws(OctNetError) {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: path)
    } catch { throw OctNetError.wrapping(error, path: path) }
    guard names.allSatisfy({ $0 == RunLock.fileName || $0.hasSuffix(AtomicFile.temporarySuffix) }) else {
      if let owner = RunLock.owner(of: path) {
        throw OctNetError.file(path: path, "in use by \(owner); a run needs a directory of its own")
      }
      throw OctNetError.file(
        path: path, "the directory exists and is not empty; runs are never overwritten, choose another")
    }
  }

  /// Creates `<base>-<n>` with the first n that is free.
  /// - Throws: `OctNetError.file` where it cannot be created.
  public static func createNumbered(_ base: String) throws(OctNetError) -> RunDirectory {
    while true {
      let path = unusedPath(base)
      let isNew: Bool
      do throws(OctNetError) {
        try makeDirectory(path)
        isNew = true
      } catch {
        // Another process was faster.
        guard FileManager.default.fileExists(atPath: path) else { throw error }
        isNew = false
      }
      if isNew {
        var run = try create(path)
        run.isNew = true
        return run
      }
    }
  }

  /// A directory in which a run has begun, to go on with it.
  /// - Throws: `OctNetError.file` where there is nothing to resume, or where another process is at work.
  public static func open(_ path: String) throws(OctNetError) -> RunDirectory {
    try RunFinder.expectRun(path)
    return try RunDirectory(locking: path)
  }

  /// The same without the right to write: other processes may have it.
  /// - Throws: `OctNetError.file` where there is nothing to resume.
  public static func toRead(_ path: String) throws(OctNetError) -> RunDirectory {
    try RunFinder.expectRun(path)
    return RunDirectory(path: path)
  }

  /// Creates the directory, or takes over that of a run which ended before its first checkpoint.
  /// - Throws: `OctNetError.file` where it cannot be created, or where another process is at work.
  package static func begin(_ path: String) throws(OctNetError) -> RunDirectory {
    if !FileManager.default.fileExists(atPath: path) { try makeDirectory(path) }
    return try RunDirectory(locking: path)
  }

  /// The first of `<base>-1`, `<base>-2`, … that does not exist.
  public static func unusedPath(_ base: String) -> String {
    var number = 1
    while FileManager.default.fileExists(atPath: "\(base)-\(number)") { number += 1 }
    return "\(base)-\(number)"
  }

  /// As `mkdir -p`, but with the system's own reason where it fails.
  package static func makeDirectory(_ path: String) throws(OctNetError) {
    if mkdir(path, 0o777) == 0 { return }
    let code = errno
    let parent = (path as NSString).deletingLastPathComponent
    guard code == ENOENT, !parent.isEmpty, !FileManager.default.fileExists(atPath: parent) else {
      throw OctNetError.system(path, "cannot create the directory", code)
    }
    try makeDirectory(parent)
    guard mkdir(path, 0o777) == 0 else {
      throw OctNetError.system(path, "cannot create the directory", errno)
    }
  }
}
