/// Adds up where the time of a graph goes. The executor reports to it; without one nothing is measured.
public final class Profiler {
  /// What an operation did.
  public enum Part: String, Codable, CaseIterable, Sendable {
    case forward, backward
    case backwardData = "backward-data"
    case backwardWeights = "backward-weights"
    case update
  }

  public struct Key: Hashable, Sendable {
    /// `Operation.kind`, `loss`, or the optimizer's name.
    public let kind: String
    public let part: Part
  }

  public struct Entry: Sendable {
    public internal(set) var calls = 0
    public internal(set) var seconds = 0.0
    /// Multiplications and additions of convolutions and linear layers, border taps counted.
    public internal(set) var operations = 0.0
    /// Every operand counted once: what has to move where no cache helps.
    public internal(set) var bytes = 0.0
  }

  public private(set) var entries: [Key: Entry] = [:]
  private let clock = ContinuousClock()

  public init() {}

  func measure<Result>(
    _ kind: String, _ part: Part, operations: Double = 0, bytes: Double = 0, _ body: () throws -> Result
  ) rethrows -> Result {
    let start = clock.now
    let result = try body()
    var entry = entries[Key(kind: kind, part: part)] ?? Entry()
    entry.calls += 1
    entry.seconds += (clock.now - start).inSeconds
    entry.operations += operations
    entry.bytes += bytes
    entries[Key(kind: kind, part: part)] = entry
    return result
  }
}
