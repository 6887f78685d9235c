import ArgumentParser
import OctNet
import OctNetImages

/// Which images, and how many of them.
struct TrainDataOptions: ParsableArguments {
  @Option(help: DataOptions.help(default: "synthetic"))
  var data: String?

  @Option(help: DataOptions.imageSizeHelp)
  var imageSize: Int?

  @Option(help: ArgumentHelp("Train on the first N images only (default: all).", valueName: "n"))
  var limitTrain: Int?

  @Option(help: ArgumentHelp("Test on the first N images only (default: all).", valueName: "n"))
  var limitTest: Int?

  @Option(
    help: ArgumentHelp(
      "Random changes of training images: none, crop, flip, or crop,flip (default: none).",
      discussion: "crop: pad by 4 pixels and cut out at random, crop:N pads by N; flip: left and right."))
  var augment: AugmentationArgument?

  func validate() throws {
    try Bounds.check("--image-size", imageSize, SettingBounds.imageSize)
    try Bounds.check("--limit-train", limitTrain, SettingBounds.images)
    try Bounds.check("--limit-test", limitTest, SettingBounds.images)
  }
}

enum DataOptions {
  static func help(default defaultValue: String) -> ArgumentHelp {
    ArgumentHelp(
      "Data set (default: \(defaultValue)).",
      discussion: """
        synthetic (embedded, 10 classes, 32×32), cifar10:DIR, cifar100:DIR, cifar100-coarse:DIR (binary versions), \
        idx:DIR (MNIST, Fashion-MNIST), or folder:DIR (train/CLASS/*.png, test/CLASS/*.jpg; needs the trait Images).
        """, valueName: "set")
  }

  static let imageSizeHelp = ArgumentHelp(
    "Height and width that images of folder:DIR get (default: the first one's, if square and at most 256).",
    valueName: "n")

  /// Data that a checkpoint or a run names, which may have been trained from another directory.
  /// - Throws: `OctNetError.configuration` that names what was tried.
  static func locate(_ source: String, recordedIn path: String) throws -> String {
    let found = try DataLocation.resolve(source, recordedIn: path)
    if found != source { Terminal.printError("data: \(source) is \(found)") }
    return found
  }

  /// Reads the images that `source` names.
  ///
  /// - Parameter imageSize: for folders of images of any size.
  /// - Throws: as `DataSource` and `ImageFolder`; `OctNetError.configuration` for a folder without the trait Images.
  static func load(_ source: String, imageSize: Int?) throws -> DataSplit {
    guard source.hasPrefix("folder:") else { return try DataSource.parse(source).load() }
    let directory = String(source.dropFirst("folder:".count))
    guard !directory.isEmpty else {
      throw OctNetError.configuration(key: "data", "'\(source)' names no directory, expected folder:DIR")
    }
    #if Images
      return try ImageFolder.load(directory: directory, size: imageSize)
    #else
      throw ImagesTrait.missing("--data folder:DIR")
    #endif
  }

}

/// "none", "flip", "crop", "crop:2", "crop,flip".
struct AugmentationArgument: ExpressibleByArgument {
  let augmentation: Augmentation

  init?(argument: String) {
    var padding = 0
    var flips = false
    guard argument != "none" else {
      augmentation = .none
      return
    }
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      let words = part.split(separator: ":", omittingEmptySubsequences: false)
      switch words.first {
      case "flip" where words.count == 1: flips = true
      case "crop" where words.count == 1: padding = 4
      case "crop" where words.count == 2:
        guard let pixels = Int(words[1]), pixels > 0, SettingBounds.cropPadding.contains(pixels) else {
          return nil
        }
        padding = pixels
      default: return nil
      }
    }
    augmentation = Augmentation(cropPadding: padding, horizontalFlip: flips)
  }
}
