#if Images
  import OctNet

  /// What was found beside the images of a folder.
  struct LeftOutFiles: CustomStringConvertible {
    /// Files in folders of classes, by the end of their name: ".gif".
    private(set) var kinds: [String: Int] = [:]
    /// Files where folders of classes are.
    var besideClasses = 0
    /// Links there that lead nowhere.
    var danglingLinks: [FilePath] = []
    /// Folders that are no class since no image is in them: hidden ones, and ones that only the other half lacks.
    var emptyFolders: [FilePath] = []
    /// Links to a folder that they are in.
    var loops: [FilePath] = []

    var isEmpty: Bool { kinds.isEmpty }

    mutating func add(_ name: FilePath) { kinds[Self.kind(of: name), default: 0] += 1 }

    private static func kind(of name: FilePath) -> String {
      let text = name.description.lowercased()
      guard !text.hasPrefix(".") else { return "hidden" }
      guard let dot = text.lastIndex(of: ".") else { return "without extension" }
      let ending = text[dot...]
      let isExtension =
        (2...9).contains(ending.count) && ending.dropFirst().allSatisfy { $0.isLetter || $0.isNumber }
      return isExtension ? String(ending) : "without extension"
    }

    /// "12 .heic, 3 .gif, 2 without extension".
    var description: String {
      let sorted = kinds.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
      var parts = sorted.prefix(8).map { "\($0.value) \($0.key)" }
      let rest = sorted.dropFirst(8)
      if !rest.isEmpty { parts.append("\(rest.reduce(0) { $0 + $1.value }) of \(rest.count) other kinds") }
      return parts.isEmpty ? "none" : parts.joined(separator: ", ")
    }

    /// One line for each reason, for somebody who wonders where images are.
    func notes(directory: FilePath) -> [String] {
      var notes: [String] = []
      let total = kinds.values.reduce(0, +)
      if total > 0 {
        notes.append("left out \(numbered(total, "file")), not \(ClassListing.extensionList): \(self)")
      }
      if besideClasses > 0 {
        notes.append(
          "left out \(numbered(besideClasses, "file")) beside the folders of classes")
      }
      if !danglingLinks.isEmpty {
        notes.append("no class, but a link to what does not exist: \(ClassListing.list(danglingLinks))")
      }
      if !emptyFolders.isEmpty {
        notes.append("no class, since without images: \(ClassListing.list(emptyFolders))")
      }
      if !loops.isEmpty {
        notes.append("not followed, since they lead back to a folder above: \(ClassListing.list(loops))")
      }
      return notes.map { "\(directory): \($0)" }
    }
  }
#endif
