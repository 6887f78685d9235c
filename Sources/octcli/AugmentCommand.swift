import ArgumentParser
import OctNet
import OctNetTensorBoard

struct AugmentCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "augment",
    abstract: "Draw what training will see: a sheet of augmented images with their labels.",
    discussion: """
      Takes the settings of octcli train, by flags, recipe or file, and writes the first images of an epoch as the network \
      would get them, mixed ones with both labels, into a PNG file. Whoever looks at it sees at once whether a crop is too \
      small or a colour too wild.

      Examples:
        octcli augment synthetic --auto-augment ra --out sheet.png
        octcli augment cifar10:DIR --augment crop,flip --cutmix 1 --out sheet.png
        octcli augment synthetic --augment resized-crop,flip --epoch 2 --out two.png
      """)

  @Argument(help: DataOptions.help(default: "that of --config, else synthetic"))
  var source: String?

  @Option(help: ArgumentHelp("PNG file to write.", valueName: "file"))
  var out: String

  @Option(help: ArgumentHelp("Images on the sheet.", valueName: "n"))
  var images = 36

  @Option(help: ArgumentHelp("Which epoch, from 1 on.", valueName: "n"))
  var epoch = 1

  @OptionGroup
  var training: TrainingOptions

  func validate() throws {
    if source != nil && training.data.data != nil {
      throw ValidationError("the data is given twice, also by --data")
    }
    try Bounds.check("--images", images, 1...400)
    try Bounds.check("--epoch", epoch, SettingBounds.epochs)
  }

  func run() throws {
    try AtomicFile.requireDirectory(of: out)
    var training = training
    if let source { training.data.data = source }
    let resolved = try training.resolve(alpha: nil)
    let settings = resolved.configuration
    let loader = try settings.trainingBatches(of: resolved.data, epoch: epoch - 1)
    let shown = loader.dataset
    guard loader.sampleCount > 0 else {
      throw OctNetError.configuration(key: "data", "the training set is empty")
    }
    var sheet = ContactSheet(height: shown.height, width: shown.width, normalization: settings.normalization)
    do {
      let told = { (image: SkippedImage) in Terminal.printError("left out: \(image.problem)") }
      try loader.forEachBatch(epoch: epoch - 1, onSkipped: told) { batch in
        sheet.add(batch, classNames: shown.classNames)
        if sheet.count >= images { throw Enough() }
      }
    } catch is Enough {}
    try AtomicFile.write(to: out) { file in
      try sheet.png(limit: images).withUnsafeBytes { try file.write($0) }
    }
    try Terminal.print("\(out): \(numbered(min(images, sheet.count), "image")) of epoch \(epoch)")
  }

  /// Ends the epoch.
  private struct Enough: Error {}
}
