import OctNetSupport

extension SettingBounds {
  /// - Throws: `OctNetError.configuration` for images whose numbers cannot be counted or held anywhere.
  package static func check(image shape: MapShape) throws(OctNetError) {
    for (key, value, bounds) in [
      ("input height", shape.height, imageSize), ("input width", shape.width, imageSize),
      ("input channels", shape.channels, channels),
    ] {
      try check(value, in: bounds, key)
    }
    guard shape.count > imageNumbers else { return }
    throw OctNetError.configuration(
      key: "input", "found \(shape), expected at most \(numbered(imageNumbers, "number")) in an image")
  }

  /// - Throws: `OctNetError.configuration` for a batch whose numbers cannot be counted or held anywhere.
  package static func check(batchSize value: Int, threads count: Int, of shape: MapShape) throws(OctNetError)
  {
    try check(value, in: batchSize, "batchSize")
    try check(count, in: threads, "threads")
    let (product, overflow) = value.multipliedReportingOverflow(by: shape.count)
    guard overflow || product > batchNumbers else { return }
    throw OctNetError.configuration(
      key: "batchSize",
      "expected at most \(numbered(max(1, batchNumbers / shape.count), "image")) of \(shape), found \(value)")
  }
}
