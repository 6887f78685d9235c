import ArgumentParser
import Foundation
import OctNet

extension DataPart: ExpressibleByArgument {}

extension TestViews: ExpressibleByArgument {
  public init?(argument: String) {
    guard let number = Int(argument) else { return nil }
    self.init(rawValue: number)
  }

  public static var allValueStrings: [String] { allCases.map { String($0.rawValue) } }
  public var defaultValueDescription: String { String(rawValue) }
}

struct EvalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Score a checkpoint on the images of a data set.",
    discussion: """
      A checkpoint of octcli says itself what network it is, how pixels were normalised and on which data it was \
      trained; flags override it. For somebody else's file (safetensors, PyTorch's .pth, .npz, MXNet's .params) with \
      torchvision's keys (α = 0) or those of d-li14/octconv.pytorch (α > 0), say it with --model, --alpha, --stem, --mean, --std and --data.

      The predictions file has a header and one row an image, in the data set's order: index,label,logit_0,… with \
      9 significant digits.

      Examples:
        octcli eval --checkpoint runs/first/best.safetensors
        octcli eval --checkpoint best.safetensors --json --predictions logits.csv
        octcli eval --checkpoint runs/first/best.safetensors --on train
        octcli eval --checkpoint runs/first/best.safetensors --views 6
        octcli eval --checkpoint w.safetensors --data cifar10:DIR --model resnet50
      """)

  @Option(help: ArgumentHelp("File of weights: safetensors, .pth, .npz or .params.", valueName: "file"))
  var checkpoint: String

  @Option(help: DataOptions.help(default: "the one it was trained on"))
  var data: String?

  @Option(
    help: ArgumentHelp(
      "Which images to score.",
      discussion: """
        validation: those that the run held back with --validation, found again by what the checkpoint says of them, or \
        the data's own; train: those that it learnt from. Where the data's training labels have changed, nothing says which \
        they were, and it is an error.
        """))
  var on = DataPart.test

  @Option(help: DataOptions.imageSizeHelp)
  var imageSize: Int?

  @Option(
    help: ArgumentHelp(
      "Use N test images only, the first ones; of files, and where images are sorted by class, those of each (default: all).",
      valueName: "n"))
  var limitTest: Int?

  @OptionGroup
  var files: ImageFileOptions

  @OptionGroup
  var crop: CropOptions

  @Option(help: CropsOption.help)
  var crops: EvaluationSettings.Views?

  @Flag(
    help: ArgumentHelp(
      "Take the data's classes for the checkpoint's by number, whatever their names.",
      discussion: """
        Without it they are found by name: in any order, some of them too; a class that the checkpoint does not have is \
        an error.
        """))
  var classesByNumber = false

  @Option(
    help: ArgumentHelp(
      "Views of each image whose logits are averaged: 1, 2 or 6.",
      discussion: """
        2: the image and its mirror image; 6: both of the image (a quarter each), and both of it shifted by one pixel down \
        and right, and up and left, with a reflected border (an eighth each).
        """, valueName: "n"))
  var views = TestViews.one

  @Option(help: ArgumentHelp("Write every image's logits to this CSV file.", valueName: "file"))
  var predictions: String?

  @Flag(help: "Print JSON: top1 and top5 as fractions, loss, perClassAccuracy, confusion.")
  var json = false

  @Option(help: ArgumentHelp("Images a step; results do not depend on it.", valueName: "n"))
  var batchSize = 100

  @OptionGroup
  var threadOptions: ThreadOptions

  @OptionGroup
  var foreign: ForeignCheckpointOptions

  @OptionGroup(title: "Normalisation")
  var normalization: NormalizationOptions

  func validate() throws {
    try Bounds.check("--limit-test", limitTest, SettingBounds.images)
    try Bounds.check("--image-size", imageSize, SettingBounds.imageSize)
    try Bounds.check("--batch-size", batchSize, SettingBounds.batchSize)
    if limitTest != nil && on != .test {
      throw ValidationError("--limit-test belongs to the test images, not to --on \(on.rawValue)")
    }
    if crops == .flip && views != .one {
      throw ValidationError(
        "--crops flip is --views 2, give one of them, found --views \(views.rawValue) beside it")
    }
  }

  func run() throws {
    let checkpoint = try Checkpoint(path: checkpoint)
    let (images, classNote, ownNormalization) = try images(for: checkpoint)
    let model = try foreign.model(
      of: checkpoint, path: self.checkpoint, classes: images.classNames.count, height: images.height,
      width: images.width, channels: images.channels)
    var evaluator = Evaluator(
      network: try foreign.network(of: checkpoint, model, for: Checkpoint.Use.scoring),
      normalization: try normalization.normalization ?? checkpoint.normalization ?? ownNormalization(),
      batchSize: batchSize,
      threads: threadOptions.count)
    evaluator.views = crops == .flip ? .two : views
    if let classNote { Terminal.printError(classNote) }
    evaluator.viewsPerImage = try CropsOption.count(
      crops, ofFiles: on == .test && DataOptions.isFiles(try source(of: checkpoint, quietly: true)),
      owner: "the test images of ")
    evaluator.workers = files.workers
    let bar = ProgressBar()
    defer { bar.erase() }
    var skipped = 0
    evaluator.onSkipped = { image in
      skipped += 1
      bar.note("left out: \(image.problem)")
    }
    StopSignals.deferFirst()
    let result = try evaluator.evaluate(images, limit: limitTest, predictions: predictions) { done, total in
      bar.update(label: "evaluating", done: done, total: total, fields: ["\(done)/\(total)"])
      guard StopSignals.isRequested, done < total else { return }
      bar.note("stopped: \(done) of \(on.counted(total)) scored, nothing is written")
      throw StopSignals.exitCode
    }
    bar.erase()
    if skipped > 0 {
      Terminal.printError("went on without \(numbered(skipped, "image")) that cannot be read")
    }
    if let warning = result.warning { Terminal.printError("octcli: warning: \(warning)") }
    try Terminal.print(json ? try JSONOutput.text(result) : table(result))
  }

  /// Those to score under the checkpoint's classes, what had to be done for that, and the data's normalisation.
  private func images(
    for checkpoint: Checkpoint
  ) throws -> (images: any Dataset, note: String?, normalization: () throws -> Normalization) {
    let source = try source(of: checkpoint)
    let reading = try reading(for: checkpoint, source)
    guard on == .test else {
      let split = try DataOptions.load(source, reading)
      let found = try checkpoint.images(of: on, in: split, byNumber: classesByNumber)
      return (found.images, found.note, { split.normalization })
    }
    // A folder's test images need nothing else.
    let loaded = try DataOptions.loadTest(source, reading)
    let found = try checkpoint.mapped(loaded.images, training: loaded.training, byNumber: classesByNumber)
    if files.testShare == nil, let share = reading.testShare, let data, data != checkpoint.dataName {
      Terminal.printError(
        "\(data): where it has no images for tests, \(format(share, digits: 6)) of every class are scored, as the run took "
          + "them; octcli predict --data takes all")
    }
    return (found.images, found.note, loaded.normalization)
  }

  private func reading(for checkpoint: Checkpoint, _ source: String) throws -> ImageReading {
    var reading = try ImageReading(
      source, as: checkpoint, path: self.checkpoint, size: imageSize, isForeign: foreign.model != nil,
      exifOrientation: files.exifOrientation, crop: crop, crops: crops)
    reading.testLimit = limitTest
    reading.trainLimit = on == .test ? nil : checkpoint.trainingImages.limit
    reading.skipsDamaged = files.skipDamaged
    (reading.inMemory, reading.workers) = (files.inMemory, files.workers ?? threadOptions.count)
    reading.normalization = normalization.normalization ?? checkpoint.normalization
    if DataOptions.isFiles(source) { reading.testShare = checkpoint.trainingImages.testShare }
    if let share = files.testShare { reading.testShare = share }
    return reading
  }

  private func source(of checkpoint: Checkpoint, quietly: Bool = false) throws -> String {
    if let data { return data }
    guard let source = checkpoint.dataName else {
      throw OctNetError.file(path: self.checkpoint, "does not say which data it was trained on; add --data")
    }
    return quietly ? source : try DataOptions.locate(source, recordedIn: self.checkpoint)
  }

  private func table(_ result: EvaluationResult) -> String {
    var classes = TextTable(header: ["class", "images", "accuracy"])
    for (index, name) in result.classNames.enumerated() {
      let accuracy = result.perClassAccuracy[index].map { String(format: "%.2f%%", 100 * $0) } ?? "–"
      classes.add([name, "\(result.imageCount(of: index))", accuracy])
    }
    let totals = String(
      format: "top-1 %.2f%%, top-5 %.2f%%, loss %.4f", 100 * result.top1, 100 * result.top5, result.loss)
    return totals + " on \(on.counted(result.images))\n\n" + classes.description
  }
}
