/// What a setting may be, for flags, files and the states of runs alike.
///
/// The upper bounds lie above anything that a machine of today can do, and keep every size that is computed from the
/// settings far from overflow.
public enum SettingBounds {
  /// Of a run.
  public static let epochs = 1...1_000_000
  /// Images in memory at once.
  public static let batchSize = 1...1 << 20
  /// Batches of one update.
  public static let accumulationSteps = 1...1 << 20
  /// Parts of a batch.
  public static let shards = 1...1024
  /// OpenMP threads.
  public static let threads = 1...1024
  /// Images, of a limit or of a data set.
  public static let images = 1...1 << 40
  /// Of checkpoints, in updates.
  public static let steps = 1...1 << 40
  /// Pixels on each side.
  public static let cropPadding = 0...1 << 10
  /// Height and width.
  public static let imageSize = 1...1 << 14
  /// Of an image.
  public static let channels = 1...1 << 10
  /// Of the channels of a network that takes one.
  public static let widthMultiplier = 0.01...16
  /// Of a network.
  public static let classes = 1...1 << 20
  /// Iterations of Newton and Schulz in an update by Muon.
  public static let newtonSchulz = 1...20
  /// Of a benchmark.
  public static let repetitions = 1...1_000_000
  /// Seeds of a study.
  public static let studySeeds = 1...1000
  /// Numbers of one image, and of a batch of them.
  package static let imageNumbers = 1 << 30
  package static let batchNumbers = 1 << 36

  /// What `value` should have been, nil where it is in `bounds`: "expected 1 or more, found 0".
  public static func problem(_ value: Int, in bounds: ClosedRange<Int>) -> String? {
    guard !bounds.contains(value) else { return nil }
    return value < bounds.lowerBound
      ? "expected \(bounds.lowerBound) or more, found \(value)"
      : "expected at most \(bounds.upperBound), found \(value)"
  }

  /// - Throws: `OctNetError.configuration` for a value out of its bounds.
  package static func check(_ value: Int?, in bounds: ClosedRange<Int>, _ key: String) throws(OctNetError) {
    guard let value, let problem = problem(value, in: bounds) else { return }
    throw OctNetError.configuration(key: key, problem)
  }
}
