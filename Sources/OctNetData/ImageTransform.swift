import CTransforms
import OctNetCore
import OctNetSupport

/// A decoded image, or a part of one, in memory that somebody else keeps.
public struct PixelView {
  /// The first row's first pixel; a pixel's channels follow each other.
  public let base: UnsafePointer<UInt8>
  /// In pixels.
  public let width, height: Int
  /// From a row's first byte to that of the next.
  public let rowBytes: Int
  /// 3 for RGB, 1 for gray.
  public let channels: Int

  /// Rows follow each other without a gap where `rowBytes` is nil.
  ///
  /// - Precondition: at least one pixel, of 1 or 3 channels.
  public init(_ base: UnsafePointer<UInt8>, width: Int, height: Int, channels: Int = 3, rowBytes: Int? = nil)
  {
    precondition(width > 0 && height > 0, "an image of \(width)×\(height)")
    precondition(channels == 1 || channels == 3, "\(channels) channels")
    self.base = base
    self.width = width
    self.height = height
    self.channels = channels
    self.rowBytes = rowBytes ?? width * channels
  }

  /// - Precondition: the box is a part of it.
  public func part(_ box: PixelBox) -> PixelView {
    precondition(
      box.left >= 0 && box.top >= 0 && box.left + box.width <= width && box.top + box.height <= height)
    return PixelView(
      base + box.top * rowBytes + box.left * channels, width: box.width, height: box.height,
      channels: channels,
      rowBytes: rowBytes)
  }

  var c: oct_pixels {
    oct_pixels(base: base, width: width, height: height, row_bytes: rowBytes, channels: Int32(channels))
  }

  /// Resizes all of it and writes the window's pixels, mirrored where asked for.
  func resize(
    _ window: oct_resize_window, _ filter: Interpolation, mirrors: Bool,
    to destination: UnsafeMutablePointer<UInt8>
  ) {
    let isDone = withUnsafePointer(to: c) { source in
      withUnsafePointer(to: window) {
        oct_pixels_resize(source, filter.filter, $0, mirrors, destination)
      }
    }
    precondition(isDone, "no memory for an image of \(window.width)×\(window.height)")
  }
}

/// A rectangle of pixels.
public struct PixelBox: Equatable, Sendable {
  /// Its first column and row.
  public var left, top: Int
  /// Columns and rows.
  public var width, height: Int

  /// Any numbers.
  public init(left: Int, top: Int, width: Int, height: Int) {
    self.left = left
    self.top = top
    self.width = width
    self.height = height
  }
}

/// How pixels between pixels are made, by the names of torchvision and timm.
public enum Interpolation: String, Codable, Sendable, CaseIterable {
  /// The pixel that is there. For rotations and shears alone.
  case nearest
  /// A triangle filter, which grows with the reduction.
  case bilinear
  /// A cubic filter (a = −1/2), which grows with the reduction.
  case bicubic

  var filter: oct_filter {
    switch self {
    case .nearest: OCT_NEAREST
    case .bilinear: OCT_BILINEAR
    case .bicubic: OCT_BICUBIC
    }
  }
}

/// What training makes of a decoded image of any size: `Augmentation` and then `Normalization`, in torchvision's order:
/// random resized crop (or what evaluation does, and a crop with padding), flip, RandAugment or TrivialAugmentWide, colour
/// jitter, normalisation, random erasing.
///
/// All random numbers depend on seed, epoch, image and turn alone, and each change has a stream of its own (`Augmentation`'s
/// crop and flip one together): any thread may prepare any image, and one setting does not move what the others draw.
public struct TrainingTransform: Sendable {
  /// What changes.
  public let augmentation: Augmentation
  /// Rows and columns afterwards, numbers of a pixel before and afterwards.
  public let height, width, channels: Int
  /// Where nothing is cropped at random.
  public let evaluation: EvaluationTransform
  private let seed: UInt64
  private let table: [Float]

  /// - Parameters:
  ///   - augmentation: what changes.
  ///   - height: rows of the result.
  ///   - width: columns of the result.
  ///   - normalization: of the result.
  ///   - evaluation: how images come to their size where nothing is cropped at random.
  ///   - seed: all random numbers follow from it.
  /// - Precondition: one or three channels in `normalization`, as many as the images will have.
  public init(
    _ augmentation: Augmentation, height: Int, width: Int, normalization: Normalization,
    evaluation: EvaluationSettings = EvaluationSettings(), seed: UInt64
  ) {
    self.augmentation = augmentation
    self.height = height
    self.width = width
    channels = normalization.mean.count
    precondition(channels == 1 || channels == 3, "\(channels) channels")
    self.evaluation = EvaluationTransform(
      evaluation, height: height, width: width, normalization: normalization)
    self.seed = seed
    table = normalization.table()
  }

  /// Writes height × width × channels floats. May be called by many threads at once.
  /// - Parameters:
  ///   - image: with the transform's channels.
  ///   - epoch: of the training.
  ///   - sample: the image's number in its data set.
  ///   - turn: 0 where the image is seen for the first time in the epoch, 1 for the second.
  ///   - isPart: whether `image` is what `part` says of it already.
  ///   - destination: of the floats.
  public func callAsFunction(
    _ image: PixelView, epoch: Int, sample: Int, turn: Int = 0, isPart: Bool = false,
    to destination: UnsafeMutablePointer<Float>
  ) {
    let draw = ImageDraw(seed: seed, epoch: epoch, sample: sample, turn: turn)
    let count = height * width * channels
    // The second half is what an operation writes that cannot work in place.
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 2 * count) { bytes in
      guard let base = bytes.baseAddress else { return }
      var work = PixelWork(
        pixels: base, other: base + count, width: width, height: height, channels: channels)
      place(image, isPart: isPart, draw, &work)
      if let automatic = augmentation.autoAugment { automatic.apply(draw, to: &work) }
      if let jitter = augmentation.colorJitter { jitter.apply(draw, to: &work) }
      table.withUnsafeBufferPointer {
        guard let table = $0.baseAddress else { return }
        oct_pixels_to_floats(height * width, Int32(channels), work.pixels, table, destination)
      }
    }
    augmentation.randomErasing?.apply(
      draw, height: height, width: width, channels: channels, to: destination)
  }

  /// What of an image of that size is looked at, the same for the same numbers: the random crop, or all of it.
  public func part(width: Int, height: Int, epoch: Int, sample: Int, turn: Int = 0) -> PixelBox {
    augmentation.randomResizedCrop?.box(
      ImageDraw(seed: seed, epoch: epoch, sample: sample, turn: turn), width: width, height: height)
      ?? PixelBox(left: 0, top: 0, width: width, height: height)
  }

  /// The image at its size, cropped and mirrored.
  private func place(_ image: PixelView, isPart: Bool, _ draw: ImageDraw, _ work: inout PixelWork) {
    precondition(image.channels == channels, "\(image.channels) channels, expected \(channels)")
    let flips = augmentation.draw(seed: draw.seed, epoch: draw.epoch, sample: draw.sample, turn: draw.turn)
    if let crop = augmentation.randomResizedCrop {
      let part = isPart ? image : image.part(crop.box(draw, width: image.width, height: image.height))
      part.resize(
        oct_resize_window(
          new_width: width, new_height: height, left: 0, top: 0, width: width, height: height),
        crop.interpolation, mirrors: flips.flip, to: work.pixels)
      return
    }
    evaluation.place(image, to: work.pixels)
    guard flips != Augmentation.Draw() else { return }
    work.cut(flips)
  }
}

/// The pixels that a transform works on, and as much memory to write others to.
struct PixelWork {
  private(set) var pixels: UnsafeMutablePointer<UInt8>
  private var other: UnsafeMutablePointer<UInt8>
  let width, height, channels: Int

  init(
    pixels: UnsafeMutablePointer<UInt8>, other: UnsafeMutablePointer<UInt8>, width: Int, height: Int,
    channels: Int
  ) {
    self.pixels = pixels
    self.other = other
    self.width = width
    self.height = height
    self.channels = channels
  }

  var count: Int { width * height }

  /// Goes on with what `body` wrote from the first image to the second.
  mutating func replace(_ body: (PixelView, UnsafeMutablePointer<UInt8>) -> Void) {
    body(PixelView(pixels, width: width, height: height, channels: channels), other)
    swap(&pixels, &other)
  }

  /// Shows a window that may reach out of the image, where it is black; then mirrors.
  mutating func cut(_ draw: Augmentation.Draw) {
    if draw.top != 0 || draw.left != 0 {
      replace { image, result in
        let matrix = [1, 0, Double(draw.left), 0, 1, Double(draw.top)]
        withUnsafePointer(to: image.c) { oct_pixels_affine($0, matrix, OCT_NEAREST, result) }
      }
    }
    if draw.flip { oct_pixels_mirror(width, height, Int32(channels), pixels) }
  }
}

/// Whose random numbers: one image's, each time that it is seen.
struct ImageDraw: Equatable {
  var seed: UInt64
  var epoch, sample: Int
  var turn = 0

  func stream(_ purpose: String) -> RandomStream { RandomStream(seed: seed, purpose, epoch, sample, turn) }
}

extension RandomStream {
  /// Uniform in [low, high), 53 bits.
  mutating func uniform(_ low: Double, _ high: Double) -> Double {
    low + (high - low) * Double(next() >> 11) * 0x1p-53
  }
}
