import Foundation
import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport
import OctNetTraining

/// Finds run directories: those that hold both `config.json` and `log.csv`.
enum RunSearch {
  static let depth = 4

  /// The run directories among `paths` and up to `depth` levels below them, in the order of `paths` and of names, each
  /// once.
  /// - Throws: `OctNetError.file` for a path that is no directory or without any run.
  static func runs(in paths: [String]) throws(OctNetError) -> [String] {
    var found: [String] = []
    var known: Set<String> = []
    for path in paths {
      var isDirectory: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
        throw OctNetError.file(path: path, "no such directory, expected a run or a directory with runs")
      }
      guard isDirectory.boolValue else {
        throw OctNetError.file(path: path, "found a file, expected a run or a directory with runs")
      }
      let runs = search(path, levels: depth)
      guard !runs.isEmpty else {
        throw OctNetError.file(
          path: path,
          "no run found, expected config.json and log.csv in it or up to \(counted(depth, "level")) below")
      }
      for run in runs where known.insert(resolved(run)).inserted { found.append(run) }
    }
    return found
  }

  /// Without links, `.` and `..`, so that every directory has one name.
  static func resolved(_ path: String) -> String {
    URL(fileURLWithPath: path).resolvingSymlinksInPath().path
  }

  /// What each of `paths` is called: the path below the last directory that all of them share.
  static func names(of paths: [String]) -> [String] {
    let components = paths.map { resolved($0).split(separator: "/").map(String.init) }
    guard let first = components.first else { return [] }
    let limit = (components.map(\.count).min() ?? 1) - 1
    let shared = (0..<max(0, limit)).prefix { index in components.allSatisfy { $0[index] == first[index] } }
    return components.map { $0.dropFirst(shared.count).joined(separator: "/") }
  }

  private static func search(_ path: String, levels: Int) -> [String] {
    let files = FileManager.default
    let run = RunDirectory(path: path)
    if files.fileExists(atPath: run.configurationPath) && files.fileExists(atPath: run.logPath) {
      return [path]
    }
    guard levels > 0 else { return [] }
    let names = ((try? files.contentsOfDirectory(atPath: path)) ?? []).filter { !$0.hasPrefix(".") }.sorted()
    return names.flatMap { name -> [String] in
      let child = path.hasSuffix("/") ? path + name : path + "/" + name
      var isDirectory: ObjCBool = false
      let exists = files.fileExists(atPath: child, isDirectory: &isDirectory)
      return exists && isDirectory.boolValue ? search(child, levels: levels - 1) : []
    }
  }
}
