import ArgumentParser
import OctNet
import OctNetImages

/// Which images, and how many of them.
struct TrainDataOptions: ParsableArguments {
  @Option(help: DataOptions.help(default: "synthetic"))
  var data: String?

  @Option(
    help: ArgumentHelp(
      "Height and width that images get (default: their own; of folder:DIR the first one's, if square and at most 256).",
      discussion: """
        Or sizes from epoch to epoch, counted from 0 without the last number, such as 128:0-10,160:10-16. Evaluations, the \
        checkpoint and the network have the last one.
        """, valueName: "n"))
  var imageSize: ImageSizeArgument?

  @Option(
    help: ArgumentHelp(
      "Train on N images only, the first ones; of files, and where images are sorted by class, those of each (default: all).",
      valueName: "n"))
  var limitTrain: Int?

  @Option(
    help: ArgumentHelp(
      "Test on N images only, the first ones; of files, and where images are sorted by class, those of each (default: all).",
      valueName: "n"))
  var limitTest: Int?

  @Option(
    help: ArgumentHelp(
      "Of tar:PATTERN: mix so many images in turn (default: 10000; all of a tar of tars).",
      discussion: "Shards come in random order. More mix better, fewer read the disk more in order.",
      valueName: "n"))
  var shuffleBuffer: Int?

  func validate() throws {
    if let problem = imageSize?.problem { throw ValidationError("--image-size: \(problem)") }
    try Bounds.check("--limit-train", limitTrain, SettingBounds.images)
    try Bounds.check("--limit-test", limitTest, SettingBounds.images)
    try Bounds.check("--shuffle-buffer", shuffleBuffer, SettingBounds.images)
  }
}

/// "224", or "128:0-10,160:10-16".
struct ImageSizeArgument: ExpressibleByArgument {
  let plan: ImageSizePlan?
  /// What is wrong with it, where it is no plan.
  let problem: String?

  init?(argument: String) {
    do throws(OctNetError) {
      (plan, problem) = (try ImageSizePlan(argument), nil)
    } catch {
      guard case .configuration(_, let text) = error else { return nil }
      (plan, problem) = (nil, text)
    }
  }
}

enum DataOptions {
  static func help(default defaultValue: String?) -> ArgumentHelp {
    ArgumentHelp(
      "Data set\(defaultValue.map { " (default: \($0))" } ?? "").",
      discussion: """
        synthetic (embedded, 10 classes, 32×32), cifar10:DIR, cifar100:DIR, cifar100-coarse:DIR (binary versions), \
        idx:DIR (MNIST, Fashion-MNIST), prepared:FILE (by octcli prepare), folder:DIR (train/CLASS/*.png, test/CLASS/*.jpg), \
        csv:FILE (columns path, label and split) or tar:PATTERN (WebDataset's shards, such as '{train,val}-*.tar', and \
        ILSVRC's tar of tars); the last three need the trait Images.
        """, valueName: "set")
  }

  static let imageSizeHelp = ArgumentHelp(
    "Height and width that images get (default: their own; of folder:DIR, csv:FILE and tar:PATTERN the first one's, if square and at most 256).",
    valueName: "n")

  /// Data that a checkpoint or a run names, which may have been trained from another directory.
  /// - Throws: `OctNetError.configuration` that names what was tried.
  static func locate(_ source: String, recordedIn path: String) throws -> String {
    let found = try DataLocation.resolve(source, recordedIn: path)
    if found != source { Terminal.printError("data: \(source) is \(found)") }
    return found
  }

  /// Reads the images that `source` names, and says on standard error which ones of a folder were left out.
  ///
  /// - Throws: as `DataSource` and `ImageFolder`; `OctNetError.configuration` for a folder without the trait Images.
  static func load(_ source: String, _ reading: ImageReading) throws -> DataSplit {
    try reading.validate()
    var split = try loadSize(source, reading)
    if let largest = reading.largestSize, largest != reading.size {
      var larger = reading
      larger.size = largest
      split.train = try loadSize(source, larger).train
    }
    return split
  }

  private static func loadSize(_ source: String, _ reading: ImageReading) throws -> DataSplit {
    guard let files = try files(source, reading) else { return try dataSet(source, reading) }
    #if Images
      let loaded = try imageFolder(files, reading).split()
      for note in loaded.notes { Terminal.printError(note) }
      return loaded.value
    #else
      throw ImagesTrait.missing("--data \(files.kind):\(files.path)")
    #endif
  }

  /// The test images alone; of a folder, nothing else needs to be there. `normalization` is measured on the training
  /// images where it is asked for.
  /// - Throws: as `load`.
  static func loadTest(
    _ source: String, _ reading: ImageReading
  ) throws -> (images: any Dataset, training: (any Dataset)?, normalization: () throws -> Normalization) {
    try reading.validate()
    guard let files = try files(source, reading) else {
      let split = try dataSet(source, reading)
      return (split.test, split.train, { split.normalization })
    }
    #if Images
      let folder = imageFolder(files, reading)
      let loaded = try folder.test()
      for note in loaded.notes { Terminal.printError(note) }
      return (loaded.value, nil, { try folder.normalization() })
    #else
      throw ImagesTrait.missing("--data \(files.kind):\(files.path)")
    #endif
  }

  /// The images to name what is in them: see `ImageFolder.named`; of other data sets the test images.
  /// - Throws: as `load`.
  static func loadNamed(_ source: String, _ reading: ImageReading) throws -> NamedImages {
    guard let files = try files(source, reading) else {
      return NamedImages(try dataSet(source, reading).test)
    }
    #if Images
      let loaded = try imageFolder(files, reading).named()
      for note in loaded.notes { Terminal.printError(note) }
      return loaded.value
    #else
      throw ImagesTrait.missing("--data \(files.kind):\(files.path)")
    #endif
  }

  /// Whether images come from files of their own.
  static func isFiles(_ source: String) -> Bool {
    FileKind.allCases.contains { source.hasPrefix("\($0):") }
  }

  /// Whether a text says a data set, and not a file's name.
  static func isDataSet(_ text: String) -> Bool { isFiles(text) || (try? DataSource.parse(text)) != nil }

  /// Images that have a size each, by what they are called in front of the colon.
  private enum FileKind: String, CaseIterable {
    case folder, csv, tar

    /// What is behind the colon.
    var form: (noun: String, name: String) {
      switch self {
      case .folder: ("directory", "DIR")
      case .csv: ("file", "FILE")
      case .tar: ("shards", "PATTERN")
      }
    }
  }

  /// Images that are no photographs, resized where another size than theirs is asked for.
  private static func dataSet(_ source: String, _ reading: ImageReading) throws -> DataSplit {
    let data = try dataSource(source)
    if reading.inMemory { throw belongsToFiles("--in-memory", source) }
    if reading.testShare != nil { throw belongsToFiles("--test-share", source) }
    if reading.shuffleBuffer != nil {
      throw OctNetError.configuration(
        key: "--shuffle-buffer", "belongs to tar:PATTERN, the data is \(source)")
    }
    if reading.appliesOrientation, !isPrepared(source) {
      throw belongsToFiles("--exif-orientation", source)
    }
    var split: DataSplit
    if case .prepared(let file) = data {
      split = try PreparedFile(path: HomeDirectory.expand(file), skipsDamaged: reading.skipsDamaged).data
    } else if reading.skipsDamaged {
      throw belongsToFiles("--skip-damaged", source)
    } else {
      split = try data.load()
    }
    if reading.appliesOrientation, split.preparation?.exifOrientation != true {
      throw OctNetError.configuration(
        key: "--exif-orientation",
        "\(source) holds pixels, of photographs that were not turned; it belongs to octcli prepare")
    }
    if reading.isEvaluationGiven, reading.evaluation.scaledDecoding == true,
      split.preparation?.evaluation?.scaledDecoding != true
    {
      throw belongsToFiles("--scaled-decoding", source)
    }
    if isPrepared(source) {
      split.train = split.train.limited(to: reading.trainLimit)
      split.test = split.test.limited(to: reading.testLimit)
    }
    if let size = reading.size, split.train.height != size || split.train.width != size {
      return try split.resized(to: size, reading.evaluation)
    }
    let flags = [
      ("--crop-ratio", reading.evaluation.cropRatio != nil),
      ("--crop-mode", reading.evaluation.cropMode != nil),
      ("--eval-interpolation", reading.evaluation.interpolation != nil),
    ]
    if reading.isEvaluationGiven, reading.evaluation != split.preparation?.evaluation,
      let given = flags.first(where: { $0.1 })?.0
    {
      throw OctNetError.configuration(
        key: given,
        "belongs to photographs and to images of another size, those of \(source) are "
          + "\(split.train.height)×\(split.train.width) already")
    }
    return split
  }

  /// What is no data set at all may be meant for one that this library reads by another.
  private static func dataSource(_ source: String) throws(OctNetError) -> DataSource {
    do throws(OctNetError) { return try DataSource.parse(source) } catch {
      guard case .configuration(let key, let problem) = error, problem.hasSuffix(DataSource.syntax) else {
        throw error
      }
      throw OctNetError.configuration(
        key: key, problem + "; with the trait Images also folder:DIR, csv:FILE or tar:PATTERN")
    }
  }

  private static func belongsToFiles(_ flag: String, _ source: String) -> OctNetError {
    .configuration(key: flag, "belongs to folder:DIR, csv:FILE and tar:PATTERN, the data is \(source)")
  }

  static func isPrepared(_ source: String) -> Bool { source.hasPrefix("prepared:") }

  /// What folder:DIR, csv:FILE and tar:PATTERN name, nil for other data sets.
  private static func files(
    _ source: String, _ reading: ImageReading
  ) throws -> (path: String, kind: FileKind)? {
    guard let kind = FileKind.allCases.first(where: { source.hasPrefix("\($0):") }) else { return nil }
    if reading.shuffleBuffer != nil, kind != .tar {
      throw OctNetError.configuration(
        key: "--shuffle-buffer", "belongs to tar:PATTERN, the data is \(source)")
    }
    let path = String(source.dropFirst("\(kind):".count))
    guard !path.isEmpty else {
      throw OctNetError.configuration(
        key: "data", "'\(source)' names no \(kind.form.noun), expected \(kind):\(kind.form.name)")
    }
    return (HomeDirectory.expand(path), kind)
  }

  #if Images
    private static func imageFolder(
      _ files: (path: String, kind: FileKind), _ reading: ImageReading
    ) -> ImageFolder {
      var options = ImageFolder.Options()
      options.size = reading.size
      options.channels = reading.channels
      options.appliesOrientation = reading.appliesOrientation
      options.skipsDamaged = reading.skipsDamaged
      options.evaluation = reading.evaluation
      (options.trainLimit, options.testLimit) = (reading.trainLimit, reading.testLimit)
      (options.inMemory, options.keepsPhotographs) = (reading.inMemory, reading.keepsPhotographs)
      (options.threads, options.normalization) = (reading.workers, reading.normalization)
      (options.testShare, options.shuffleBuffer) = (reading.testShare, reading.shuffleBuffer)
      options.indexDirectory = reading.indexDirectory
      return switch files.kind {
      case .folder: ImageFolder(directory: files.path, options: options)
      case .csv: ImageFolder(list: files.path, options: options)
      case .tar: ImageFolder(shards: files.path, options: options)
      }
    }
  #endif
}
