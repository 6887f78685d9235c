#if Images
  import OctNet

  /// What lies where in a shard, so that any image of it can be read without what is in front: docs/shards.md.
  package struct ShardIndex: Equatable {
    package struct Record: Equatable {
      let entry: TarEntry
      /// Of `labels`; `nil` for an image without one.
      let label: Int?
    }

    /// What in the shard is no labelled image.
    package struct LeftOut: Equatable {
      let what: String
      let count: Int
    }

    /// Of the shard, by which it is told from another one under its name.
    let size: Int
    let modified: Int64
    /// Whether it is a tar of tars.
    let isNested: Bool
    /// In the order in which they come first.
    let labels: [FilePath]
    let leftOut: [LeftOut]
    let records: [Record]

    static let magic: [UInt8] = [0x89] + Array("OCTIDX\n".utf8)
    static let version: UInt32 = 2
    private static let noLabel = UInt32.max
    /// Twenty million images with long names.
    private static let largestFile = 4 << 30

    // MARK: Files

    package var bytes: [UInt8] {
      var result = Self.magic
      func add(_ value: some FixedWidthInteger) {
        withUnsafeBytes(of: value.littleEndian) { result += $0 }
      }
      func add(_ text: [UInt8]) {
        add(UInt32(text.count))
        result += text
      }
      add(Self.version)
      add(UInt32(isNested ? 1 : 0))
      add(UInt64(size))
      add(modified)
      add(UInt32(labels.count))
      add(UInt32(leftOut.count))
      add(UInt64(records.count))
      labels.forEach { add($0.bytes) }
      for entry in leftOut {
        add(UInt64(entry.count))
        add(Array(entry.what.utf8))
      }
      for record in records {
        add(UInt64(record.entry.offset))
        add(UInt64(record.entry.size))
        add(record.label.map { UInt32($0) } ?? Self.noLabel)
        add(record.entry.name.bytes)
      }
      add(result.withUnsafeBytes { PreparedLayout.checksum($0) })
      return result
    }

    /// - Throws: `OctNetError.file` that names the byte of what is wrong.
    init(path: FilePath) throws(OctNetError) {
      let file = try FileReader(path, limit: Self.largestFile)
      try self.init(bytes: try file.bytes(at: 0, count: file.size), path: "\(path)")
    }

    package init(bytes: [UInt8], path: String) throws(OctNetError) {
      var fields = Fields(bytes: bytes, path: path)
      guard bytes.starts(with: Self.magic) else { throw fields.failure("no index of a shard") }
      let sum = bytes.withUnsafeBytes {
        PreparedLayout.checksum(UnsafeRawBufferPointer(rebasing: $0.dropLast(4)))
      }
      guard bytes.count >= 52,
        bytes.suffix(4).elementsEqual(withUnsafeBytes(of: sum.littleEndian, Array.init))
      else {
        throw fields.failure("damaged: the checksum is not that of the bytes in front of it")
      }
      fields.place = Self.magic.count
      let version = try fields.number(UInt32.self)
      guard version == Self.version else {
        throw fields.failure("found version \(version), expected \(Self.version)")
      }
      isNested = try fields.number(UInt32.self) == 1
      size = try fields.count()
      modified = try fields.number(Int64.self)
      let (labelCount, kinds) = (try fields.number(UInt32.self), try fields.number(UInt32.self))
      let count = try fields.count()
      // Each takes some bytes: no more are asked for than the file can have.
      var labels: [FilePath] = [], leftOut: [LeftOut] = [], records: [Record] = []
      for _ in 0..<labelCount { labels.append(FilePath(bytes: try fields.text())) }
      for _ in 0..<kinds {
        let number = try fields.count()
        guard number <= size else {
          throw fields.failure("\(number) entries left out of \(numbered(size, "byte"))")
        }
        leftOut.append(LeftOut(what: String(decoding: try fields.text(), as: UTF8.self), count: number))
      }
      for _ in 0..<count {
        let (offset, size) = (try fields.count(), try fields.count())
        let number = try fields.number(UInt32.self)
        guard size <= self.size, offset <= self.size - size, number == Self.noLabel || number < labels.count
        else {
          throw fields.failure(
            "a record of \(numbered(size, "byte")) at byte \(offset) with the label \(number)")
        }
        let name = FilePath(bytes: try fields.text())
        records.append(
          Record(
            entry: TarEntry(name: name, offset: offset, size: size),
            label: number == Self.noLabel ? nil : Int(number)))
      }
      (self.labels, self.leftOut, self.records) = (labels, leftOut, records)
    }

    init(
      size: Int, modified: Int64, isNested: Bool, labels: [FilePath], leftOut: [LeftOut], records: [Record]
    ) {
      (self.size, self.modified, self.isNested) = (size, modified, isNested)
      (self.labels, self.leftOut, self.records) = (labels, leftOut, records)
    }

    /// What is read from the front to the back.
    private struct Fields {
      let bytes: [UInt8]
      let path: String
      var place = 0

      mutating func number<Value: FixedWidthInteger>(_ type: Value.Type) throws(OctNetError) -> Value {
        let size = MemoryLayout<Value>.size
        guard size <= bytes.count - 4 - place else { throw failure("ends too early") }
        defer { place += size }
        return bytes.withUnsafeBytes {
          Value(littleEndian: $0.loadUnaligned(fromByteOffset: place, as: type))
        }
      }

      mutating func count() throws(OctNetError) -> Int {
        let value = try number(UInt64.self)
        guard let result = Int(exactly: value) else { throw failure("found \(value)") }
        return result
      }

      mutating func text() throws(OctNetError) -> [UInt8] {
        let count = Int(try number(UInt32.self))
        guard count <= bytes.count - 4 - place else { throw failure("ends too early") }
        defer { place += count }
        return Array(bytes[place..<place + count])
      }

      func failure(_ problem: String) -> OctNetError { .file(path: path, "byte \(place): \(problem)") }
    }
  }
#endif
