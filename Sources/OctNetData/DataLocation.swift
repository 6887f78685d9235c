import Foundation
import OctNetCore
import OctNetSupport

/// Finds data whose relative path was written down by a run in another working directory.
public enum DataLocation {
  /// `source` ("cifar10:data", `folder:images`, `csv:list.csv`, `tar:train-*.tar`) as a command can open it: as it is where that exists, else with the path
  /// taken from the directory of the file that says it, or one of those above: a run's directory usually lies below
  /// the one in which it was trained.
  ///
  /// - Parameters:
  ///   - source: as `DataSource.parse` takes it.
  ///   - path: the checkpoint, or the directory of the run, that names the data.
  /// - Throws: `OctNetError.configuration` that names what was tried.
  public static func resolve(_ source: String, recordedIn path: String) throws(OctNetError) -> String {
    guard let colon = source.firstIndex(of: ":"), !source.hasPrefix("synthetic") else { return source }
    let directory = String(source[source.index(after: colon)...])
    // An absolute one has one place only; what is wrong with an empty one is told by whoever opens it.
    guard !directory.isEmpty, !directory.hasPrefix("/"), !directory.hasPrefix("~") else { return source }
    let isFile = source.hasPrefix("csv:") || source.hasPrefix("prepared:")
    let isPattern = source.hasPrefix("tar:")
    func isThere(_ path: String) -> Bool {
      if isPattern { return isFolderThere(path) }
      // `idx:emnist#balanced` is a set of several in a folder.
      if source.hasPrefix("idx:"), !isDirectory(path), let mark = path.lastIndex(of: "#") {
        return isDirectory(String(path[..<mark]))
      }
      return isFile ? FileManager.default.fileExists(atPath: path) && !isDirectory(path) : isDirectory(path)
    }
    if isThere(directory) { return source }
    var tried = [absolute(directory)]
    var base = URL(fileURLWithPath: absolute(path))
    if !isDirectory(base.path) { base.deleteLastPathComponent() }
    // The run's own, runs/, the working directory, and one more for studies within them.
    for _ in 0..<5 {
      let candidate = base.appendingPathComponent(directory).standardizedFileURL.path
      if isThere(candidate) { return source[...colon] + candidate }
      if !tried.contains(candidate) { tried.append(candidate) }
      guard base.path != "/" else { break }
      base.deleteLastPathComponent()
    }
    throw OctNetError.configuration(
      key: "data",
      "\(path) was trained on \"\(source)\", a relative path, which is neither here nor near it (tried "
        + "\(tried.joined(separator: ", "))); say where it is with --data")
  }

  /// The folder of shards, which a pattern's last part is in.
  private static func isFolderThere(_ pattern: String) -> Bool {
    // A brace or a star in front of the name may be anything.
    let plain = pattern.prefix { !"{*?".contains($0) }
    guard plain.count < pattern.count else { return FileManager.default.fileExists(atPath: pattern) }
    let folder = plain.lastIndex(of: "/").map { String(plain[..<$0]) } ?? "."
    guard isDirectory(folder.isEmpty ? "/" : folder) else { return false }
    let begin = String(plain[(plain.lastIndex(of: "/").map(plain.index(after:)) ?? plain.startIndex)...])
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.isEmpty ? "/" : folder)) ?? []
    // Behind another slash it says nothing of the names in this folder.
    let rest = pattern[plain.endIndex...]
    let end = rest.contains("/") ? "" : String(rest.reversed().prefix { !"}*?".contains($0) }.reversed())
    return names.contains { $0.hasPrefix(begin) && $0.hasSuffix(end) }
  }

  private static func absolute(_ path: String) -> String {
    path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
  }

  private static func isDirectory(_ path: String) -> Bool {
    var isDirectory: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
  }
}
