import ArgumentParser
import OctNet
import OctNetSettings

/// Which network on which images, for the commands that need no data set.
struct NetworkOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Network.", valueName: "name"))
  var model: ResNetDepth = .resnet50

  @Option(help: ArgumentHelp("Share of the channels at half resolution, 0 to 1.", valueName: "ratio"))
  var alpha = 0.25

  @OptionGroup(title: "Architecture")
  var architecture: ArchitectureOptions

  @Option(
    help: ArgumentHelp(
      "Classes (default: 1000 with the imagenet stem, 10 with cifar and in `bench train`).", valueName: "n"))
  var classes: Int?

  @Option(
    help: ArgumentHelp(
      "Height and width of the image (default: 224 with the imagenet stem, 32 with cifar and in `bench train`).",
      valueName: "n"))
  var imageSize: Int?

  func validate() throws {
    try ArchitectureOptions.validate(alpha: alpha)
    try Bounds.check("--classes", classes, SettingBounds.classes)
    try Bounds.check("--image-size", imageSize, SettingBounds.imageSize)
  }

  /// - Parameter smallImages: 32×32 and 10 classes by default, whatever the stem.
  func configuration(smallImages: Bool = false) -> ModelConfiguration {
    var configuration = architecture.configuration(
      changing: ModelConfiguration(name: model.rawValue), model: model, alpha: alpha, classes: 1, height: 1,
      width: 1, channels: 3)
    let isLarge = configuration.stem == .imagenet && !smallImages
    configuration.classes = classes ?? (isLarge ? 1000 : 10)
    configuration.inputHeight = imageSize ?? (isLarge ? 224 : 32)
    configuration.inputWidth = configuration.inputHeight
    return configuration
  }
}

extension ModelConfiguration {
  /// One line for the head of a table.
  var heading: String {
    "\(name), α = \(alpha), \(stem) stem, \(variant) variant, \(downsampling) downsampling, "
      + "\(inputHeight)×\(inputWidth)×\(inputChannels) → \(classes)"
  }
}
