import OctNetSupport

/// Images of another data set, in an order, or with labels, of their own; all else is the other one's.
protocol WrappedDataset: Dataset {
  var base: any Dataset { get set }

  /// The image's number in `base`.
  func place(of index: Int) -> Int
}

extension WrappedDataset {
  var name: String { base.name }
  var count: Int { base.count }
  var height: Int { base.height }
  var width: Int { base.width }
  var channels: Int { base.channels }
  var classNames: [String] { base.classNames }
  var hasPhotographs: Bool { base.hasPhotographs }
  var imagesPerFile: Int { base.imagesPerFile }
  var skipsDamaged: Bool { base.skipsDamaged }
  var shuffleBuffer: Int? { base.shuffleBuffer }
  var hasFloatValues: Bool { base.hasFloatValues }
  var targetSize: Int { base.targetSize }

  func label(at index: Int) -> Int { base.label(at: place(of: index)) }

  func shard(at index: Int) -> Int { base.shard(at: place(of: index)) }

  func scaled(to size: Int) throws(OctNetError) -> any Dataset {
    var result = self
    result.base = try base.scaled(to: size)
    return result
  }

  func copyPixels(at index: Int, to destination: UnsafeMutablePointer<UInt8>) throws(OctNetError) {
    try base.copyPixels(at: place(of: index), to: destination)
  }

  func withPhotograph(at index: Int, _ body: (PixelView) -> Void) throws(OctNetError) {
    try base.withPhotograph(at: place(of: index), body)
  }

  func withPhotograph(
    at index: Int, part: (_ width: Int, _ height: Int) -> PixelBox, _ body: (PixelView) -> Void
  ) throws(OctNetError) {
    try base.withPhotograph(at: place(of: index), part: part, body)
  }

  func copyValues(at index: Int, to destination: UnsafeMutablePointer<Float>) throws(OctNetError) {
    try base.copyValues(at: place(of: index), to: destination)
  }

  func copyTarget(at index: Int, to destination: UnsafeMutablePointer<Float>) {
    base.copyTarget(at: place(of: index), to: destination)
  }
}
