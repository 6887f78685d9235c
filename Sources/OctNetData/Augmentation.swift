import OctNetCore
import OctNetSupport

/// Random changes of training images that leave the class alone.
///
/// As torchvision's `RandomCrop(size, padding)` or `RandomResizedCrop` and then `RandomHorizontalFlip()`, all before
/// normalisation: the border is black pixels, not zeros of the normalised image, or with `reflectsBorder`
/// the image's own. See `TrainingTransform` for the order.
public struct Augmentation: Codable, Equatable, Sendable {
  /// Pixels added on every side before a window of the image's own size is cut out; 0 crops nothing.
  public var cropPadding: Int
  /// Mirrors every other image.
  public var horizontalFlip: Bool
  /// Whether an image that was mirrored in one epoch is not in the next, and the other way round, from a draw for the first
  /// epoch on: in two epochs each image is seen both ways. `nil` is no, a draw for every epoch.
  public var flipsAlternately: Bool?
  /// Whether the pixels that are added are the image's own, mirrored at its border without repeating it, as PyTorch's
  /// `reflect`; `nil` is no, black ones.
  public var reflectsBorder: Bool?

  /// Cuts out a part of random size and shape, and resizes it; in place of a crop with padding.
  public var randomResizedCrop: RandomResizedCrop?
  /// RandAugment or TrivialAugmentWide.
  public var autoAugment: AutoAugment?
  /// Changes brightness, contrast, saturation and hue.
  public var colorJitter: ColorJitter?
  /// Wipes out a rectangle of the normalised image.
  public var randomErasing: RandomErasing?
  /// How often an epoch shows each image that it draws, changed differently each time and in the same batch; it shows
  /// accordingly fewer of them (Hoffer et al., "Augment Your Batch", 2020; timm's `--aug-repeats`). nil: once.
  public var repeats: Int?

  /// - Precondition: `cropPadding` is not negative.
  public init(
    cropPadding: Int, horizontalFlip: Bool, randomResizedCrop: RandomResizedCrop? = nil,
    autoAugment: AutoAugment? = nil, colorJitter: ColorJitter? = nil, randomErasing: RandomErasing? = nil,
    repeats: Int? = nil
  ) {
    precondition(cropPadding >= 0, "negative crop padding")
    self.cropPadding = cropPadding
    self.horizontalFlip = horizontalFlip
    self.randomResizedCrop = randomResizedCrop
    self.autoAugment = autoAugment
    self.colorJitter = colorJitter
    self.randomErasing = randomErasing
    self.repeats = repeats
  }

  /// Images as they are.
  public static let none = Augmentation(cropPadding: 0, horizontalFlip: false)
  /// Four pixels and flips, what nearly every CIFAR result is trained with.
  public static let standard = Augmentation(cropPadding: 4, horizontalFlip: true)

  /// Whether more is changed than what `prepareImage` can change on its way.
  package var needsTransform: Bool {
    randomResizedCrop != nil || autoAugment != nil || colorJitter != nil || randomErasing != nil
  }

  /// - Throws: `OctNetError.configuration` for the first setting out of its range.
  public func validate() throws(OctNetError) {
    try SettingBounds.check(cropPadding, in: SettingBounds.cropPadding, "augmentation.cropPadding")
    guard randomResizedCrop == nil || cropPadding == 0 else {
      throw OctNetError.configuration(
        key: "augmentation", "cropPadding and randomResizedCrop are two crops, expected one of them")
    }
    guard reflectsBorder != true || !needsTransform else {
      throw OctNetError.configuration(
        key: "augmentation.reflectsBorder", "goes with crops by padding and flips alone")
    }
    try SettingBounds.check(repeats, in: 1...64, "augmentation.repeats")
    try randomResizedCrop?.validate()
    try autoAugment?.validate()
    try colorJitter?.validate()
    try randomErasing?.validate()
  }

  /// - Throws: `OctNetError.configuration` where images of this kind cannot be changed so.
  public func validate(for dataset: any Dataset) throws(OctNetError) {
    try check(height: dataset.height, width: dataset.width)
    guard needsTransform else { return }
    guard !dataset.hasFloatValues, dataset.channels == 1 || dataset.channels == 3 else {
      let found = dataset.hasFloatValues ? "floats" : numbered(dataset.channels, "channel")
      throw OctNetError.configuration(
        key: "augmentation",
        "\"\(dataset.name)\" has \(found), expected pixels of 1 or 3 channels for more than crops with padding and flips"
      )
    }
  }

  /// What happens to one image: where its window lies and whether it is mirrored.
  struct Draw: Equatable {
    /// Row and column of the source that land in the window's first row and column: −padding … padding.
    var top = 0
    var left = 0
    var flip = false
    var reflects = false
  }

  /// - Throws: `OctNetError.configuration` where images are too small to be reflected so far.
  func check(height: Int, width: Int) throws(OctNetError) {
    guard reflectsBorder == true, cropPadding >= min(height, width) else { return }
    throw .configuration(
      key: "augmentation.cropPadding",
      "expected less than \(min(height, width)) reflected pixels of images of \(height)×\(width), found \(cropPadding)"
    )
  }

  /// Depends on these numbers only, so neither threads nor a resume can change it.
  func draw(seed: UInt64, epoch: Int, sample: Int, turn: Int = 0) -> Draw {
    guard cropPadding > 0 || horizontalFlip else { return Draw() }
    var random =
      turn == 0
      ? RandomStream(seed: seed, "augmentation", epoch, sample)
      : RandomStream(seed: seed, "augmentation", epoch, sample, turn)
    var draw = Draw()
    if cropPadding > 0 {
      draw.top = random.index(below: 2 * cropPadding + 1) - cropPadding
      draw.left = random.index(below: 2 * cropPadding + 1) - cropPadding
    }
    draw.reflects = reflectsBorder == true
    if horizontalFlip { draw.flip = random.next() & 1 == 1 }
    if horizontalFlip && flipsAlternately == true {
      var first = RandomStream(seed: seed, "flip", sample)
      draw.flip = (first.next() & 1 == 1) != ((epoch + turn) % 2 == 1)
    }
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
    var sourceY = y &+ draw.top
    if draw.reflects { sourceY = reflected(sourceY, height) }
    let isInside = sourceY >= 0 && sourceY < height
    let row = source + (isInside ? sourceY &* width &* channels : 0)
    // Mirroring comes after the crop: column x of the result is column width − 1 − x of the window.
    var sourceX = draw.left &+ (draw.flip ? width &- 1 : 0)
    let step = draw.flip ? -1 : 1
    var x = 0
    while x < width {
      let column = draw.reflects ? reflected(sourceX, width) : sourceX
      if isInside && column >= 0 && column < width {
        let pixel = row + column &* channels
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

/// Where a place beside 0 ..< size is mirrored to: −1 is 1, `size` is size − 2.
private func reflected(_ place: Int, _ size: Int) -> Int {
  place < 0 ? 0 &- place : place >= size ? 2 &* (size &- 1) &- place : place
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
      let sourceY = draw.reflects ? reflected(y + draw.top, height) : y + draw.top
      for x in 0..<width {
        let place = draw.left + (draw.flip ? width - 1 - x : x)
        let sourceX = draw.reflects ? reflected(place, width) : place
        let isInside = sourceY >= 0 && sourceY < height && sourceX >= 0 && sourceX < width
        let value = isInside ? source[(sourceY * width + sourceX) * channels + channel] : 0
        output.pointee = (value - mean) / std
        output += channels
      }
    }
  }
}
