#if Images
  import CTransforms
  import OctNet

  /// The images of one half of a data set, DIRECTORY/CLASS/…, in torchvision's order: classes by name, in each of them
  /// folders by path, however deep, in each of those files by name; all by code points.
  ///
  /// Links are followed, but for those that lead back to a folder they are in. Names that end in one of `extensions` are
  /// images, whatever is before them; others are counted.
  struct ClassListing {
    struct File: Equatable {
      /// Of the file, or of the tar that it is in.
      let path: FilePath
      /// `nil` where nothing says it.
      let label: Int?
      /// Where it is in the tar.
      var entry: TarEntry?
      /// Of a tar.
      var shard = 0
      /// The tar in a tar of tars that it is in, without `.tar`.
      var innerTar: FilePath?

      /// What somebody finds it by: `cat.jpg`, `train-0.tar:000123.jpg`, `train.tar:n01440764.tar:1.JPEG`.
      var name: String {
        guard let entry else { return "\(path)" }
        return "\(path):" + (innerTar.map { "\($0).tar:" } ?? "") + "\(entry.name)"
      }
    }

    static let extensions = [".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"]
    static let extensionList = ".png, .jpg, .jpeg, .webp, .tif, .tiff or .bmp"
    /// Links may make many paths of few files.
    private static let largestCount = 20_000_000

    /// Or the list that names the files, or the pattern of the tars.
    let directory: FilePath
    private let isFolder: Bool
    /// By label.
    let classes: [FilePath]
    private(set) var files: [File] = []
    private(set) var leftOut = LeftOutFiles()
    /// What shards hold besides.
    var shardNotes: [String] = []
    /// Whether every shard has one class, so that no buffer mixes classes.
    var isSortedByClass = false

    /// - Parameter known: the classes of the training half, which give the labels; of these any may be empty here. nil:
    ///   every folder is a class, but for hidden ones without an image.
    /// - Throws: `OctNetError.file` for a folder that cannot be read, holds no images or an unknown class.
    init(_ directory: FilePath, known: [FilePath]? = nil) throws(OctNetError) {
      self.directory = directory
      isFolder = true
      let listing = try DirectoryListing(directory)
      let beside = listing.entries.filter { !$0.isDirectory }.map { directory.appending($0.name) }
      leftOut.danglingLinks = beside.filter(\.isDanglingLink)
      leftOut.besideClasses = beside.count - leftOut.danglingLinks.count
      var found: [(name: FilePath, images: [FilePath])] = []
      for entry in listing.entries where entry.isDirectory {
        var images: [FilePath] = []
        let before = leftOut
        try Self.walk(directory.appending(entry.name), images: &images, leftOut: &leftOut)
        let isKnown = known?.contains(entry.name) ?? (entry.name.bytes.first != UInt8(ascii: "."))
        if images.isEmpty && !isKnown {
          leftOut = before
          leftOut.emptyFolders.append(entry.name)
        } else {
          found.append((entry.name, images))
        }
      }
      classes = known ?? found.map(\.name)
      try check(found: found, known: known)
      let labels = Dictionary(uniqueKeysWithValues: zip(classes, 0...))
      for (name, images) in found {
        guard let label = labels[name] else { continue }
        files += images.map { File(path: $0, label: label) }
      }
      guard !files.isEmpty else {
        let beside = leftOut.besideClasses
        throw OctNetError.file(
          path: "\(directory)",
          "expected \(Self.extensionList) files in folders of classes, found \(leftOut)"
            + (beside > 0 ? " there, and \(numbered(beside, "file")) in no such folder" : ""))
      }
    }

    /// All images below a folder, without labels: folders by path, in each of them files by name.
    /// - Throws: `OctNetError.file` for a folder that cannot be read or without images.
    init(allBelow directory: FilePath) throws(OctNetError) {
      self.directory = directory
      isFolder = true
      classes = []
      var images: [FilePath] = []
      try Self.walk(directory, images: &images, leftOut: &leftOut)
      guard !images.isEmpty else {
        throw OctNetError.file(
          path: "\(directory)", "expected \(Self.extensionList) files, found \(leftOut)")
      }
      files = images.map { File(path: $0, label: nil) }
    }

    /// Files that a list names, or that are in tars.
    init(list: FilePath, classes: [FilePath], files: [File]) {
      directory = list
      isFolder = false
      self.classes = classes
      self.files = files
    }

    private func check(found: [(name: FilePath, images: [FilePath])], known: [FilePath]?) throws(OctNetError)
    {
      guard let known else {
        let empty = found.filter(\.images.isEmpty).map(\.name)
        guard empty.isEmpty else {
          throw OctNetError.file(
            path: "\(directory)",
            "expected \(Self.extensionList) files of every class, found none of \(Self.list(empty))"
              + (leftOut.isEmpty ? "" : ", but \(leftOut)"))
        }
        return
      }
      let strangers = found.map(\.name).filter { !known.contains($0) }
      guard strangers.isEmpty else {
        throw OctNetError.file(
          path: "\(directory)",
          "found classes that are not among those of the training images: \(Self.list(strangers)), "
            + "expected some of \(Self.list(known))")
      }
    }

    /// Names of the classes: distinct texts, also where a name is not UTF-8.
    func classNames() throws(OctNetError) -> [String] {
      let names = classes.map(\.description)
      guard Set(names.map { Array($0.utf8) }).count == names.count else {
        throw OctNetError.file(
          path: "\(directory)",
          "two classes have the same name once bytes that are not UTF-8 are written as text")
      }
      return names
    }

    /// The classes without an image.
    var emptyClasses: [FilePath] {
      let labels = Set(files.compactMap(\.label))
      return zip(0..., classes).filter { !labels.contains($0.0) }.map(\.1)
    }

    static func list(_ names: [FilePath]) -> String {
      let shown = names.prefix(10).map(\.description).joined(separator: ", ")
      return names.count > 10 ? "\(shown) and \(names.count - 10) more" : shown
    }

    // MARK: Which of them

    /// Keeps `limit` files: of every class the same share, from its first file on, and at least one where there are as
    /// many as classes.
    mutating func keep(_ limit: Int) {
      files = ClassShares.first(limit, of: files.map { $0.label ?? 0 }).map { files[$0] }
    }

    /// Takes a share of every class away, at least one image, and leaves one: those whose names have the smallest checksums,
    /// so that they are the same ones on every machine and for every seed, and nearly so when files are added.
    mutating func taking(_ share: Double) -> ClassListing {
      var ranked = [[(checksum: UInt32, place: Int)]](repeating: [], count: classes.count)
      // Wherever the folder or the list lies, and however it was spelled.
      let slash = UInt8(ascii: "/")
      var root = directory.bytes[...]
      if isFolder {
        while root.last == slash { root.removeLast() }
      } else {
        root = root[..<((root.lastIndex(of: slash) ?? -1) + 1)]
      }
      for (place, file) in files.enumerated() {
        let isBelow = file.entry == nil && file.path.bytes.starts(with: root)
        var name = file.entry?.name.bytes ?? Array(file.path.bytes.dropFirst(isBelow ? root.count : 0))
        if isBelow && isFolder { name = [slash] + name.drop { $0 == slash } }
        ranked[file.label ?? 0].append((oct_crc32c(name, name.count), place))
      }
      var taken: Set<Int> = []
      for images in ranked where images.count > 1 {
        let count = min(max(1, Int((share * Double(images.count)).rounded())), images.count - 1)
        taken.formUnion(images.sorted { $0 < $1 }.prefix(count).map(\.place))
      }
      var test = self
      test.files = files.indices.filter(taken.contains).map { files[$0] }
      // What was left out is told once.
      (test.leftOut, test.shardNotes) = (LeftOutFiles(), [])
      files = files.indices.filter { !taken.contains($0) }.map { files[$0] }
      return test
    }

    // MARK: Walking

    private static func walk(
      _ folder: FilePath, images: inout [FilePath], leftOut: inout LeftOutFiles
    ) throws(OctNetError) {
      var folders: [(path: FilePath, files: [FilePath])] = []
      var count = images.count
      try collect(folder, above: [], into: &folders, count: &count, leftOut: &leftOut)
      for (path, names) in folders.sorted(by: { $0.path < $1.path }) {
        images += names.map(path.appending)
      }
    }

    private static func collect(
      _ folder: FilePath, above: [DirectoryListing.Identity],
      into folders: inout [(path: FilePath, files: [FilePath])], count: inout Int, leftOut: inout LeftOutFiles
    ) throws(OctNetError) {
      let listing = try DirectoryListing(folder)
      guard !above.contains(listing.identity) else {
        leftOut.loops.append(folder)
        return
      }
      var files: [FilePath] = []
      for entry in listing.entries {
        if entry.isDirectory {
          try collect(
            folder.appending(entry.name), above: above + [listing.identity], into: &folders, count: &count,
            leftOut: &leftOut)
        } else if isImage(entry.name) {
          files.append(entry.name)
        } else {
          leftOut.add(entry.name)
        }
      }
      count += files.count + 1
      guard count <= largestCount else {
        throw OctNetError.file(
          path: "\(folder)",
          "more than \(numbered(largestCount, "file")) and folders of one class; do links lead in circles?")
      }
      folders.append((folder, files))
    }

    static func isImage(_ name: FilePath) -> Bool {
      extensions.contains { ending in
        let tail = name.bytes.suffix(ending.utf8.count)
        return tail.elementsEqual(ending.utf8) { byte, wanted in
          byte == wanted || (byte | 0x20 == wanted && byte >= 0x41 && byte <= 0x5a)
        }
      }
    }
  }
#endif
