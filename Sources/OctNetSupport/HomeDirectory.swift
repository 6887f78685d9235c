import Foundation

/// `~` in paths that no shell has seen, because they stand behind a colon (`cifar10:~/data`), an equals sign or in a file.
package enum HomeDirectory {
  /// `path` with a leading `~` or `~/` replaced by the user's home directory, and `~name` by that of another user where
  /// there is one.
  package static func expand(_ path: String) -> String {
    guard path.hasPrefix("~") else { return path }
    let name = path.dropFirst().prefix { $0 != "/" }
    let rest = path.dropFirst(1 + name.count)
    if name.isEmpty {
      guard let home = ProcessInfo.processInfo.environment["HOME"], !home.isEmpty else { return path }
      return home + rest
    }
    guard let home = FileManager.default.homeDirectory(forUser: String(name))?.path else { return path }
    return home + rest
  }
}
