#if Images
  import OctNet

  /// Images in folders of classes, DIR/train/CLASS/… and DIR/test/CLASS/… (torchvision's `ImageFolder`), with the labels
  /// and in the order that torchvision gives them. See `FolderLayout` for other names of the halves, `ClassListing` for
  /// what counts as an image.
  ///
  /// The training images' folders are the classes; of the others any may be missing.
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

    /// Bytes of all decoded images together.
    private static let memoryLimit = 4 << 30
    /// How many damaged files an error or a note names.
    private static let namedFiles = 100

    /// With a folder for each class, or for each part of the data.
    public let directory: String
    /// How it is read.
    public var options: Options

    /// Nothing is read before it is asked for.
    public init(directory: String, options: Options = Options()) {
      self.directory = directory
      self.options = options
    }

    /// Reads and prepares all images; see `Preparation`.
    ///
    /// - Throws: `OctNetError.file` that names the folder or file: missing, without images, and all damaged files at once;
    ///   `.configuration` for a size that must be given.
    public func split() throws(OctNetError) -> Loaded<DataSplit> {
      let layout = try FolderLayout(FilePath(directory), needsTrain: true)
      var train = try listing(of: layout.train ?? layout.test)
      let known = train.classes
      if let limit = options.trainLimit { train.keep(limit) }
      var test = try listing(of: layout.test, known: known)
      if let limit = options.testLimit { test.keep(limit) }
      var listings = [train, test]
      if let validation = layout.validation { listings.append(try listing(of: validation, known: known)) }
      let (sets, notes) = try load(listings)
      let split = DataSplit(
        train: sets[0], test: sets[1], validation: sets.count > 2 ? sets[2] : nil,
        normalization: Normalization(measuring: sets[0]))
      return Loaded(value: split, notes: notes)
    }

    /// The test images alone: nothing needs to be there to train on. Without training images their own folders are the
    /// classes.
    /// - Throws: as `split`.
    public func test() throws(OctNetError) -> Loaded<ImageSet> {
      let layout = try FolderLayout(FilePath(directory), needsTrain: false)
      var known: [FilePath]?
      if let train = layout.train { known = try listing(of: train).classes }
      var test = try listing(of: layout.test, known: known)
      if let limit = options.testLimit { test.keep(limit) }
      let (sets, notes) = try load([test], views: true)
      return Loaded(value: sets[0], notes: notes)
    }

    /// Measured on the training images.
    /// - Throws: as `split`.
    public func normalization() throws(OctNetError) -> Normalization {
      let layout = try FolderLayout(FilePath(directory), needsTrain: true)
      var train = try listing(of: layout.train ?? layout.test)
      if let limit = options.trainLimit { train.keep(limit) }
      return Normalization(measuring: try load([train]).sets[0])
    }

    private func listing(of half: FilePath, known: [FilePath]? = nil) throws(OctNetError) -> ClassListing {
      for (key, limit) in [("trainLimit", options.trainLimit), ("testLimit", options.testLimit)] {
        guard let limit, limit < 1 else { continue }
        throw OctNetError.configuration(key: key, "expected 1 or more, found \(limit)")
      }
      return try ClassListing(half, known: known)
    }

    // MARK: Decoding

    private typealias Damage = (file: FilePath, problem: OctNetError)

    private func load(
      _ halves: [ClassListing], views: Bool = false
    ) throws(OctNetError) -> (sets: [ImageSet], notes: [String]) {
      var evaluation = options.evaluation
      try evaluation.validate()
      if !views { evaluation.views = nil }
      var size = options.size ?? 0
      if options.size == nil { size = try firstSize(halves[0]) }
      let preparation = Preparation(
        size: size, channels: options.channels, appliesOrientation: options.appliesOrientation,
        evaluation: evaluation)
      try checkMemory(halves, preparation)
      var sets: [ImageSet] = [], damages: [Damage] = [], notes: [String] = []
      for half in halves {
        notes += half.leftOut.notes(directory: half.directory)
        let set = try decode(half, preparation, &damages)
        if set.count == 0 && options.skipsDamaged {
          throw Self.error(damages, of: half.files.count, half.directory)
        }
        sets.append(set)
        let empty = half.emptyClasses
        if !empty.isEmpty { notes.append("\(half.directory): no images of \(ClassListing.list(empty))") }
      }
      guard !damages.isEmpty else { return (sets, notes) }
      let count = halves.reduce(0) { $0 + $1.files.count }
      guard options.skipsDamaged else { throw Self.error(damages, of: count, FilePath(directory)) }
      return (sets, notes + ["\(directory): went on without \(Self.describe(damages, of: count))"])
    }

    private func decode(
      _ half: ClassListing, _ preparation: Preparation, _ damages: inout [Damage]
    ) throws(OctNetError) -> ImageSet {
      let size = preparation.size, classNames = try half.classNames()
      var pixels: [UInt8] = [], labels: [Int] = []
      pixels.reserveCapacity(
        half.files.count * preparation.viewCount * size * size * preparation.channels)
      labels.reserveCapacity(half.files.count)
      for file in half.files {
        do throws(OctNetError) {
          for view in try ImageFile(file.path).views(preparation) {
            pixels += view.pixels
            labels.append(file.label)
          }
        } catch { damages.append((file.path, error)) }
      }
      return ImageSet(
        name: "\(half.directory)", height: size, width: size, channels: preparation.channels,
        classNames: classNames, pixels: pixels, labels: labels)
    }

    private func checkMemory(_ halves: [ClassListing], _ preparation: Preparation) throws(OctNetError) {
      let count = halves.reduce(0) { $0 + $1.files.count }
      var bytes = count, overflows = false
      for factor in [preparation.size, preparation.size, preparation.channels, preparation.viewCount] {
        let (product, isTooLarge) = bytes.multipliedReportingOverflow(by: factor)
        (bytes, overflows) = (product, overflows || isTooLarge)
      }
      guard !overflows, bytes <= Self.memoryLimit else {
        throw OctNetError.file(
          path: directory,
          "\(numbered(count, "image")) of \(preparation.size)×\(preparation.size) take "
            + "\(overflows ? "more bytes than there are" : "\(numbered(bytes, "byte"))"), expected at most \(Self.memoryLimit)"
        )
      }
    }

    /// That of the first image whose header can be read.
    private func firstSize(_ half: ClassListing) throws(OctNetError) -> Int {
      var damages: [Damage] = []
      for file in half.files {
        let found: (width: Int, height: Int)
        do throws(OctNetError) {
          found = try ImageFile(file.path).size()
        } catch {
          damages.append((file.path, error))
          continue
        }
        guard found.width == found.height, found.width <= 256 else {
          throw OctNetError.configuration(
            key: "image size",
            "the first image, \(file.path), is \(found.width)×\(found.height); say --image-size, such as 224")
        }
        return found.width
      }
      throw Self.error(damages, of: half.files.count, half.directory)
    }

    private static func error(_ damages: [Damage], of count: Int, _ directory: FilePath) -> OctNetError {
      if damages.count == 1 { return damages[0].problem }
      return .file(
        path: "\(directory)", "\(describe(damages, of: count)); --skip-damaged goes on without them")
    }

    /// "2 of 500 images that cannot be read: a.png: the file is empty; b.jpg: …".
    private static func describe(_ damages: [Damage], of count: Int) -> String {
      var parts = damages.prefix(namedFiles).map { "\($0.problem)" }
      if damages.count > namedFiles { parts.append("and \(damages.count - namedFiles) more") }
      return
        "\(damages.count) of \(numbered(count, "image")) that cannot be read: \(parts.joined(separator: "; "))"
    }
  }
#endif
