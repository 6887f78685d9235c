#if Images
  import Foundation
  import OctNet

  /// Labelled images in tars, with an index of each.
  ///
  /// Which images a shard's are, a word of its file's name says: `val`, `valid` or `validation`, `test`, and all others are to
  /// learn from. Where only one shard or kind of shards is there, and no training is asked for, they are the test images.
  struct TarShards {
    private struct Shard {
      let path: FilePath
      let split: ImageList.Split
      let index: ShardIndex
    }

    private let pattern: FilePath
    private let shards: [Shard]
    /// For labels that are numbers.
    private let names: ShardClasses?
    /// What is to be said of indices that were made anew.
    private(set) var notes: [String] = []
    /// Those that could not be written beside their shards.
    private(set) var unsaved: [UnsavedShardIndex] = []

    /// - Parameter indexDirectory: where indices are looked for that are not beside their shards.
    /// - Throws: `OctNetError` for a pattern without files, a damaged shard, and a disk that refuses for another reason
    ///   than that the folder cannot be written.
    init(_ pattern: String, indexDirectory: String?) throws(OctNetError) {
      self.pattern = FilePath(pattern)
      var shards: [Shard] = []
      for path in try ShardPattern.files(pattern) {
        let index = try Self.index(of: path, indexDirectory, &notes, &unsaved)
        shards.append(Shard(path: path, split: Self.split(path), index: index))
      }
      self.shards = shards
      names = try Self.names(of: shards, &notes)
    }

    /// Those beside the shards, for labels that are all numbers.
    private static func names(of shards: [Shard], _ notes: inout [String]) throws(OctNetError)
      -> ShardClasses?
    {
      guard let found = try ShardClasses.beside(shards.map(\.path)) else { return nil }
      let labels = shards.lazy.flatMap(\.index.labels)
      guard let text = labels.first(where: { ShardClasses.number($0) == nil }) else { return found }
      notes.append("\(found.path): is not needed, since labels in the shards are names, such as \(text)")
      return nil
    }

    // MARK: Indices

    private static func index(
      of path: FilePath, _ directory: String?, _ notes: inout [String], _ unsaved: inout [UnsavedShardIndex]
    ) throws(OctNetError) -> ShardIndex {
      let beside = FilePath(bytes: path.bytes + UnsavedShardIndex.ending.utf8)
      let elsewhere = directory.map { FilePath($0).appending(FilePath(UnsavedShardIndex.name(of: path))) }
      let tar = try FileReader(path)
      for place in [beside, elsewhere].compactMap({ $0 }) where place.exists {
        do throws(OctNetError) {
          let index = try ShardIndex(path: place)
          if index.size == tar.size, index.modified == tar.modified { return index }
          notes.append(
            index.size == tar.size
              ? "\(path): was written again since its index was made; the index is made anew"
              : "\(path): has \(numbered(tar.size, "byte")), its index is of one with \(index.size); the index is made anew"
          )
        } catch {
          notes.append("\(error); the index is made anew")
        }
      }
      let made = try ShardScan.index(path)
      let unsavedIndex = UnsavedShardIndex(shard: path, bytes: made.bytes)
      // A name that is no text cannot be given to the system by way of a String.
      if beside.isFolderWritable, let text = String(validating: beside.bytes, as: UTF8.self) {
        try unsavedIndex.write(to: text)
      } else {
        unsaved.append(unsavedIndex)
      }
      return made
    }

    // MARK: Images

    /// By the words of the file's name, which other signs than letters part.
    static func split(_ path: FilePath) -> ImageList.Split {
      let name = path.bytes[((path.bytes.lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...]
      let words = String(decoding: name, as: UTF8.self).lowercased().split { !$0.isLetter }
      if words.contains("test") { return .test }
      return words.contains { ["val", "valid", "validation"].contains($0) } ? .validation : .train
    }

    func has(_ split: ImageList.Split) -> Bool { shards.contains { $0.split == split } }

    /// The classes are those that a file beside the shards names; else these images' labels, by number where all are whole
    /// numbers, else by code points.
    func listing(of split: ImageList.Split?, known: [FilePath]?) throws(OctNetError) -> ClassListing {
      let shards = shards.filter { split == nil || $0.split == split }
      let found = Set(shards.flatMap(\.index.labels))
      let classes = known ?? names?.names ?? ImageList.sorted(found)
      let labels = Dictionary(uniqueKeysWithValues: zip(classes, 0...))
      let strangers = names == nil ? found.subtracting(labels.keys) : []
      guard strangers.isEmpty else {
        throw OctNetError.file(
          path: "\(pattern)",
          "found classes that are not among those of the training images: "
            + "\(ClassListing.list(ImageList.sorted(strangers))), expected some of \(ClassListing.list(classes))"
        )
      }
      return try listing(of: shards, classes: classes, isLabelled: true)
    }

    /// All images to be named, with or without a label: those of the test shards, else of those for validation, else all.
    func listingOfAll() throws(OctNetError) -> ClassListing {
      let split: ImageList.Split? = has(.test) ? .test : has(.validation) ? .validation : nil
      let shards = shards.filter { split == nil || $0.split == split }
      let classes = names?.names ?? ImageList.sorted(Set(shards.flatMap(\.index.labels)))
      return try listing(of: shards, classes: classes, isLabelled: false)
    }

    /// - Parameter isLabelled: whether images without a label are left out.
    private func listing(
      of shards: [Shard], classes: [FilePath], isLabelled: Bool
    ) throws(OctNetError) -> ClassListing {
      let files = try files(of: shards, classes: classes, isLabelled: isLabelled)
      guard !files.isEmpty else {
        throw OctNetError.file(
          path: "\(pattern)",
          "expected \(isLabelled ? "labelled " : "")images in tars, found \(leftOut(of: shards, isLabelled: isLabelled))"
        )
      }
      var listing = ClassListing(list: pattern, classes: classes, files: files)
      listing.isSortedByClass =
        isLabelled && shards.allSatisfy { $0.index.isNested || $0.index.labels.count <= 1 }
      listing.shardNotes = notes(of: shards, isLabelled: isLabelled)
      return listing
    }

    private func files(
      of shards: [Shard], classes: [FilePath], isLabelled: Bool
    ) throws(OctNetError) -> [ClassListing.File] {
      let places = Dictionary(uniqueKeysWithValues: zip(classes, 0...))
      var files: [ClassListing.File] = []
      var group = 0
      for shard in shards {
        var numbers: [Int] = []
        for label in shard.index.labels {
          numbers.append(try names?.number(of: label, in: shard.path) ?? places[label] ?? 0)
        }
        files.reserveCapacity(files.count + shard.index.records.count)
        for record in shard.index.records where record.label != nil || !isLabelled {
          files.append(
            ClassListing.File(
              path: shard.path, label: record.label.map { numbers[$0] }, entry: record.entry,
              shard: shard.index.isNested ? group + (record.label ?? 0) : group,
              innerTar: shard.index.isNested ? record.label.map { shard.index.labels[$0] } : nil))
        }
        group += shard.index.isNested ? shard.index.labels.count : 1
      }
      return files
    }

    private func notes(of shards: [Shard], isLabelled: Bool) -> [String] {
      shards.compactMap { shard in
        let text = leftOut(of: [shard], isLabelled: isLabelled)
        return text == "none" ? nil : "\(shard.path): left out \(text)"
      }
    }

    /// "3 × link, 1 × image without label"; these are left out where labels are asked for.
    private func leftOut(of shards: [Shard], isLabelled: Bool) -> String {
      var kinds: [String: Int] = [:]
      for shard in shards {
        for entry in shard.index.leftOut { kinds[entry.what, default: 0] += entry.count }
        let unlabelled = shard.index.records.count { $0.label == nil }
        if isLabelled, unlabelled > 0 { kinds["image without label", default: 0] += unlabelled }
      }
      let parts = kinds.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { "\($0.value) × \($0.key)" }
      return parts.isEmpty ? "none" : parts.joined(separator: ", ")
    }
  }

  extension FilePath {
    var exists: Bool { withCString { access($0, F_OK) } == 0 }

    /// Whether the system lets this process write in the folder that this is in.
    fileprivate var isFolderWritable: Bool {
      let end = bytes.lastIndex(of: UInt8(ascii: "/"))
      let folder = FilePath(bytes: end.map { $0 == 0 ? [0x2f] : Array(bytes[..<$0]) } ?? [0x2e])
      return folder.withCString { access($0, W_OK) } == 0
    }
  }
#endif
