import OctNetSupport

/// Adds up where the time of a graph goes. The executor reports to it; without one nothing is measured.
public final class Profiler {
  /// What an operation did.
  public enum Part: String, Codable, CaseIterable, Sendable {
    /// Of an operation; `recompute` makes a map again for backward.
    case forward, backward, recompute
    /// The gradient of a convolution's source.
    case backwardData = "backward-data"
    /// The gradient of its weights, and of its bias.
    case backwardWeights = "backward-weights"
    /// An optimizer's.
    case update
  }

  /// What times are collected under.
  public struct Key: Hashable, Sendable {
    /// `Operation.kind`, `loss`, or the optimizer's name.
    public let kind: String
    /// Which pass.
    public let part: Part
    /// Maps of one image, as in `56×56×64→56×56×256`.
    public let shapes: String

    /// A key of its own, for work beside the operations.
    public init(kind: String, part: Part, shapes: String) {
      self.kind = kind
      self.part = part
      self.shapes = shapes
    }
  }

  /// Times of one key.
  public struct Entry: Sendable {
    /// How often it ran.
    public internal(set) var calls = 0
    /// Seconds in all.
    public internal(set) var seconds = 0.0
    /// Multiplications and additions of convolutions and linear layers that were really done.
    public internal(set) var operations = 0.0
    /// Every operand counted once: what has to move where no cache helps.
    public internal(set) var bytes = 0.0
  }

  /// What has been measured so far.
  public private(set) var entries: [Key: Entry] = [:]
  private let clock = ContinuousClock()

  /// Nothing measured yet.
  public init() {}

  package func measure<Result>(
    _ kind: String, _ part: Part, shapes: String = "", operations: Double = 0, bytes: Double = 0,
    _ body: () throws -> Result
  ) rethrows -> Result {
    let start = clock.now
    let result = try body()
    let key = Key(kind: kind, part: part, shapes: shapes)
    var entry = entries[key] ?? Entry()
    entry.calls += 1
    entry.seconds += (clock.now - start).inSeconds
    entry.operations += operations
    entry.bytes += bytes
    entries[key] = entry
    return result
  }
}
