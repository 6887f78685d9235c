#if Images
  import OctNet

  /// Images in folders of classes, DIR/train/CLASS/… and DIR/test/CLASS/… (torchvision's `ImageFolder`), with the labels
  /// and in the order that torchvision gives them, in lists (`ImageList`), or in tars (`TarShards`). See `FolderLayout` for other names of the
  /// halves, `ClassListing` for what counts as an image.
  ///
  /// The training images' folders are the classes; of the others any may be missing. Files are listed at once, and read
  /// when it is their turn.
  public struct ImageFolder: Sendable {
    /// How folders are read.
    public struct Options: Sendable {
      /// Height and width afterwards; nil takes those of the first image where it is square and at most 256.
      public var size: Int?
      /// 3 for RGB, 1 for gray.
      public var channels = 3
      /// Turns photographs as their EXIF orientation says.
      public var appliesOrientation = false
      /// How images come to their size. `test` gives all views of an image one after the other; `split` the middle.
      public var evaluation = EvaluationSettings()
      /// Goes on without files that cannot be decoded.
      public var skipsDamaged = false
      /// So many images only, of every class the same share.
      public var trainLimit: Int?
      /// Only so many test images, of every class its share.
      public var testLimit: Int?
      /// Share of every class that is taken from the training images for tests, where there are no images for them.
      public var testShare: Double?
      /// Images in turn that an epoch mixes, of shards: `nil` is 10,000, or all where each shard is one class.
      public var shuffleBuffer: Int?
      /// Where indices of shards are looked for whose own folders cannot be written.
      package var indexDirectory: String?
      /// Decodes all images at once and keeps them in memory, in place of reading them each time. Images are the same.
      public var inMemory = false
      /// Whether training cuts crops out of photographs (`RandomResizedCrop`), so that `inMemory` keeps these as they are;
      /// others are kept at the network's size.
      public var keepsPhotographs = false
      /// Threads that decode images that are kept; `nil` is as many as there are processors.
      public var threads: Int?
      /// Known already; `nil` measures it on the training images.
      public var normalization: Normalization?

      /// All images at the size of the first, in colour.
      public init() {}
    }

    /// What was read, and a line for everything that was left out of it.
    public struct Loaded<Value: Sendable>: Sendable {
      /// What was read.
      public let value: Value
      /// A line for each thing that was left out or decided.
      public let notes: [String]
    }

    /// How many damaged files an error or a note names.
    private static let namedFiles = 100
    private static let usualShuffleBuffer = 10_000

    /// The folder around those of the classes, or the list.
    public let directory: String
    /// How it is read.
    public var options: Options
    private let kind: Kind

    private enum Kind { case folder, list, shards }

    /// Nothing is read before it is asked for.
    public init(directory: String, options: Options = Options()) {
      self.directory = directory
      self.options = options
      kind = .folder
    }

    /// Files and labels in a CSV file, see `ImageList`.
    public init(list path: String, options: Options = Options()) {
      directory = path
      self.options = options
      kind = .list
    }

    /// Images in tars, see `TarShards`: `photos/train-{000..007}.tar`.
    public init(shards pattern: String, options: Options = Options()) {
      directory = pattern
      self.options = options
      kind = .shards
    }

    /// Lists all images; see `Preparation` for what becomes of them.
    ///
    /// - Throws: `OctNetError.file` that names the folder or file: missing, without images, damaged among those that are
    ///   looked at; with `inMemory` all damaged files at once; `.configuration` for a size that must be given.
    public func split() throws(OctNetError) -> Loaded<DataSplit> {
      let (halves, shards) = try halves(needsTrain: true)
      var (train, test) = (halves.train ?? halves.test, halves.test)
      if let limit = options.trainLimit { train.keep(limit) }
      if let limit = options.testLimit { test.keep(limit) }
      var listings = [train, test]
      if let validation = halves.validation { listings.append(validation) }
      let (sets, notes) = try load(listings)
      // Not by `??`, which would forget the type of the error.
      let normalization: Normalization
      if let known = options.normalization {
        normalization = known
      } else {
        normalization = try Normalization(measuringFiles: sets[0])
      }
      var split = DataSplit(
        train: sets[0], test: sets[1], validation: sets.count > 2 ? sets[2] : nil,
        normalization: normalization)
      split.unsavedShardIndices = shards?.unsaved ?? []
      return Loaded(value: split, notes: (shards?.notes ?? []) + notes)
    }

    /// The test images alone: nothing needs to be there to train on. Without training images their own folders are the
    /// classes.
    /// - Throws: as `split`.
    public func test() throws(OctNetError) -> Loaded<any Dataset> {
      let (halves, shards) = try halves(needsTrain: false)
      var test = halves.test
      if let limit = options.testLimit { test.keep(limit) }
      let (sets, notes) = try load([test], views: true)
      return Loaded(value: sets[0], notes: (shards?.notes ?? []) + notes)
    }

    /// The images to say something of, with or without labels, by their names: in a folder all that are below its folder
    /// `test`, in a list or tars those for tests; where there are none those for validation, and without these all.
    /// - Throws: as `split`.
    public func named() throws(OctNetError) -> Loaded<NamedImages> {
      let path = FilePath(directory)
      let listing: ClassListing
      var notes: [String] = []
      switch kind {
      case .folder: listing = try ClassListing(allBelow: try FolderLayout.testFolder(of: path))
      case .list: listing = try ImageList(path, needsLabels: false).listingOfAll()
      case .shards:
        let shards = try TarShards(directory, indexDirectory: options.indexDirectory)
        listing = try shards.listingOfAll()
        notes = shards.notes
      }
      let (sets, more) = try load([listing], views: true)
      let (files, classNames) = (listing.files, sets[0].classNames)
      let named = NamedImages(sets[0]) {
        files[$0].name
      } label: {
        files[$0].label.map { classNames[$0] }
      }
      return Loaded(value: named, notes: notes + more)
    }

    /// Measured on the training images.
    /// - Throws: as `split`.
    public func normalization() throws(OctNetError) -> Normalization {
      let halves = try halves(needsTrain: true).halves
      var train = halves.train ?? halves.test
      if let limit = options.trainLimit { train.keep(limit) }
      return try Normalization(measuringFiles: try load([train], kept: false).sets[0])
    }

    private func halves(needsTrain: Bool) throws(OctNetError) -> (halves: ImageHalves, shards: TarShards?) {
      for (key, limit) in [
        ("trainLimit", options.trainLimit), ("testLimit", options.testLimit),
        ("shuffleBuffer", options.shuffleBuffer),
      ] {
        guard let limit, limit < 1 else { continue }
        throw OctNetError.configuration(key: key, "expected 1 or more, found \(limit)")
      }
      let share = options.testShare
      try TrainingImages.checkTestShare(share)
      let path = FilePath(directory)
      switch kind {
      case .folder: return (try ImageHalves(folder: path, needsTrain: needsTrain, testShare: share), nil)
      case .list: return (try ImageHalves(list: path, needsTrain: needsTrain, testShare: share), nil)
      case .shards:
        let shards = try TarShards(directory, indexDirectory: options.indexDirectory)
        return (try ImageHalves(shards: shards, path, needsTrain: needsTrain, testShare: share), shards)
      }
    }

    // MARK: Images

    private func load(
      _ halves: [ClassListing], views: Bool = false, kept: Bool = true
    ) throws(OctNetError) -> (sets: [FileImages], notes: [String]) {
      var evaluation = options.evaluation
      try evaluation.validate()
      if !views { evaluation.views = nil }
      var size = options.size ?? 0
      if options.size == nil { size = try firstSize(halves[0]) }
      try SettingBounds.check(size, in: SettingBounds.imageSize, "image size")
      let preparation = Preparation(
        size: size, channels: options.channels, appliesOrientation: options.appliesOrientation,
        evaluation: evaluation)
      var notes: [String] = []
      for half in halves {
        notes += half.leftOut.notes(directory: half.directory) + half.shardNotes
        let empty = half.emptyClasses
        let note = "\(half.directory): no images of \(ClassListing.list(empty))"
        // Both halves may come from one directory.
        if !empty.isEmpty && !notes.contains(note) { notes.append(note) }
      }
      let stores = options.inMemory && kept ? try keep(halves, preparation, views: views) : []
      var sets: [FileImages] = []
      for (index, half) in halves.enumerated() {
        sets.append(
          try FileImages(
            half, preparation, skipsDamaged: options.skipsDamaged, shuffleBuffer: shuffleBuffer(of: half),
            kept: stores.isEmpty ? nil : stores[index]))
      }
      return (sets, notes)
    }

    private func shuffleBuffer(of half: ClassListing) -> Int? {
      guard kind == .shards else { return nil }
      return options.shuffleBuffer ?? (half.isSortedByClass ? nil : Self.usualShuffleBuffer)
    }

    /// Decodes all of them.
    private func keep(
      _ halves: [ClassListing], _ preparation: Preparation, views: Bool
    ) throws(OctNetError) -> [KeptImages] {
      let count = halves.reduce(0) { $0 + $1.files.count }
      guard !options.keepsPhotographs || options.evaluation.scaledDecoding != true else {
        throw OctNetError.configuration(
          key: "scaledDecoding",
          "depends on each crop's size: photographs in memory, which crops are cut out of, have their own")
      }
      if !options.keepsPhotographs {
        let bytes = preparation.size * preparation.size * preparation.channels * preparation.viewCount
        try MemoryDemand.check(
          count * bytes,
          for: "\(numbered(count, "image")) of \(preparation.size)×\(preparation.size) in memory",
          key: "in-memory")
      }
      var stores: [KeptImages] = [], damages: [OctNetError] = []
      for (index, half) in halves.enumerated() {
        let store = try KeptImages(
          half, preparation, photographs: options.keepsPhotographs && index == 0 && !views,
          threads: options.threads ?? ThreadCount.usual().count)
        let found = store.damages.map(\.problem)
        if found.count == half.files.count { throw Self.error(allOf: found, half.directory) }
        damages += found
        stores.append(store)
      }
      guard damages.isEmpty || options.skipsDamaged else {
        throw Self.error(damages, of: count, FilePath(directory))
      }
      return stores
    }

    /// That of the first image whose header can be read.
    private func firstSize(_ half: ClassListing) throws(OctNetError) -> Int {
      var damages: [OctNetError] = []
      for file in half.files {
        let found: (width: Int, height: Int)
        do throws(OctNetError) {
          found = try ImageFile(file).size()
        } catch {
          damages.append(error)
          continue
        }
        guard found.width == found.height, found.width <= 256 else {
          throw OctNetError.configuration(
            key: "image size",
            "the first image, \(file.entry?.name ?? file.path), is \(found.width)×\(found.height); say --image-size, such as 224"
          )
        }
        return found.width
      }
      throw Self.error(allOf: damages, half.directory)
    }

    /// Where there is nothing to go on with.
    private static func error(allOf damages: [OctNetError], _ directory: FilePath) -> OctNetError {
      damages.count == 1
        ? damages[0] : .file(path: "\(directory)", describe(damages, of: damages.count))
    }

    private static func error(_ damages: [OctNetError], of count: Int, _ directory: FilePath) -> OctNetError {
      if damages.count == 1 { return damages[0] }
      return .file(
        path: "\(directory)", "\(describe(damages, of: count)); --skip-damaged goes on without them")
    }

    /// "2 of 500 images that cannot be read: a.png: the file is empty; b.jpg: …".
    private static func describe(_ damages: [OctNetError], of count: Int) -> String {
      var parts = damages.prefix(namedFiles).map(\.description)
      if damages.count > namedFiles { parts.append("and \(damages.count - namedFiles) more") }
      return
        "\(damages.count) of \(numbered(count, "image")) that cannot be read: \(parts.joined(separator: "; "))"
    }
  }
#endif
