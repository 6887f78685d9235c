import OctNetCore
import OctNetSupport

/// Random changes of training images that leave the class alone.
///
/// As torchvision's `RandomCrop(size, padding)` and then `RandomHorizontalFlip()`, both before normalisation: the
/// border is black pixels, not zeros of the normalised image.
public struct Augmentation: Codable, Equatable, Sendable {
  /// Black pixels added on every side before a window of the image's own size is cut out; 0 crops nothing.
  public var cropPadding: Int
  /// Mirrors every other image.
  public var horizontalFlip: Bool

  /// - Precondition: `cropPadding` is not negative.
  public init(cropPadding: Int, horizontalFlip: Bool) {
    precondition(cropPadding >= 0, "negative crop padding")
    self.cropPadding = cropPadding
    self.horizontalFlip = horizontalFlip
  }

  /// Images as they are.
  public static let none = Augmentation(cropPadding: 0, horizontalFlip: false)
  /// Four pixels and flips, what nearly every CIFAR result is trained with.
  public static let standard = Augmentation(cropPadding: 4, horizontalFlip: true)

  /// What happens to one image: where its window lies and whether it is mirrored.
  struct Draw: Equatable {
    /// Row and column of the source that land in the window's first row and column: −padding … padding.
    var top = 0
    var left = 0
    var flip = false
  }

  /// Depends on these three numbers only, so neither threads nor a resume can change it.
  func draw(seed: UInt64, epoch: Int, sample: Int) -> Draw {
    guard self != .none else { return Draw() }
    var random = RandomStream(seed: seed, "augmentation", epoch, sample)
    var draw = Draw()
    if cropPadding > 0 {
      draw.top = random.index(below: 2 * cropPadding + 1) - cropPadding
      draw.left = random.index(below: 2 * cropPadding + 1) - cropPadding
    }
    if horizontalFlip { draw.flip = random.next() & 1 == 1 }
    return draw
  }
}

/// Cuts, mirrors and normalises one image: from height × width × channels bytes to as many floats.
///
/// `table` is `Normalization.table()`. Plain pointers and counted loops, since this must keep a network fed in debug
/// builds too, where every collection access is a call.
func prepareImage(
  _ source: UnsafePointer<UInt8>, height: Int, width: Int, channels: Int, draw: Augmentation.Draw,
  table: UnsafePointer<Float>, to destination: UnsafeMutablePointer<Float>
) {
  var output = destination
  var y = 0
  while y < height {
    let sourceY = y &+ draw.top
    let isInside = sourceY >= 0 && sourceY < height
    let row = source + (isInside ? sourceY &* width &* channels : 0)
    // Mirroring comes after the crop: column x of the result is column width − 1 − x of the window.
    var sourceX = draw.left &+ (draw.flip ? width &- 1 : 0)
    let step = draw.flip ? -1 : 1
    var x = 0
    while x < width {
      if isInside && sourceX >= 0 && sourceX < width {
        let pixel = row + sourceX &* channels
        var channel = 0
        while channel < channels {
          output[channel] = table[channel &<< 8 &+ Int(pixel[channel])]
          channel &+= 1
        }
      } else {
        var channel = 0
        while channel < channels {
          output[channel] = table[channel &<< 8]
          channel &+= 1
        }
      }
      output += channels
      sourceX &+= step
      x &+= 1
    }
    y &+= 1
  }
}

/// The same for an image of floats; the border is zeros before normalisation.
func prepareValues(
  _ source: UnsafePointer<Float>, height: Int, width: Int, channels: Int, draw: Augmentation.Draw,
  _ normalization: Normalization, to destination: UnsafeMutablePointer<Float>
) {
  for channel in 0..<channels {
    let (mean, std) = (normalization.mean[channel], normalization.std[channel])
    var output = destination + channel
    for y in 0..<height {
      let sourceY = y + draw.top
      for x in 0..<width {
        let sourceX = draw.left + (draw.flip ? width - 1 - x : x)
        let isInside = sourceY >= 0 && sourceY < height && sourceX >= 0 && sourceX < width
        let value = isInside ? source[(sourceY * width + sourceX) * channels + channel] : 0
        output.pointee = (value - mean) / std
        output += channels
      }
    }
  }
}
