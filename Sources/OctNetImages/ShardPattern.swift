#if Images
  import OctNet

  /// Names of shards as people write them: `photos/train-{000..007}.tar`, `{train,val}-*.tar`.
  ///
  /// Braces are those of bash: `{a,b}` and `{000..007}`, with the zeros of the wider number, one in another too. Behind them
  /// `*` and `?` are what they are to a shell, in the last part of the path.
  enum ShardPattern {
    /// Beyond this somebody has mistyped a range.
    private static let largestCount = 100_000

    /// The files, in order of the braces and else by name; none twice.
    /// - Throws: `OctNetError` for a pattern that is none, or that no file fits.
    static func files(_ pattern: String) throws(OctNetError) -> [FilePath] {
      var found: [FilePath] = [], seen: Set<FilePath> = []
      for name in try expanded(Array(pattern.utf8)) {
        for file in try matches(name) where seen.insert(file).inserted { found.append(file) }
      }
      return found
    }

    // MARK: Braces

    static func expanded(_ pattern: [UInt8]) throws(OctNetError) -> [[UInt8]] {
      guard let open = pattern.firstIndex(of: UInt8(ascii: "{")) else { return [pattern] }
      var depth = 0, commas: [Int] = [], close: Int?
      for place in open..<pattern.count where close == nil {
        switch pattern[place] {
        case UInt8(ascii: "{"): depth += 1
        case UInt8(ascii: "}"):
          depth -= 1
          if depth == 0 { close = place }
        case UInt8(ascii: ",") where depth == 1: commas.append(place)
        default: break
        }
      }
      guard let close else { throw problem(pattern, "a brace without its end") }
      let inside = pattern[(open + 1)..<close]
      var parts: [[UInt8]] = []
      if commas.isEmpty {
        guard let range = range(inside) else {
          throw problem(pattern, "expected {a,b} or {000..007} in braces, found {\(text(inside))}")
        }
        parts = range
      } else {
        for (from, to) in zip([open] + commas, commas + [close]) {
          parts += try expanded(Array(pattern[(from + 1)..<to]))
        }
      }
      let rests = try expanded(Array(pattern[(close + 1)...]))
      guard parts.count * rests.count <= largestCount else {
        throw problem(pattern, "names more files than \(largestCount)")
      }
      return parts.flatMap { part in rests.map { pattern[..<open] + part + $0 } }
    }

    /// `nil` for what is no range, or too long a one.
    private static func range(_ inside: ArraySlice<UInt8>) -> [[UInt8]]? {
      let ends = text(inside).components(separatedBy: "..")
      guard ends.count == 2,
        ends.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
        let first = Int(ends[0]), let last = Int(ends[1]), first <= last, last - first < largestCount
      else { return nil }
      let isPadded = ends.contains { $0.utf8.count > 1 && $0.hasPrefix("0") }
      let width = isPadded ? max(ends[0].utf8.count, ends[1].utf8.count) : 0
      return (first...last).map { number in
        let digits = Array("\(number)".utf8)
        return [UInt8](repeating: UInt8(ascii: "0"), count: max(0, width - digits.count)) + digits
      }
    }

    // MARK: Wildcards

    private static func matches(_ name: [UInt8]) throws(OctNetError) -> [FilePath] {
      func isWild(_ bytes: some Sequence<UInt8>) -> Bool { bytes.contains { $0 == 0x2a || $0 == 0x3f } }
      guard isWild(name) else { return [FilePath(bytes: name)] }
      let start = (name.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1
      let folder = name[..<start]
      guard !isWild(folder) else { throw problem(name, "expected * and ? in the name of the file alone") }
      let listing = try DirectoryListing(FilePath(bytes: folder.isEmpty ? [0x2e] : Array(folder)))
      let files = listing.entries.filter { !$0.isDirectory && fits($0.name.bytes[...], name[start...]) }
      guard !files.isEmpty else {
        throw OctNetError.file(path: text(name[...]), "no file fits this pattern")
      }
      return files.map { FilePath(bytes: folder + $0.name.bytes) }
    }

    /// Goes back to the last `*` alone, so that no pattern takes long.
    static func fits(_ name: ArraySlice<UInt8>, _ pattern: ArraySlice<UInt8>) -> Bool {
      var (place, wanted) = (name.startIndex, pattern.startIndex)
      var star: (place: Int, wanted: Int)?
      while place < name.endIndex {
        if wanted < pattern.endIndex, pattern[wanted] == 0x2a {
          wanted += 1
          star = (place, wanted)
        } else if wanted < pattern.endIndex, pattern[wanted] == 0x3f || pattern[wanted] == name[place] {
          (place, wanted) = (place + 1, wanted + 1)
        } else if let last = star {
          star = (last.place + 1, last.wanted)
          (place, wanted) = (last.place + 1, last.wanted)
        } else {
          return false
        }
      }
      return pattern[wanted...].allSatisfy { $0 == 0x2a }
    }

    private static func text(_ bytes: ArraySlice<UInt8>) -> String { "\(FilePath(bytes: Array(bytes)))" }

    private static func problem(_ pattern: [UInt8], _ problem: String) -> OctNetError {
      .configuration(key: "data", "'tar:\(text(pattern[...]))': \(problem)")
    }
  }
#endif
