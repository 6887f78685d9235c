import OctNet

/// A U-Net (Ronneberger et al. 2015, arXiv 1505.04597) whose maps are octave features from the first convolution to the
/// last: [h, w, 3] → [h, w, classes].
struct OctaveUNet: Layer {
  let name = ""
  /// Of each level, from the full size down; each level has half the size of the one above.
  let channels: [Int]
  let alpha: Double
  let classes: Int

  func forward(_ image: OctFeature) throws -> OctFeature {
    var skips: [OctFeature] = []
    var x = try block("down0", 3, channels[0], alphaIn: 0)(image)
    for level in 1..<channels.count {
      skips.append(x)
      x = try MaxPool2d(kernelSize: 2, ceilMode: true)(x)
      x = try block("down\(level)", channels[level - 1], channels[level], alphaIn: alpha)(x)
    }
    for level in (0..<channels.count - 1).reversed() {
      // The convolution behind the two reads them where they are: nothing is copied.
      x = try concatenated([Upsample(scale: 2)(x), skips[level]])
      let joined = channels[level + 1] + channels[level]
      x = try block("up\(level)", joined, channels[level], alphaIn: alpha)(x)
    }
    return try OctConv2d(
      "classes", inputChannels: channels[0], outputChannels: classes, kernelSize: 1, bias: true,
      alphaIn: alpha, alphaOut: 0)(x)
  }

  /// Two 3×3 convolutions, each with a norm and a rectifier.
  private func block(_ name: String, _ input: Int, _ output: Int, alphaIn: Double) -> Sequential {
    func unit(_ index: Int, _ input: Int, alphaIn: Double) -> [any Layer] {
      [
        OctConv2d(
          "conv\(index)", inputChannels: input, outputChannels: output, kernelSize: 3, padding: 1,
          alphaIn: alphaIn, alphaOut: alpha),
        BatchNorm2d("norm\(index)", channels: output, alpha: alpha), ReLU(),
      ]
    }
    return Sequential(name, unit(1, input, alphaIn: alphaIn) + unit(2, output, alphaIn: alpha))
  }
}
