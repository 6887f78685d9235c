import Foundation

/// The directory of one run. It is created once and never given to another run.
///
/// - `config.json`: the `TrainingConfiguration`.
/// - `log.csv`: one row an epoch; `timing.csv`: how long it took. Equal runs write equal logs.
/// - `results.json`: the `RunResults`.
/// - `last.safetensors`, `best.safetensors`: `Checkpoint`s after the last epoch and after the best one.
/// - `resume.safetensors`: the `TrainingState`.
/// - `events.out.tfevents.*`: from `OctNetTensorBoard`, where it is used.
public struct RunDirectory: Sendable {
  public let path: String

  public var configurationPath: String { path + "/config.json" }
  public var logPath: String { path + "/log.csv" }
  public var timingPath: String { path + "/timing.csv" }
  public var resultsPath: String { path + "/results.json" }
  public var bestPath: String { path + "/best.safetensors" }
  public var lastPath: String { path + "/last.safetensors" }
  public var statePath: String { path + "/resume.safetensors" }

  /// Creates the directory, and those above it, for a new run. An empty one that exists is taken.
  /// - Throws: `OctNetError.file` where it exists and is not empty, or cannot be created.
  public static func create(_ path: String) throws(OctNetError) -> RunDirectory {
    let files = FileManager.default
    var isDirectory: ObjCBool = false
    if files.fileExists(atPath: path, isDirectory: &isDirectory) {
      guard isDirectory.boolValue else {
        throw OctNetError.file(path: path, "expected a new directory for the run, found a file")
      }
      do {
        guard try files.contentsOfDirectory(atPath: path).isEmpty else {
          throw OctNetError.file(
            path: path, "the directory exists and is not empty; runs are never overwritten, choose another")
        }
      } catch { throw OctNetError.wrapping(error, path: path) }
    } else {
      try makeDirectory(path)
    }
    return RunDirectory(path: path)
  }

  /// A directory in which a run has begun.
  /// - Throws: `OctNetError.file` where there is nothing to resume.
  public static func open(_ path: String) throws(OctNetError) -> RunDirectory {
    let run = RunDirectory(path: path)
    let files = FileManager.default
    guard files.fileExists(atPath: path) else {
      throw OctNetError.file(path: path, "no such directory, expected that of a run")
    }
    guard files.fileExists(atPath: run.statePath) else {
      throw OctNetError.file(path: run.statePath, "missing: the run ended before its first checkpoint")
    }
    // What a killed process left half written.
    for name in (try? files.contentsOfDirectory(atPath: path)) ?? []
    where name.hasSuffix(AtomicFile.temporarySuffix) {
      try? files.removeItem(atPath: path + "/" + name)
    }
    return run
  }

  /// Creates the directory, or takes over that of a run which ended before its first checkpoint.
  /// - Throws: `OctNetError.file` where it cannot be created.
  static func begin(_ path: String) throws(OctNetError) -> RunDirectory {
    if !FileManager.default.fileExists(atPath: path) { try makeDirectory(path) }
    return RunDirectory(path: path)
  }

  /// The first of `<base>-1`, `<base>-2`, … that does not exist.
  public static func unusedPath(_ base: String) -> String {
    var number = 1
    while FileManager.default.fileExists(atPath: "\(base)-\(number)") { number += 1 }
    return "\(base)-\(number)"
  }

  /// As `mkdir -p`, but with the system's own reason where it fails.
  static func makeDirectory(_ path: String) throws(OctNetError) {
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
