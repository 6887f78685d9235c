import ArgumentParser
import OctNet
import OctNetSettings

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Make an OctNet checkpoint of somebody's weights, or an octave network of an ordinary one.",
    discussion: """
      Reads a checkpoint, or weights of PyTorch, NumPy or MXNet, finds out which network they are of, and writes a checkpoint \
      that says so: eval, predict and export need no flags for it. How pixels are normalised and photographs come to their \
      size is taken from the file, or from --mean, --std, --crop-ratio, --crop-mode and --eval-interpolation. With --alpha the kernels and norms of an ordinary \
      network are cut into the paths and octaves of the octave network of that α, or joined again (--alpha 0), which is \
      exact as long as no layer that only the octave network has was trained.

      Examples:
        octcli convert resnet50.safetensors checkpoint.safetensors \\
          --mean .485 .456 .406 --std .229 .224 .225
        octcli convert --alpha 0.25 resnet50.safetensors oct.safetensors
        octcli convert --alpha 0 oct.safetensors ordinary.safetensors
      """)

  @Argument(help: ArgumentHelp("Checkpoint or weights: safetensors, .pth, .npz, .params.", valueName: "in"))
  var input: String

  @Argument(help: ArgumentHelp("Checkpoint to write.", valueName: "out.safetensors"))
  var output: String

  @Option(
    help: ArgumentHelp(
      "Network that the weights are of (default: as the file says, or its keys and shapes).",
      valueName: "name"))
  var model: ModelName?

  @Option(
    help: ArgumentHelp(
      "Share of the channels at half resolution in the new checkpoint (default: as in the file).",
      valueName: "ratio"))
  var alpha: Double?

  @OptionGroup(title: "Architecture")
  var architecture: ArchitectureOptions

  @Option(
    help: ArgumentHelp(
      "Height and width of the input (default: as the file says, else that of the stem: 224 or 32).",
      valueName: "n"))
  var imageSize: Int?

  @OptionGroup(title: "Normalisation")
  var normalization: NormalizationOptions

  @OptionGroup(title: "Photographs")
  var crop: CropOptions

  func validate() throws {
    try ArchitectureOptions.validate(alpha: alpha)
    try Bounds.check("--image-size", imageSize, SettingBounds.imageSize)
  }

  func run() throws {
    try AtomicFile.requireDirectory(of: output)
    let checkpoint = try Checkpoint(path: input)
    let source = try source(of: checkpoint)
    let target = architecture.configuration(
      changing: source, model: nil, alpha: alpha, classes: source.classes, height: source.inputHeight,
      width: source.inputWidth, channels: source.inputChannels)
    var (converted, notes) = try converted(checkpoint, source, target)
    if let given = normalization.normalization {
      try given.validate(channels: target.inputChannels)
      converted.normalization = given
    }
    if !crop.isEmpty {
      try crop.applied(to: EvaluationSettings(converted.trainingImages)).record(in: &converted.trainingImages)
    }
    try converted.write(to: output)
    for note in notes { Terminal.printError("\(input.printable): \(note)") }
    if converted.normalization == nil {
      Terminal.printError(
        "\(input.printable): does not say how pixels were normalised; predict will need --mean and --std")
    }
    try Terminal.print("\(target.heading)\n\(output.printable)")
  }

  private func converted(
    _ checkpoint: Checkpoint, _ source: ModelConfiguration, _ target: ModelConfiguration
  ) throws -> (Checkpoint, [String]) {
    do {
      return try checkpoint.converted(from: source, to: target)
    } catch let error as OctNetError {
      if case .graph = error { throw OctNetError.file(path: input, "\(error)") }
      // Which network it is instead.
      guard case .stateDictionary(let mismatch) = error,
        let advice = Checkpoint.Use.prediction(isNamed: true).advice(mismatch)
      else { throw error }
      throw OctNetError.file(path: input, "\(mismatch.problem); \(advice)")
    }
  }

  /// What the weights are of: what was named, what the file says, what its keys and shapes are.
  private func source(of checkpoint: Checkpoint) throws -> ModelConfiguration {
    let found = checkpoint.recognizedModel
    var source: ModelConfiguration
    if let found, model == nil || model?.rawValue == found.name {
      source = found
      // MobileNets' stems have the same weights.
      if checkpoint.model == nil, let stem = architecture.stem { source.stem = stem }
    } else if let model {
      let stem = architecture.stem ?? NamedModel.named(model.rawValue)?.usualStem ?? .imagenet
      source = architecture.configuration(
        changing: ModelConfiguration(name: model.rawValue), model: model, alpha: alpha,
        classes: found?.classes ?? stem.usualClasses, height: stem.usualImageSize,
        width: stem.usualImageSize, channels: found?.inputChannels ?? 3)
    } else {
      let look = ModelConfiguration.resembled(by: checkpoint.state)
      throw OctNetError.file(
        path: input,
        "does not say what network it is for, and its keys and shapes are of none of those of octcli models"
          + (look.map { ", but look most like \($0.name), α = \($0.alpha)" } ?? "")
          + "; --model \(look?.name ?? "NAME") tells in what they differ")
    }
    if let imageSize {
      source.inputHeight = imageSize
      source.inputWidth = imageSize
    }
    return source
  }
}
