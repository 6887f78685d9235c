#if Images
  import OctNet

  /// Names for labels that are numbers: `classes.txt` or `classnames.txt` beside the shards, one name a line, the first for 0.
  struct ShardClasses {
    static let fileNames = ["classes.txt", "classnames.txt"]
    /// Beyond any list of classes.
    private static let largestFile = 64 << 20

    let path: FilePath
    /// By label.
    let names: [FilePath]

    /// Those beside shards; `nil` where no such file is there.
    /// - Throws: `OctNetError.file` for a line without a name, a name that comes twice, and files that say different things.
    static func beside(_ shards: [FilePath]) throws(OctNetError) -> ShardClasses? {
      var folders: [FilePath] = [], seen: Set<FilePath> = []
      for shard in shards where seen.insert(folder(of: shard)).inserted { folders.append(folder(of: shard)) }
      var found: ShardClasses?
      for folder in folders {
        for name in fileNames {
          let path = FilePath(bytes: folder.bytes + name.utf8)
          guard path.exists else { continue }
          let classes = try ShardClasses(path)
          if let found, found.names != classes.names {
            throw OctNetError.file(path: "\(path)", "found other names of classes than in \(found.path)")
          }
          found = found ?? classes
        }
      }
      return found
    }

    /// With the last slash.
    private static func folder(of path: FilePath) -> FilePath {
      FilePath(bytes: Array(path.bytes[..<((path.bytes.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)]))
    }

    private init(_ path: FilePath) throws(OctNetError) {
      self.path = path
      let file = try FileReader(path, limit: Self.largestFile)
      var bytes = try file.bytes(at: 0, count: file.size)[...]
      // As Windows' editors begin files.
      if bytes.starts(with: [0xef, 0xbb, 0xbf]) { bytes = bytes.dropFirst(3) }
      var lines = bytes.split(separator: 0x0a, omittingEmptySubsequences: false).map(ShardScan.trimmed)
      while lines.last?.isEmpty == true { lines.removeLast() }
      guard !lines.isEmpty else {
        throw OctNetError.file(path: "\(path)", "expected a name of a class on each line, found none")
      }
      var numbers: [FilePath: Int] = [:]
      names = lines.map(FilePath.init(bytes:))
      for (number, name) in names.enumerated() {
        guard !name.bytes.isEmpty else {
          throw OctNetError.file(
            path: "\(path)", "line \(number + 1): expected the name of class \(number), found an empty line")
        }
        if let other = numbers.updateValue(number, forKey: name) {
          throw OctNetError.file(
            path: "\(path)", "line \(number + 1): found the name of line \(other + 1) again, \(name)")
        }
      }
    }

    /// The class that a label says, from 0 on.
    /// - Throws: `OctNetError.file` for one without a name.
    func number(of label: FilePath, in shard: FilePath) throws(OctNetError) -> Int {
      guard let number = Self.number(label), names.indices.contains(number) else {
        throw OctNetError.file(
          path: "\(path)",
          "names \(numbered(names.count, "class", plural: "classes")), 0 to \(names.count - 1), but \(shard) has the label \(label)"
        )
      }
      return number
    }

    /// Of a label that is a whole number.
    static func number(_ label: FilePath) -> Int? { Int("\(label)") }
  }
#endif
