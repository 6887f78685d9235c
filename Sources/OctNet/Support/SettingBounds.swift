/// What a setting may be, for flags, files and the states of runs alike.
///
/// The upper bounds lie above anything that a machine of today can do, and keep every size that is computed from the
/// settings far from overflow.
public enum SettingBounds {
  public static let epochs = 1...1_000_000
  public static let batchSize = 1...1 << 20
  public static let accumulationSteps = 1...1 << 20
  public static let threads = 1...1024
  /// Images, of a limit or of a data set.
  public static let images = 1...1 << 40
  /// Of checkpoints, in updates.
  public static let steps = 1...1 << 40
  public static let cropPadding = 0...1 << 10
  /// Height and width.
  public static let imageSize = 1...1 << 14
  public static let channels = 1...1 << 10
  public static let classes = 1...1 << 20
  public static let repetitions = 1...1_000_000
  public static let studySeeds = 1...1000
  /// Numbers of one image, and of a batch of them.
  static let imageNumbers = 1 << 30
  static let batchNumbers = 1 << 36

  /// What `value` should have been, nil where it is in `bounds`: "expected 1 or more, found 0".
  public static func problem(_ value: Int, in bounds: ClosedRange<Int>) -> String? {
    guard !bounds.contains(value) else { return nil }
    return value < bounds.lowerBound
      ? "expected \(bounds.lowerBound) or more, found \(value)"
      : "expected at most \(bounds.upperBound), found \(value)"
  }

  /// - Throws: `OctNetError.configuration` for a value out of its bounds.
  static func check(_ value: Int?, in bounds: ClosedRange<Int>, _ key: String) throws(OctNetError) {
    guard let value, let problem = problem(value, in: bounds) else { return }
    throw OctNetError.configuration(key: key, problem)
  }

  /// - Throws: `OctNetError.configuration` for images whose numbers cannot be counted or held anywhere.
  static func check(image shape: MapShape) throws(OctNetError) {
    for (key, value, bounds) in [
      ("input height", shape.height, imageSize), ("input width", shape.width, imageSize),
      ("input channels", shape.channels, channels),
    ] {
      try check(value, in: bounds, key)
    }
    guard shape.count > imageNumbers else { return }
    throw OctNetError.configuration(
      key: "input", "found \(shape), expected at most \(imageNumbers) numbers in an image")
  }

  /// - Throws: `OctNetError.configuration` for a batch whose numbers cannot be counted or held anywhere.
  static func check(batchSize value: Int, threads count: Int, of shape: MapShape) throws(OctNetError) {
    try check(value, in: batchSize, "batchSize")
    try check(count, in: threads, "threads")
    let (product, overflow) = value.multipliedReportingOverflow(by: shape.count)
    guard overflow || product > batchNumbers else { return }
    throw OctNetError.configuration(
      key: "batchSize",
      "expected at most \(max(1, batchNumbers / shape.count)) images of \(shape), found \(value)")
  }
}
