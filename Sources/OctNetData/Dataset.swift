import OctNetSupport

/// Labelled images of one size, with 8 bits a channel: or, where the data set says so, floats in place of the pixels and
/// several numbers in place of the label.
///
/// What copies is called from the loader's threads, by several at once where `hasPhotographs`, or where images are resized
/// (`scaled(to:)`), hence `Sendable`.
public protocol Dataset: Sendable {
  /// "CIFAR-10 train".
  var name: String { get }
  /// Images.
  var count: Int { get }
  /// Rows of an image.
  var height: Int { get }
  /// Columns of an image.
  var width: Int { get }
  /// Numbers of a pixel.
  var channels: Int { get }
  /// One name per class; the index is the label.
  var classNames: [String] { get }

  /// In `classNames.indices`.
  func label(at index: Int) -> Int
  /// Writes height × width × channels bytes, channels innermost: as evaluation sees the image.
  /// - Throws: `OctNetError.file` that names the file, where images are read when they are asked for.
  func copyPixels(at index: Int, to destination: UnsafeMutablePointer<UInt8>) throws(OctNetError)

  /// Whether an image has a size of its own and is cut and resized when it is asked for, which is work for several threads:
  /// random crops are then parts of all that there is of it.
  var hasPhotographs: Bool { get }
  /// Shows the image as it is, decoded, for as long as `body` takes; only where `hasPhotographs`.
  /// - Throws: as `copyPixels`.
  func withPhotograph(at index: Int, _ body: (PixelView) -> Void) throws(OctNetError)
  /// Shows a part of it alone, the one that `part` says of an image of so many columns and rows; what is outside need not be
  /// made into pixels. By default cut out of the whole image.
  /// - Throws: as `copyPixels`.
  func withPhotograph(
    at index: Int, part: (_ width: Int, _ height: Int) -> PixelBox, _ body: (PixelView) -> Void
  ) throws(OctNetError)
  /// So many images, one after the other, are of one file, and best asked for by one thread.
  var imagesPerFile: Int { get }
  /// Whether to go on without images that cannot be read.
  var skipsDamaged: Bool { get }
  /// Which part of the data an image lies in that is best read from its beginning to its end.
  func shard(at index: Int) -> Int
  /// How many images in turn an epoch's order mixes, going from shard to shard (`ShardOrder`); `nil` mixes all of them.
  var shuffleBuffer: Int? { get }

  /// The same parts of the same images, `size` pixels high and wide; by default `ResizedImages` of the whole ones.
  /// - Throws: `OctNetError.configuration` for images that have no other size.
  func scaled(to size: Int) throws(OctNetError) -> any Dataset

  /// Whether images are floats, which `copyValues` gives and `copyPixels` does not.
  var hasFloatValues: Bool { get }
  /// Writes height × width × channels floats, channels innermost, before normalisation.
  /// - Throws: as `copyPixels`.
  func copyValues(at index: Int, to destination: UnsafeMutablePointer<Float>) throws(OctNetError)

  /// Floats of an image's target, in place of its label: 0 for images with one class each.
  var targetSize: Int { get }
  /// Writes `targetSize` floats, such as 1 and 0 for labels that an image has and has not.
  func copyTarget(at index: Int, to destination: UnsafeMutablePointer<Float>)
}

extension Dataset {
  public var hasPhotographs: Bool { false }
  public func withPhotograph(at index: Int, _ body: (PixelView) -> Void) throws(OctNetError) {
    preconditionFailure("\(name) has images of one size, no photographs")
  }
  public func withPhotograph(
    at index: Int, part: (_ width: Int, _ height: Int) -> PixelBox, _ body: (PixelView) -> Void
  ) throws(OctNetError) {
    try withPhotograph(at: index) { body($0.part(part($0.width, $0.height))) }
  }
  public var imagesPerFile: Int { 1 }
  public var skipsDamaged: Bool { false }
  public func shard(at index: Int) -> Int { 0 }
  public var shuffleBuffer: Int? { nil }

  public var hasFloatValues: Bool { false }
  public func copyValues(at index: Int, to destination: UnsafeMutablePointer<Float>) throws(OctNetError) {
    preconditionFailure("\(name) has pixels, not floats")
  }

  public var targetSize: Int { 0 }
  public func copyTarget(at index: Int, to destination: UnsafeMutablePointer<Float>) {
    preconditionFailure("\(name) has labels, no targets")
  }
}

extension Dataset {
  /// Bytes, and values, of one image.
  public var imageSize: Int { height * width * channels }
}

/// A data set held in memory.
public struct ImageSet: Dataset {
  public let name: String
  public let height: Int
  public let width: Int
  public let channels: Int
  public let classNames: [String]
  /// count × height × width × channels.
  public let pixels: [UInt8]
  /// One an image.
  public let labels: [Int]

  /// - Precondition: the sizes fit each other, and every label is the index of a class.
  public init(
    name: String, height: Int, width: Int, channels: Int, classNames: [String], pixels: [UInt8],
    labels: [Int]
  ) {
    precondition(height > 0 && width > 0 && channels > 0, "an image of \(height)×\(width)×\(channels)")
    precondition(
      pixels.count == labels.count * height * width * channels,
      "\(pixels.count) bytes for \(labels.count) images of \(height)×\(width)×\(channels)")
    precondition(labels.allSatisfy { $0 >= 0 && $0 < classNames.count }, "a label without a class")
    self.name = name
    self.height = height
    self.width = width
    self.channels = channels
    self.classNames = classNames
    self.pixels = pixels
    self.labels = labels
  }

  public var count: Int { labels.count }

  public func label(at index: Int) -> Int { labels[index] }

  public func copyPixels(at index: Int, to destination: UnsafeMutablePointer<UInt8>) {
    precondition(labels.indices.contains(index), "image \(index) of \(count)")
    pixels.withUnsafeBufferPointer {
      guard let base = $0.baseAddress else { return }
      destination.update(from: base + index * imageSize, count: imageSize)
    }
  }
}

/// What a `DataSource` loads: images to learn from, images to be measured on, and how to scale both.
public struct DataSplit: Sendable {
  /// To learn from.
  public var train: any Dataset
  /// To be measured on.
  public var test: any Dataset
  /// Images that choose the best epoch, so that `test` is seen by nobody before the end; `nil` where there are none.
  public var validation: (any Dataset)?
  /// The customary constants of the data set, or measured on `train` where there are none.
  public var normalization: Normalization
  /// How photographs became these images, where somebody has to know it who has another photograph.
  public var preparation: ImagePreparation?
  /// Indices of shards for the run's directory.
  package var unsavedShardIndices: [UnsavedShardIndex] = []

  /// Images to learn from and to be measured on.
  public init(
    train: any Dataset, test: any Dataset, validation: (any Dataset)? = nil, normalization: Normalization
  ) {
    self.train = train
    self.test = test
    self.validation = validation
    self.normalization = normalization
  }
}
