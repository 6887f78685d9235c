import ArgumentParser
import OctNet
import OctNetSettings

/// Which network on which images, for the commands that need no data set.
struct NetworkOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Network.", valueName: "name"))
  var model = ModelName("resnet50")

  @Option(help: ArgumentHelp("Share of the channels at half resolution, 0 to 1.", valueName: "ratio"))
  var alpha = 0.25

  @OptionGroup(title: "Architecture")
  var architecture: ArchitectureOptions

  @Option(
    help: ArgumentHelp(
      "Classes (default: 10 with the cifar stem and in `bench train`, 1000 with others).", valueName: "n"))
  var classes: Int?

  @Option(
    help: ArgumentHelp(
      "Height and width of the image (default: 32 with the cifar stem and in `bench train`, 224 with others).",
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
    let stem = smallImages ? .cifar : configuration.stem
    configuration.classes = classes ?? stem.usualClasses
    configuration.inputHeight = imageSize ?? stem.usualImageSize
    configuration.inputWidth = configuration.inputHeight
    return configuration
  }
}

extension ModelConfiguration {
  /// One line for the head of a table.
  var heading: String {
    "\(name)\(widthMultiplier.map { " × \($0)" } ?? ""), α = \(alpha), \(stem) stem, \(variant) variant, \(downsampling) downsampling, "
      + "\(inputHeight)×\(inputWidth)×\(inputChannels) → \(classes)"
  }
}
