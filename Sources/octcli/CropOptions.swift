import ArgumentParser
import OctNet

extension EvaluationSettings.Mode: ExpressibleByArgument {}
extension EvaluationSettings.Views: ExpressibleByArgument {}

/// How photographs come to a network's size for evaluation, by the names of timm and torchvision.
struct CropOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Part of a photograph's shorter side that is evaluated (default: as trained, else 0.875 from 64 pixels on).",
      discussion: "The shorter side is resized to size ÷ ratio, and the middle is cut out.",
      valueName: "ratio"))
  var cropRatio: Double?

  @Option(
    help: ArgumentHelp(
      "center: the middle of a photograph; squash: all of its longer side too, in another shape (default: center)."
    ))
  var cropMode: EvaluationSettings.Mode?

  @Option(help: ArgumentHelp("Between pixels: bilinear or bicubic (default: bilinear)."))
  var evalInterpolation: Interpolation?

  @Flag(
    inversion: .prefixedNo,
    help: ArgumentHelp(
      "Decode JPEGs at 1/2, 1/4 or 1/8 where that is large enough: faster, other pixels (default: as trained, else no)."
    ))
  var scaledDecoding: Bool?

  var isEmpty: Bool {
    cropRatio == nil && cropMode == nil && evalInterpolation == nil && scaledDecoding == nil
  }

  func validate() throws {
    do {
      try applied(to: EvaluationSettings()).validate()
    } catch {
      guard case .configuration(let key, let problem) = error else { throw error }
      throw ValidationError("\(key == "cropRatio" ? "--crop-ratio" : "--eval-interpolation"): \(problem)")
    }
  }

  /// What was given over what a file or a checkpoint says.
  func applied(to settings: EvaluationSettings) -> EvaluationSettings {
    var result = settings
    if let cropRatio { result.cropRatio = cropRatio }
    if let cropMode { result.cropMode = cropMode }
    if let evalInterpolation { result.interpolation = evalInterpolation }
    if let scaledDecoding { result.scaledDecoding = scaledDecoding }
    return result
  }
}

enum CropsOption {
  /// Parts of each photograph, which come one after the other.
  /// - Parameter owner: of the images of files that have them, where those are not all.
  /// - Throws: `OctNetError.configuration` for parts of other images.
  static func count(
    _ crops: EvaluationSettings.Views?, ofFiles isFiles: Bool, owner: String = ""
  ) throws(OctNetError) -> Int {
    guard let crops, crops == .six || crops == .ten else { return 1 }
    guard isFiles else {
      throw .configuration(
        key: "--crops",
        "six and ten belong to \(owner)folder:DIR, csv:FILE and tar:PATTERN: other images have no more than one size"
      )
    }
    return crops == .six ? 6 : 10
  }

  static let help = ArgumentHelp(
    "Parts of an image whose logits are averaged: one, flip, six or ten (default: one).",
    discussion: """
      flip: the image and its mirror image; six: beginning, middle and end of the longer side, mirrored too; ten: corners \
      and middle, mirrored too, as torchvision's TenCrop.
      """)
}
