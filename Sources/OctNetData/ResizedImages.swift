import OctNetCore
import OctNetSupport

/// The images of a data set at another size, as evaluation makes it of a photograph: `EvaluationTransform`. Other sizes
/// of these come from the data set itself, not from what was resized already.
struct ResizedImages: Dataset {
  let base: any Dataset
  let transform: EvaluationTransform

  /// - Precondition: images of 1 or 3 channels of 8 bits.
  init(_ base: any Dataset, size: Int, _ settings: EvaluationSettings) {
    precondition(!base.hasFloatValues, "\(base.name) has floats")
    self.base = base
    let channels = base.channels
    transform = EvaluationTransform(
      settings, height: size, width: size,
      normalization: Normalization(
        mean: [Float](repeating: 0, count: channels), std: [Float](repeating: 1, count: channels)))
  }

  var name: String { base.name }
  var count: Int { base.count }
  var height: Int { transform.height }
  var width: Int { transform.width }
  var channels: Int { base.channels }
  var classNames: [String] { base.classNames }

  func label(at index: Int) -> Int { base.label(at: index) }

  var targetSize: Int { base.targetSize }
  func copyTarget(at index: Int, to destination: UnsafeMutablePointer<Float>) {
    base.copyTarget(at: index, to: destination)
  }

  func scaled(to size: Int) throws(OctNetError) -> any Dataset {
    guard size != height || size != width else { return self }
    var settings = transform.settings
    settings.cropRatio = transform.shownRatio
    return ResizedImages(base, size: size, settings)
  }

  var imagesPerFile: Int { base.imagesPerFile }
  var skipsDamaged: Bool { base.skipsDamaged }
  var shuffleBuffer: Int? { base.shuffleBuffer }
  func shard(at index: Int) -> Int { base.shard(at: index) }
  // Crops are parts of the larger ones.
  var hasPhotographs: Bool { true }

  func withPhotograph(at index: Int, _ body: (PixelView) -> Void) throws(OctNetError) {
    guard !base.hasPhotographs else { return try base.withPhotograph(at: index, body) }
    var problem: OctNetError?
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: base.imageSize) { bytes in
      guard let source = bytes.baseAddress else { return }
      do throws(OctNetError) {
        try base.copyPixels(at: index, to: source)
        body(PixelView(source, width: base.width, height: base.height, channels: channels))
      } catch { problem = error }
    }
    if let problem { throw problem }
  }

  func withPhotograph(
    at index: Int, part: (_ width: Int, _ height: Int) -> PixelBox, _ body: (PixelView) -> Void
  ) throws(OctNetError) {
    guard !base.hasPhotographs else { return try base.withPhotograph(at: index, part: part, body) }
    try withPhotograph(at: index) { body($0.part(part($0.width, $0.height))) }
  }

  func copyPixels(at index: Int, to destination: UnsafeMutablePointer<UInt8>) throws(OctNetError) {
    try withPhotograph(at: index) { transform.place($0, to: destination) }
  }
}

extension Dataset {
  public func scaled(to size: Int) throws(OctNetError) -> any Dataset {
    try resized(to: size, EvaluationSettings(cropRatio: 1, cropMode: .squash))
  }

  /// The same images, `size` pixels high and wide; as they are where they have that size, whatever the settings.
  ///
  /// - Throws: `OctNetError.configuration` for images that are not of 1 or 3 channels of 8 bits.
  package func resized(to size: Int, _ settings: EvaluationSettings = EvaluationSettings())
    throws(OctNetError)
    -> any Dataset
  {
    guard height != size || width != size else { return self }
    guard !hasFloatValues, channels == 1 || channels == 3 else {
      throw OctNetError.configuration(
        key: "image size",
        "images of \"\(name)\" are \(height)×\(width)×\(channels)\(hasFloatValues ? " floats" : ""), and only pixels of "
          + "1 or 3 channels can be resized to \(size)×\(size)")
    }
    try settings.validate()
    return ResizedImages(self, size: size, settings)
  }
}

extension DataSplit {
  /// The same parts of all images, `size` pixels high and wide.
  /// - Throws: `OctNetError.configuration` for images that have no other size.
  package func scaled(to size: Int) throws(OctNetError) -> DataSplit {
    var result = self
    result.train = try train.scaled(to: size)
    result.test = try test.scaled(to: size)
    if let validation { result.validation = try validation.scaled(to: size) }
    return result
  }

  /// All images `size` pixels high and wide.
  ///
  /// The normalisation stays: where it was measured, it was on images of another size.
  /// - Throws: `OctNetError.configuration` for images that cannot be resized.
  package func resized(to size: Int, _ settings: EvaluationSettings = EvaluationSettings())
    throws(OctNetError)
    -> DataSplit
  {
    var result = self
    // How the images came to the size that they had says nothing about this one.
    if train.height != size || train.width != size { result.preparation?.evaluation = nil }
    result.train = try train.resized(to: size, settings)
    result.test = try test.resized(to: size, settings)
    if let validation { result.validation = try validation.resized(to: size, settings) }
    return result
  }
}
