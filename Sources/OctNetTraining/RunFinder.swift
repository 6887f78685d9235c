import Foundation
import OctNetCore
import OctNetData
import OctNetSupport

/// What lies under a path that should be a run's or a study's directory, for those who named another one.
package enum RunFinder {
  /// - Throws: `OctNetError.file` that says what was found, unless the path is a directory with the state of a run.
  static func expectRun(_ path: String) throws(OctNetError) {
    let run = RunDirectory(path: path)
    let names = try contents(of: path, expected: "run", how: "train --resume")
    if exists(run.statePath) { return }
    if isStudy(path) {
      throw OctNetError.file(
        path: path,
        "found a study, expected a run: study --resume goes on with it, and its runs are in \(path)/runs")
    }
    if exists(run.configurationPath) {
      throw OctNetError.file(path: run.statePath, "missing: the run ended before its first checkpoint")
    }
    throw missing(path, names, expected: "that of a run, with config.json and resume.safetensors")
  }

  /// - Throws: `OctNetError.file` that says what was found, unless the path is the directory of a study.
  package static func expectStudy(_ path: String) throws(OctNetError) {
    let names = try contents(of: path, expected: "study", how: "study --resume")
    if isStudy(path) { return }
    let run = RunDirectory(path: path)
    if exists(run.configurationPath) || exists(run.statePath) {
      throw OctNetError.file(path: path, "found a run, expected a study: train --resume goes on with it")
    }
    throw missing(path, names, expected: "that of a study, with study.json")
  }

  private static func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

  private static func isStudy(_ path: String) -> Bool { exists(studyConfigurationPath(path)) }

  /// Where a study keeps what it was asked for.
  package static func studyConfigurationPath(_ directory: String) -> String { directory + "/study.json" }

  private static func contents(
    of path: String, expected: String, how: String
  ) throws(OctNetError) -> [String] {
    var isDirectory: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
      throw OctNetError.file(path: path, "no such directory, expected that of a \(expected)")
    }
    guard isDirectory.boolValue else {
      let parent = (path as NSString).deletingLastPathComponent
      let directory = parent.isEmpty ? "." : parent
      let isInside =
        expected == "study" ? isStudy(directory) : exists(RunDirectory(path: directory).statePath)
      throw OctNetError.file(
        path: path,
        "found a file, expected the directory of a \(expected)" + (isInside ? ": \(how) \(directory)" : ""))
    }
    do {
      return try FileManager.default.contentsOfDirectory(atPath: path).filter { !$0.hasPrefix(".") }.sorted()
    } catch { throw OctNetError.wrapping(error, path: path) }
  }

  private static func missing(_ path: String, _ names: [String], expected: String) -> OctNetError {
    guard !names.isEmpty else { return .file(path: path, "found an empty directory, expected \(expected)") }
    // As it may be a directory of thousands of images.
    let shown = names.prefix(4).joined(separator: ", ") + (names.count > 4 ? ", …" : "")
    return .file(path: path, "found a directory with \(shown), expected \(expected)")
  }
}
