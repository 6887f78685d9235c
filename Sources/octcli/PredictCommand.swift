import ArgumentParser
import Foundation
import OctNet
import OctNetImages

struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Say what a network sees in images: files, or those of a data set.",
    discussion: """
      Files of images, and data sets of them, need an octcli built with the package trait Images. An image of the network's input size is taken as it is; any \
      other is resized as at evaluation, its shorter side to 256/224 of the input (to the input itself below 64 pixels), \
      and cut in the middle. A network of one channel gets gray images. A file that cannot be read gets a line on standard error, the others are predicted, and the \
      exit code is 1.

      With --data it goes through a data set: through its test images, else those for validation, else all; of folder:DIR through all files \
      below DIR/test, DIR/val or DIR, of tar:PATTERN and csv:FILE also through images without a label. Images are called \
      by their file, SHARD:FILE or their number from 0 on.

      Examples:
        octcli predict --checkpoint runs/first/best.safetensors cat.jpg dog.png
        octcli predict --checkpoint best.safetensors --top-k 1 --csv images/*.png
        octcli predict --checkpoint best.safetensors --data 'tar:val-*.tar'
        octcli predict --checkpoint resnet50.safetensors --model resnet50 \\
          --mean .485 .456 .406 --std .229 .224 .225 x.jpg
      """)

  @Argument(help: ArgumentHelp("PNG, JPEG, WebP, TIFF or BMP files.", valueName: "image"))
  var inputs: [String] = []

  @Option(help: DataOptions.help(default: nil))
  var data: String?

  @Option(help: ArgumentHelp("File of weights: safetensors, .pth, .npz or .params.", valueName: "file"))
  var checkpoint: String

  @Option(name: .customLong("top-k"), help: ArgumentHelp("Classes to name for each image.", valueName: "k"))
  var topK = 5

  @Flag(
    help:
      "Print JSON: for each image its path, its label if a data set says it, and the classes with their probabilities."
  )
  var json = false

  @Flag(help: "Print CSV: image,rank,class,probability, and with --data label.")
  var csv = false

  @Option(
    help: ArgumentHelp("Shorter side before the middle is cut out (default: see above).", valueName: "pixels")
  )
  var resize: Int?

  @Flag(inversion: .prefixedNo, help: ExifOrientationFlag.help)
  var exifOrientation: Bool?

  @OptionGroup
  var crop: CropOptions

  @Option(help: CropsOption.help)
  var crops: EvaluationSettings.Views?

  @Option(
    help: ArgumentHelp(
      "Height and width of the input, with --model (default: 224, 32 with the cifar stem).", valueName: "n"))
  var imageSize: Int?

  @OptionGroup
  var threadOptions: ThreadOptions

  @OptionGroup
  var foreign: ForeignCheckpointOptions

  @OptionGroup(title: "Normalisation")
  var normalization: NormalizationOptions

  func validate() throws {
    let name = inputs.first { DataOptions.isDataSet($0) && !FileManager.default.fileExists(atPath: $0) }
    if let name { throw ValidationError("'\(name)' is a data set and no file; say --data \(name.shellWord)") }
    guard inputs.isEmpty != (data == nil) else {
      throw ValidationError(
        data == nil
          ? "expected files of images, or a data set by --data"
          : "files of images and --data exclude each other")
    }
    if resize != nil && data != nil {
      throw ValidationError("--resize belongs to files of images; see --crop-ratio")
    }
    try Bounds.check("--top-k", topK, SettingBounds.classes)
    try Bounds.check("--resize", resize, SettingBounds.imageSize)
    try Bounds.check("--image-size", imageSize, SettingBounds.imageSize)
    if resize != nil && (!crop.isEmpty || crops != nil) {
      throw ValidationError(
        "--resize and --crop-ratio, --crop-mode, --eval-interpolation, --scaled-decoding, --crops exclude each other"
      )
    }
    if json && csv { throw ValidationError("--json and --csv exclude each other") }
    if imageSize != nil && foreign.model == nil { throw ValidationError("--image-size belongs to --model") }
  }

  func run() throws {
    let checkpoint = try Checkpoint(path: checkpoint)
    let (results, hasFailures) =
      try data.map { try predictions(of: $0, checkpoint) } ?? predictionsOfFiles(checkpoint)
    if !results.isEmpty || json { try Terminal.print(text(results)) }
    if hasFailures { throw ExitCode.failure }
  }

  private func predictionsOfFiles(
    _ checkpoint: Checkpoint
  ) throws -> (results: [Prediction], hasFailures: Bool) {
    #if Images
      let predictor = try predictor(checkpoint)
      var evaluation = crop.applied(to: try EvaluationSettings(checkpoint.trainingImages))
      evaluation.views = crops
      let preparation = Preparation(
        size: predictor.size, shorterSide: resize, channels: predictor.channels,
        appliesOrientation: exifOrientation ?? checkpoint.trainingImages.exifOrientation ?? false,
        evaluation: evaluation)
      var results: [Prediction] = []
      var hasFailures = false
      for path in RawArguments.paths(inputs) {
        do {
          guard (try? DirectoryListing(path)) == nil else {
            throw OctNetError.file(
              path: path.description, "expected a file, found a folder; --data folder:DIR takes all in it")
          }
          let classes = predictor.probabilities(ofViews: try ImageFile(path).views(preparation))
          guard classes.allSatisfy(\.isFinite) else { throw Self.notFinite(path.description) }
          results.append(
            Prediction(
              image: path.description, probabilities: classes, names: predictor.classNames, count: topK))
        } catch {
          Terminal.printError("octcli: error: \(error)")
          hasFailures = true
        }
      }
      return (results, hasFailures)
    #else
      throw ImagesTrait.missing("predict")
    #endif
  }

  static func notFinite(_ image: String) -> OctNetError {
    .file(path: image, "the network gives logits that are not finite numbers, and so no prediction")
  }

  var missingNormalization: OctNetError {
    .file(path: checkpoint, "does not say how pixels were normalised; add --mean and --std")
  }

  private func text(_ results: [Prediction]) throws -> String {
    if json { return try JSONOutput.text(results) }
    if csv { return Prediction.csv(results, labels: data != nil) }
    return Prediction.table(results)
  }

  #if Images
    private func predictor(_ checkpoint: Checkpoint) throws -> Predictor {
      let size = imageSize ?? foreign.usualImageSize
      let model = try foreign.model(
        of: checkpoint, path: self.checkpoint, classes: 1000, height: size, width: size, channels: 3)
      guard model.inputHeight == model.inputWidth, [1, 3].contains(model.inputChannels) else {
        throw OctNetError.file(
          path: self.checkpoint,
          "its network takes \(model.inputHeight)×\(model.inputWidth)×\(model.inputChannels), expected square images, "
            + "RGB or gray")
      }
      if let resize, resize < model.inputHeight {
        throw OctNetError.configuration(
          key: "--resize", "found \(resize), expected at least the input's \(model.inputHeight)")
      }
      guard let normalization = normalization.normalization ?? checkpoint.normalization else {
        throw missingNormalization
      }
      return try Predictor(
        network: try foreign.network(of: checkpoint, model, for: Checkpoint.Use.prediction),
        classNames: checkpoint.classNames,
        normalization: normalization,
        threads: threadOptions.count)
    }
  #endif
}
