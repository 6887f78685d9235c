import ArgumentParser
import OctNet
import OctNetSettings

extension Stem: ExpressibleByArgument {}
extension Variant: ExpressibleByArgument {}
extension Downsampling: ExpressibleByArgument {}

/// One of the names of `octcli models`.
struct ModelName: ExpressibleByArgument, CustomStringConvertible {
  let rawValue: String

  init(_ name: String) { rawValue = name }

  init?(argument: String) {
    guard NamedModel.named(argument) != nil else { return nil }
    rawValue = argument
  }

  static var allValueStrings: [String] { ModelConfiguration.modelNames }
  var description: String { rawValue }
}

/// What shapes a network beside its name and α, which each command has with a default of its own.
struct ArchitectureOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Layers before the first stage (default: the network's own, see `octcli models`).",
      discussion: "imagenet: 7×7 convolution and 3×3 pooling, stride 2 each; cifar: 3×3 convolution."))
  var stem: Stem?

  @Option(
    help: ArgumentHelp(
      "Factor of all channels, for networks that take one (default: 1, or as in the file).",
      valueName: "factor"))
  var widthMultiplier: Double?

  @Option(
    help: ArgumentHelp(
      "Form of the stride-2 octave convolution (default: paper).",
      discussion: "paper: as its authors published it; seed: both maps pooled first, as a CIFAR-10 notebook.")
  )
  var variant: Variant?

  @Option(
    help: ArgumentHelp(
      "What makes maps smaller (default: strided at α = 0, average elsewhere).",
      discussion: "average: 2×2 pooling before a convolution; strided: stride-2 convolutions."))
  var downsampling: Downsampling?

  @Flag(name: .customLong("no-low-to-high"), help: "Leave out the path from the low to the high map.")
  var noLowToHigh = false

  @Flag(name: .customLong("no-high-to-low"), help: "Leave out the path from the high to the low map.")
  var noHighToLow = false

  @Flag(help: "With --no-low-to-high: keep that path in the convolutions that merge the octaves.")
  var keepMerging = false

  /// Whether any of them was given.
  var isEmpty: Bool {
    widthMultiplier == nil && stem == nil && variant == nil && downsampling == nil && !noLowToHigh
      && !noHighToLow && !keepMerging
  }

  /// `base` with what was given. The stem follows another model's name, the downsampling another α, unless it is
  /// given or `stated` in the file that `base` comes from.
  func configuration(
    changing base: ModelConfiguration, keeping stated: StatedSettings = StatedSettings(), model: ModelName?,
    alpha: Double?, classes: Int, height: Int, width: Int, channels: Int
  ) -> ModelConfiguration {
    var configuration = base.changing(name: model?.rawValue, alpha: alpha, keeping: stated)
    if let widthMultiplier { configuration.widthMultiplier = widthMultiplier }
    if let stem { configuration.stem = stem }
    if let variant { configuration.variant = variant }
    if let downsampling { configuration.downsampling = downsampling }
    if noLowToHigh { configuration.lowToHigh = false }
    if noHighToLow { configuration.highToLow = false }
    if keepMerging { configuration.keepsMerging = true }
    configuration.classes = classes
    configuration.inputHeight = height
    configuration.inputWidth = width
    configuration.inputChannels = channels
    return configuration
  }

  func validate() throws {
    if keepMerging && !noLowToHigh { throw ValidationError("--keep-merging belongs to --no-low-to-high") }
  }

  static func validate(alpha: Double?) throws {
    if let alpha, !(0...1).contains(alpha) {
      throw ValidationError("--alpha is a ratio from 0 to 1, found \(alpha)")
    }
  }
}
