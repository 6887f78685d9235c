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

    /// The classes of these images, by number where all are whole numbers, else by code points.
    func listing(of split: ImageList.Split?, known: [FilePath]?) throws(OctNetError) -> ClassListing {
      let shards = shards.filter { split == nil || $0.split == split }
      let found = Set(shards.flatMap(\.index.labels))
      let classes = known ?? ImageList.sorted(found)
      let labels = Dictionary(uniqueKeysWithValues: zip(classes, 0...))
      let strangers = found.subtracting(labels.keys)
      guard strangers.isEmpty else {
        throw OctNetError.file(
          path: "\(pattern)",
          "found classes that are not among those of the training images: "
            + "\(ClassListing.list(ImageList.sorted(strangers))), expected some of \(ClassListing.list(classes))"
        )
      }
      var files: [ClassListing.File] = []
      var group = 0
      for shard in shards {
        let numbers = shard.index.labels.map { labels[$0] ?? 0 }
        files.reserveCapacity(files.count + shard.index.records.count)
        for record in shard.index.records {
          files.append(
            ClassListing.File(
              path: shard.path, label: numbers[record.label], entry: record.entry,
              shard: shard.index.isNested ? group + record.label : group))
        }
        group += shard.index.isNested ? shard.index.labels.count : 1
      }
      guard !files.isEmpty else {
        throw OctNetError.file(
          path: "\(pattern)", "expected labelled images in tars, found \(leftOut(of: shards))")
      }
      var listing = ClassListing(list: pattern, classes: classes, files: files)
      listing.isSortedByClass = shards.allSatisfy(\.index.isNested)
      for shard in shards where !shard.index.leftOut.isEmpty {
        listing.shardNotes.append("\(shard.path): left out \(leftOut(of: [shard]))")
      }
      return listing
    }

    /// "3 × link, 1 × image without label".
    private func leftOut(of shards: [Shard]) -> String {
      let parts = shards.flatMap(\.index.leftOut).map { "\($0.count) × \($0.what)" }
      return parts.isEmpty ? "none" : parts.joined(separator: ", ")
    }
  }

  extension FilePath {
    fileprivate var exists: Bool { withCString { access($0, F_OK) } == 0 }

    /// Whether the system lets this process write in the folder that this is in.
    fileprivate var isFolderWritable: Bool {
      let end = bytes.lastIndex(of: UInt8(ascii: "/"))
      let folder = FilePath(bytes: end.map { $0 == 0 ? [0x2f] : Array(bytes[..<$0]) } ?? [0x2e])
      return folder.withCString { access($0, W_OK) } == 0
    }
  }
#endif
