#if Images
  import OctNet

  /// What a shard holds, found by reading it from its beginning to its end.
  ///
  /// Samples of WebDataset are files of the same name up to the first dot of their last part, one behind the other:
  /// `000123.jpg` and `000123.cls`, a label, or `000123.json` with a member `label`. A tar of tars is ILSVRC's: the inner ones
  /// are the classes, by their names without `.tar`, and hold images.
  package struct ShardScan {
    private static let largestLabel = 4096
    private static let largestJSON = 1 << 20

    private let file: FileReader
    private var labels: [FilePath] = []
    private var numbers: [FilePath: Int] = [:]
    private var records: [ShardIndex.Record] = []
    private var leftOut: [String: Int] = [:]
    private var sample = Sample()
    private var isNested = false

    /// The files of one name.
    private struct Sample {
      var key: ArraySlice<UInt8>?
      var image: TarEntry?
      var label: FilePath?
    }

    /// - Throws: `OctNetError.file` that names the byte.
    package static func index(_ path: FilePath) throws(OctNetError) -> ShardIndex {
      let file = try FileReader(path)
      var scan = ShardScan(file)
      var archive = TarReader(file)
      while let entry = try archive.next() { try scan.add(entry) }
      scan.finishSample()
      scan.count(archive)
      return ShardIndex(
        size: file.size, modified: file.modified, isNested: scan.isNested, labels: scan.labels,
        leftOut: scan.leftOut.map { ShardIndex.LeftOut(what: $0.key, count: $0.value) }
          .sorted { ($1.count, $0.what) < ($0.count, $1.what) },
        records: scan.records)
    }

    private init(_ file: FileReader) { self.file = file }

    private mutating func add(_ entry: TarEntry) throws(OctNetError) {
      let path = entry.name.bytes
      let name = path[((path.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...]
      let dot = name.firstIndex(of: UInt8(ascii: ".")) ?? name.endIndex
      let ending = String(decoding: name[dot...], as: UTF8.self).lowercased()
      if ending.hasSuffix(".tar") {
        finishSample()
        isNested = true
        return try addClass(FilePath(bytes: Array(name.dropLast(".tar".utf8.count))), in: entry)
      }
      let key = path[..<dot]
      if sample.key != key {
        finishSample()
        sample.key = key
      }
      switch ending {
      case ".cls":
        let text = try content(entry, limit: Self.largestLabel)
        try setLabel(Self.trimmed(text), entry)
      case ".json": if let label = try jsonLabel(entry) { try setLabel(label, entry) }
      case _ where ClassListing.extensions.contains(ending):
        guard sample.image == nil else { throw failure(entry, "a second image of one sample") }
        sample.image = entry
      default: leave(ending.isEmpty ? "file without extension" : "\(ending) file")
      }
    }

    private mutating func setLabel(_ bytes: [UInt8], _ entry: TarEntry) throws(OctNetError) {
      guard !bytes.isEmpty else { throw failure(entry, "an empty label") }
      let label = FilePath(bytes: bytes)
      if let other = sample.label, other != label {
        throw failure(entry, "the label \(label), but \(other) elsewhere in the sample")
      }
      sample.label = label
    }

    private func jsonLabel(_ entry: TarEntry) throws(OctNetError) -> [UInt8]? {
      let bytes = try content(entry, limit: Self.largestJSON)
      let value: JSONValue
      do throws(StrictJSON.Failure) { value = try StrictJSON.parse(bytes) } catch {
        throw failure(entry, error.problem)
      }
      guard case .object(let members) = value else { throw failure(entry, "expected an object") }
      switch members.first(where: { $0.key == "label" })?.value {
      case nil: return nil
      case .string(let text)?: return Self.trimmed(Array(text.utf8))
      case .number(let text)?: return Array(text.utf8)
      default: throw failure(entry, "expected a text or a number as label")
      }
    }

    /// Without spaces and ends of lines at both ends.
    static func trimmed(_ bytes: some Sequence<UInt8>) -> [UInt8] {
      func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }
      let text = Array(bytes)
      guard let first = text.firstIndex(where: { !isSpace($0) }),
        let last = text.lastIndex(where: { !isSpace($0) })
      else { return [] }
      return Array(text[first...last])
    }

    private mutating func finishSample() {
      switch (sample.image, sample.label) {
      case (let image?, let label): add(image, label)
      case (nil, .some): leave("label without image")
      case (nil, nil): break
      }
      sample = Sample()
    }

    private mutating func add(_ entry: TarEntry, _ label: FilePath?) {
      guard let label else { return records.append(ShardIndex.Record(entry: entry, label: nil)) }
      let number = numbers[label] ?? labels.count
      if number == labels.count {
        numbers[label] = number
        labels.append(label)
      }
      records.append(ShardIndex.Record(entry: entry, label: number))
    }

    private mutating func addClass(_ name: FilePath, in entry: TarEntry) throws(OctNetError) {
      var archive = TarReader(file, range: entry.offset..<entry.offset + entry.size)
      while let inner = try archive.next() {
        if ClassListing.isImage(inner.name) { add(inner, name) } else { leave("file that is no image") }
      }
      count(archive)
    }

    private mutating func count(_ archive: TarReader) {
      for (kind, count) in archive.leftOut { leftOut[kind.rawValue, default: 0] += count }
    }

    private mutating func leave(_ what: String) { leftOut[what, default: 0] += 1 }

    private func content(_ entry: TarEntry, limit: Int) throws(OctNetError) -> [UInt8] {
      guard entry.size <= limit else {
        throw failure(entry, "found \(numbered(entry.size, "byte")), expected at most \(limit)")
      }
      return try file.bytes(at: entry.offset, count: entry.size)
    }

    private func failure(_ entry: TarEntry, _ problem: String) -> OctNetError {
      .file(path: file.path, "\(entry.name) at byte \(entry.offset): \(problem)")
    }
  }
#endif
