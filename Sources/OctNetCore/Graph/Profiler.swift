import OctNetSupport

/// Adds up where the time of a graph goes. The executor reports to it; without one nothing is measured.
public final class Profiler {
  /// What an operation did.
  public enum Part: String, Codable, CaseIterable, Sendable {
    case forward, backward, recompute
    case backwardData = "backward-data"
    case backwardWeights = "backward-weights"
    case update
  }

  public struct Key: Hashable, Sendable {
    /// `Operation.kind`, `loss`, or the optimizer's name.
    public let kind: String
    public let part: Part
    /// Maps of one image, as in `56×56×64→56×56×256`.
    public let shapes: String

    public init(kind: String, part: Part, shapes: String) {
      self.kind = kind
      self.part = part
      self.shapes = shapes
    }
  }

  public struct Entry: Sendable {
    public internal(set) var calls = 0
    public internal(set) var seconds = 0.0
    /// Multiplications and additions of convolutions and linear layers that were really done.
    public internal(set) var operations = 0.0
    /// Every operand counted once: what has to move where no cache helps.
    public internal(set) var bytes = 0.0
  }

  public private(set) var entries: [Key: Entry] = [:]
  private let clock = ContinuousClock()

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
