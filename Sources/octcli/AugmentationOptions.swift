import ArgumentParser
import OctNet

extension Interpolation: ExpressibleByArgument {
  /// Those that photographs are resized with.
  public static var allValueStrings: [String] { [Self.bilinear, .bicubic].map(\.rawValue) }
}
extension RandomErasing.Mode: ExpressibleByArgument {}
extension AutoAugment.Policy: ExpressibleByArgument {}

/// Random changes of training images, by the names of torchvision and timm.
struct AugmentationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Crops and flips, by commas: none, crop, resized-crop, flip (default: none).",
      discussion: """
        crop: pad by 4 pixels and cut out at random, crop:N pads by N; resized-crop: a part of random area and shape, \
        resized, for photographs; flip: left and right. crop:N:reflect adds the image's own pixels, mirrored, in place of \
        black ones; flip:alternate mirrors each image in every other epoch. none takes everything else away too.
        """, valueName: "list"))
  var augment: AugmentationArgument?

  @Option(
    help: ArgumentHelp(
      "Smallest and largest share of the area that resized-crop takes (default: 0.08 1).",
      valueName: "low high"))
  var scale: RangeArgument?

  @Option(
    help: ArgumentHelp(
      "Narrowest and widest width ÷ height of resized-crop (default: 0.75 1.3333).", valueName: "low high"))
  var ratio: RangeArgument?

  @Option(
    help: ArgumentHelp(
      "Between pixels, for resized-crop: bilinear or bicubic, both antialiased (default: bilinear)."))
  var interpolation: Interpolation?

  @Option(
    help: ArgumentHelp(
      "Random operations as torchvision has them: ra or ta_wide (default: none).",
      discussion: "ra: RandAugment; ta_wide: TrivialAugmentWide."))
  var autoAugment: AutoAugment.Policy?

  @Option(
    help: ArgumentHelp("How strong RandAugment's operations are, 0 to 30 (default: 9).", valueName: "n"))
  var raMagnitude: Int?

  @Option(help: ArgumentHelp("RandAugment's operations an image (default: 2).", valueName: "n"))
  var raOps: Int?

  @Option(
    help: ArgumentHelp(
      "Random brightness, contrast, saturation and hue (default: none).",
      discussion: """
        One number for the first three, such as 0.4, which is factors of 0.6 to 1.4; or three or four numbers, hue at most \
        0.5.
        """, valueName: "b c s h"))
  var colorJitter: JitterArgument?

  @Option(
    help: ArgumentHelp(
      "Part of the images in which a rectangle is wiped out, such as 0.25 (default: 0).", valueName: "p"))
  var randomErase: Double?

  @Option(
    help: ArgumentHelp(
      "What --random-erase writes: const, the mean colour, or pixel, noise (default: const)."))
  var eraseMode: RandomErasing.Mode?

  @Option(
    help: ArgumentHelp(
      "Show each image N times in a batch, changed differently, and accordingly fewer an epoch (default: 1).",
      valueName: "n"))
  var augRepeats: Int?

  var isEmpty: Bool {
    augment == nil && scale == nil && ratio == nil && interpolation == nil && autoAugment == nil
      && raMagnitude == nil && raOps == nil && colorJitter == nil && randomErase == nil && eraseMode == nil
      && augRepeats == nil
  }

  func validate() throws {
    // Each flag on its own; what it belongs to may stand in a file.
    var probe = Augmentation.none
    probe.randomResizedCrop = resizedCrop(changing: RandomResizedCrop())
    probe.autoAugment = AutoAugment(.ra, magnitude: raMagnitude, ops: raOps)
    probe.colorJitter = colorJitter?.jitter
    probe.randomErasing = randomErase.map { RandomErasing(probability: $0) }
    probe.repeats = augRepeats
    do {
      try probe.validate()
    } catch {
      guard case .configuration(let key, let problem) = error else { throw error }
      throw ValidationError("\(Self.flags[key] ?? key): \(problem)")
    }
  }

  /// By the key that the library names.
  private static let flags = [
    "augmentation.randomResizedCrop.scale": "--scale", "augmentation.randomResizedCrop.ratio": "--ratio",
    "augmentation.randomResizedCrop.interpolation": "--interpolation",
    "augmentation.autoAugment.magnitude": "--ra-magnitude", "augmentation.autoAugment.ops": "--ra-ops",
    "augmentation.colorJitter.brightness": "--color-jitter",
    "augmentation.colorJitter.contrast": "--color-jitter",
    "augmentation.colorJitter.saturation": "--color-jitter", "augmentation.colorJitter.hue": "--color-jitter",
    "augmentation.randomErasing.probability": "--random-erase", "augmentation.repeats": "--aug-repeats",
  ]

  /// Writes what was given over `configuration`, which may have it from a file or a recipe.
  /// - Throws: `ValidationError` for a flag of a change that is not made.
  func apply(to configuration: inout TrainingConfiguration) throws {
    try apply(to: &configuration.augmentation)
  }

  func apply(to result: inout Augmentation) throws {
    augment?.apply(to: &result)
    if let crop = result.randomResizedCrop {
      result.randomResizedCrop = resizedCrop(changing: crop)
    } else if scale != nil || ratio != nil || interpolation != nil {
      throw ValidationError("--scale, --ratio and --interpolation belong to --augment resized-crop")
    }
    if let autoAugment { result.autoAugment = AutoAugment(autoAugment) }
    if raMagnitude != nil || raOps != nil {
      guard result.autoAugment?.policy == .ra else {
        throw ValidationError("--ra-magnitude and --ra-ops belong to --auto-augment ra")
      }
      if let raMagnitude { result.autoAugment?.magnitude = raMagnitude }
      if let raOps { result.autoAugment?.ops = raOps }
    }
    if let colorJitter { result.colorJitter = colorJitter.jitter }
    if let randomErase {
      if result.randomErasing == nil { result.randomErasing = RandomErasing(probability: randomErase) }
      result.randomErasing?.probability = randomErase
    }
    if let eraseMode {
      guard result.randomErasing != nil else {
        throw ValidationError("--erase-mode belongs to --random-erase")
      }
      result.randomErasing?.mode = eraseMode
    }
    if let augRepeats { result.repeats = augRepeats }
  }

  private func resizedCrop(changing crop: RandomResizedCrop) -> RandomResizedCrop {
    var crop = crop
    if let scale { crop.scale = scale.values }
    if let ratio { crop.ratio = ratio.values }
    if let interpolation { crop.interpolation = interpolation }
    return crop
  }
}

/// "none", "flip", "crop", "crop:2", "crop,flip", "resized-crop,flip", "crop:2:reflect,flip:alternate".
struct AugmentationArgument: ExpressibleByArgument {
  private var padding = 0
  private var flips = false
  private var resizes = false
  private var isNone = false
  private var alternates: Bool?
  private var reflects: Bool?

  init?(argument: String) {
    guard argument != "none" else {
      isNone = true
      return
    }
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      let words = part.split(separator: ":", omittingEmptySubsequences: false)
      switch words.first {
      case "flip" where words.count == 1: flips = true
      case "flip" where words.count == 2 && words[1] == "alternate": (flips, alternates) = (true, true)
      case "resized-crop" where words.count == 1: resizes = true
      case "crop" where words.count == 1: padding = 4
      case "crop" where words.count == 2 || (words.count == 3 && words[2] == "reflect"):
        guard let pixels = Int(words[1]), pixels > 0, SettingBounds.cropPadding.contains(pixels) else {
          return nil
        }
        padding = pixels
        if words.count == 3 { reflects = true }
      default: return nil
      }
    }
    guard padding == 0 || !resizes else { return nil }
  }

  func apply(to result: inout Augmentation) {
    if isNone { result = .none }
    result.cropPadding = padding
    result.horizontalFlip = flips
    result.flipsAlternately = alternates
    result.reflectsBorder = reflects
    result.randomResizedCrop = resizes ? result.randomResizedCrop ?? RandomResizedCrop() : nil
  }
}

/// "0.08,1".
struct RangeArgument: ExpressibleByArgument {
  let values: [Double]

  init?(argument: String) {
    guard let values = numbers(argument), values.count == 2, values[0] <= values[1] else { return nil }
    self.values = values
  }
}

/// "0.4", "0.4,0.4,0.4" or "0.4,0.4,0.4,0.1".
struct JitterArgument: ExpressibleByArgument {
  let jitter: ColorJitter

  init?(argument: String) {
    guard var values = numbers(argument) else { return nil }
    if values.count == 1 { values = [values[0], values[0], values[0]] }
    guard values.count == 3 || values.count == 4 else { return nil }
    jitter = ColorJitter(
      brightness: values[0], contrast: values[1], saturation: values[2],
      hue: values.count == 4 ? values[3] : 0)
  }
}

/// nil where one of them is none.
private func numbers(_ text: String) -> [Double]? {
  let parts = text.split(separator: ",", omittingEmptySubsequences: false)
  let values = parts.compactMap { Double($0) }.filter(\.isFinite)
  return values.count == parts.count ? values : nil
}
