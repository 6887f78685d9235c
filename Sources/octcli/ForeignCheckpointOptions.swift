import ArgumentParser
import OctNet
import OctNetSettings

/// What network a checkpoint is for that does not say so itself.
struct ForeignCheckpointOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Network (default: as the checkpoint says).", valueName: "name"))
  var model: ModelName?

  @Option(
    help: ArgumentHelp(
      "Share of the channels at half resolution (default: as the checkpoint says, 0 with --model).",
      valueName: "ratio"))
  var alpha: Double?

  @OptionGroup(title: "Architecture, with --model")
  var architecture: ArchitectureOptions

  @Option(
    help: ArgumentHelp("Classes, with --model (default: those of the data set, else 1000).", valueName: "n"))
  var classes: Int?

  func validate() throws {
    try ArchitectureOptions.validate(alpha: alpha)
    try Bounds.check("--classes", classes, SettingBounds.classes)
    if model == nil && (alpha != nil || classes != nil || !architecture.isEmpty) {
      throw ValidationError("--alpha, --classes and the architecture's flags belong to --model")
    }
  }

  /// Height and width of the images that the network named is for.
  var usualImageSize: Int {
    (architecture.stem ?? model.flatMap { NamedModel.named($0.rawValue)?.usualStem } ?? .imagenet)
      .usualImageSize
  }

  /// The network that was named, with these sizes, else the checkpoint's own.
  /// - Throws: `OctNetError.file` where neither says what it is.
  func model(
    of checkpoint: Checkpoint, path: String, classes: Int, height: Int, width: Int, channels: Int
  ) throws -> ModelConfiguration {
    if let model {
      return architecture.configuration(
        changing: ModelConfiguration(name: model.rawValue), model: model, alpha: alpha,
        classes: self.classes ?? classes, height: height, width: width, channels: channels)
    }
    guard let own = checkpoint.model else {
      throw OctNetError.file(
        path: path, "does not say what network it is for; add --model and what goes with it")
    }
    return own
  }

  /// The network that was named, `configuration`, else the checkpoint's own; with the weights.
  func network(
    of checkpoint: Checkpoint, _ configuration: ModelConfiguration,
    for use: (_ isNamed: Bool) -> Checkpoint.Use
  ) throws -> Network {
    // What the flags say wrong is not the file's fault.
    let network = try model == nil ? checkpoint.makeUntrainedNetwork() : configuration.makeNetwork()
    try checkpoint.load(into: network, for: use(model != nil))
    return network
  }
}
