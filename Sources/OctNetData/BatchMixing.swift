import Foundation
import OctNetSupport

/// Mixes pairs of training images and their labels, one way for a whole batch: mixup, or CutMix, or one of both each time.
/// Names and their meaning are timm's.
public struct BatchMixing: Equatable, Sendable {
  /// λ ~ Beta(α, α) of mixup; nil is no mixup.
  public var mixupAlpha: Double?
  /// λ ~ Beta(α, α) of CutMix; nil is no CutMix.
  public var cutmixAlpha: Double?
  /// Of a batch to be mixed at all.
  public var probability: Double
  /// Of CutMix, where there are both.
  public var switchProbability: Double

  /// timm's own defaults.
  public init(
    mixupAlpha: Double? = nil, cutmixAlpha: Double? = nil, probability: Double = 1,
    switchProbability: Double = 0.5
  ) {
    self.mixupAlpha = mixupAlpha
    self.cutmixAlpha = cutmixAlpha
    self.probability = probability
    self.switchProbability = switchProbability
  }

  /// What happens to a batch.
  enum Mix: Equatable {
    /// The first images' share of every pixel.
    case blend(Float)
    /// What of the first images the second ones take, and the other way round.
    case paste(PixelBox)
  }

  /// nil where the batch stays as it is; depends on seed, epoch, batch and size only.
  func draw(seed: UInt64, epoch: Int, batch: Int, height: Int, width: Int) -> Mix? {
    var random = RandomStream(seed: seed, "mixing", epoch, batch)
    if probability < 1, random.uniform(0, 1) >= probability { return nil }
    switch (mixupAlpha, cutmixAlpha) {
    case (nil, nil): return nil
    case (let alpha?, nil): return .blend(Mixup(alpha: alpha).share(seed: seed, epoch: epoch, batch: batch))
    case (nil, let alpha?):
      return .paste(
        CutMix(alpha: alpha).box(seed: seed, epoch: epoch, batch: batch, height: height, width: width))
    case (let mixup?, let cutmix?):
      let one =
        random.uniform(0, 1) < switchProbability
        ? BatchMixing(cutmixAlpha: cutmix) : BatchMixing(mixupAlpha: mixup)
      return one.draw(seed: seed, epoch: epoch, batch: batch, height: height, width: width)
    }
  }
}

/// Exchanges a rectangle between pairs of training images, and labels by its area (Yun et al., "CutMix", 2019), with the
/// rectangle as torchvision's `CutMix` draws it: λ ~ Beta(α, α), sides √(1 − λ) of the image's, about any pixel, cut off at
/// the border. Image i of a batch is mixed with image count − 1 − i.
struct CutMix: Equatable, Sendable {
  let alpha: Double

  func box(seed: UInt64, epoch: Int, batch: Int, height: Int, width: Int) -> PixelBox {
    var random = RandomStream(seed: seed, "cutmix", epoch, batch)
    let half = 0.5 * (1 - random.beta(alpha)).squareRoot()
    let (x, y) = (random.index(below: width), random.index(below: height))
    let (halfWidth, halfHeight) = (Int(half * Double(width)), Int(half * Double(height)))
    let (left, top) = (max(0, x - halfWidth), max(0, y - halfHeight))
    return PixelBox(
      left: left, top: top, width: min(width, x + halfWidth) - left, height: min(height, y + halfHeight) - top
    )
  }

  /// In place. Counted loops over plain pointers: this must keep a network fed in debug builds too.
  static func exchange(
    _ images: UnsafeMutablePointer<Float>, count: Int, height: Int, width: Int, channels: Int, box: PixelBox
  ) {
    let size = height * width * channels
    for first in 0..<count / 2 {
      let a = images + first * size, b = images + (count - 1 - first) * size
      for y in box.top..<box.top + box.height {
        var index = (y &* width &+ box.left) &* channels
        let end = index &+ box.width &* channels
        while index < end {
          let value = a[index]
          a[index] = b[index]
          b[index] = value
          index &+= 1
        }
      }
    }
  }
}

extension PixelBox {
  /// The share of an image that is outside.
  func rest(height: Int, width imageWidth: Int) -> Float {
    Float(1 - Double(width * self.height) / Double(imageWidth * height))
  }
}
