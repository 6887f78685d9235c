import Foundation

/// What a directory holds, in few words, for messages.
package enum DirectoryContents {
  /// "a.txt, b/ and 12 more", "nothing".
  package static func summary(of path: String, most: Int = 5) -> String {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
      return "no directory"
    }
    let shown = names.filter { !$0.hasPrefix(".") }.sorted()
    guard !shown.isEmpty else { return "nothing" }
    let first = shown.prefix(most).map { FileReader.isDirectory("\(path)/\($0)") ? $0 + "/" : $0 }
    let rest = shown.count - first.count
    return first.joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
  }
}
