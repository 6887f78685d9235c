import ArgumentParser
import OctNet

/// How files of images are read.
struct ImageFileOptions: ParsableArguments {
  @Flag(
    help:
      "Of folder:DIR, csv:FILE, tar:PATTERN and prepared:FILE: go on without images that cannot be read; a line names each."
  )
  var skipDamaged = false

  @Option(
    help: ArgumentHelp(
      "Where folder:DIR, csv:FILE or tar:PATTERN has no test images: take this share of each class for them.",
      discussion: "The same images for any seed. DIR may hold the folders of classes itself then.",
      valueName: "share"))
  var testShare: Double?

  @Flag(
    help:
      "Of folder:DIR, csv:FILE and tar:PATTERN: decode all images at once and keep them, not read them each time."
  )
  var inMemory = false

  @Option(
    help: ArgumentHelp(
      "Threads that read and change photographs; no result depends on it (default: as --threads).",
      valueName: "n"))
  var workers: Int?

  @Flag(inversion: .prefixedNo, help: ExifOrientationFlag.help)
  var exifOrientation: Bool?

  /// Writes what was given over `configuration`, of what no result depends on.
  func apply(to configuration: inout TrainingConfiguration) {
    if skipDamaged { configuration.skipDamaged = true }
    if inMemory { configuration.inMemory = true }
    if let workers { configuration.workers = workers }
  }

  func validate() throws {
    try Bounds.check("--workers", workers, SettingBounds.threads)
    if let testShare, !(testShare > 0 && testShare < 1) {
      throw ValidationError("--test-share is more than 0 and less than 1, found \(testShare)")
    }
  }
}

enum ExifOrientationFlag {
  static let help = ArgumentHelp(
    "Turn photographs as their EXIF orientation says (default: as the checkpoint's run did, else no, as torchvision)."
  )
}
