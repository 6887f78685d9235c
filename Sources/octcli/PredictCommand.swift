import ArgumentParser
import Foundation
import OctNet
import OctNetImages

struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Say what a network sees in files of images.",
    discussion: """
      Needs an octcli built with the package trait Images. An image of the network's input size is taken as it is; any \
      other is resized as at evaluation, its shorter side to 256/224 of the input (to the input itself below 64 pixels), \
      and cut in the middle. A network of one channel gets gray images. A file that cannot be read gets a line on standard error, the others are predicted, and the \
      exit code is 1.

      Examples:
        octcli predict --checkpoint runs/first/best.safetensors cat.jpg dog.png
        octcli predict --checkpoint best.safetensors --top-k 1 --csv images/*.png
        octcli predict --checkpoint resnet50.safetensors --model resnet50 \\
          --mean .485 .456 .406 --std .229 .224 .225 x.jpg
      """)

  @Argument(help: ArgumentHelp("PNG, JPEG, WebP, TIFF or BMP files.", valueName: "image"))
  var inputs: [String]

  @Option(help: ArgumentHelp("File of weights: safetensors, .pth, .npz or .params.", valueName: "file"))
  var checkpoint: String

  @Option(name: .customLong("top-k"), help: ArgumentHelp("Classes to name for each image.", valueName: "k"))
  var topK = 5

  @Flag(help: "Print JSON: for each image its path and the classes with their probabilities.")
  var json = false

  @Flag(help: "Print CSV: image,rank,class,probability.")
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
    #if Images
      let checkpoint = try Checkpoint(path: checkpoint)
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
          let classes = predictor.probabilities(ofViews: try ImageFile(path).views(preparation))
          guard classes.allSatisfy(\.isFinite) else {
            throw OctNetError.file(
              path: path.description,
              "the network gives logits that are not finite numbers, and so no prediction")
          }
          results.append(
            Prediction(
              image: path.description, probabilities: classes, names: predictor.classNames, count: topK))
        } catch {
          Terminal.printError("octcli: error: \(error)")
          hasFailures = true
        }
      }
      if !results.isEmpty || json { try Terminal.print(text(results)) }
      if hasFailures { throw ExitCode.failure }
    #else
      throw ImagesTrait.missing("predict")
    #endif
  }

  private func text(_ results: [Prediction]) throws -> String {
    if json { return try JSONOutput.text(results) }
    if csv { return Prediction.csv(results) }
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
        throw OctNetError.file(
          path: self.checkpoint, "does not say how pixels were normalised; add --mean and --std")
      }
      return try Predictor(
        network: try foreign.network(of: checkpoint, model, for: Checkpoint.Use.prediction),
        classNames: checkpoint.classNames,
        normalization: normalization,
        threads: threadOptions.count)
    }
  #endif
}

/// The likeliest classes of one image.
struct Prediction: Encodable {
  struct Class: Encodable {
    let name: String
    let probability: Double
  }

  let image: String
  let classes: [Class]

  /// Equal probabilities rank by class.
  init(image: String, probabilities: [Double], names: [String], count: Int) {
    self.image = image
    let ranked = probabilities.indices.sorted {
      (probabilities[$1], $0) < (probabilities[$0], $1)
    }
    classes = ranked.prefix(count).map { Class(name: names[$0], probability: probabilities[$0]) }
  }

  static func table(_ predictions: [Prediction]) -> String {
    var table = TextTable(header: ["image", "class", "probability"])
    for prediction in predictions {
      for (rank, entry) in prediction.classes.enumerated() {
        table.add([
          rank == 0 ? prediction.image : "", entry.name, String(format: "%.2f%%", 100 * entry.probability),
        ])
      }
    }
    return table.description
  }

  static func csv(_ predictions: [Prediction]) -> String {
    func quoted(_ text: String) -> String {
      guard text.unicodeScalars.contains(where: { "\",\r\n".unicodeScalars.contains($0) }) else {
        return text
      }
      return "\"" + text.replacingOccurrences(of: "\"", with: "\"\"") + "\""
    }
    let rows = predictions.flatMap { prediction in
      prediction.classes.enumerated().map { rank, entry in
        "\(quoted(prediction.image)),\(rank + 1),\(quoted(entry.name)),\(String(format: "%.9g", entry.probability))"
      }
    }
    return (["image,rank,class,probability"] + rows).joined(separator: "\n")
  }
}
