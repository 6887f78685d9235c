import OctNetCore
import OctNetSupport

/// Processes that train one network together, and what they tell each other. Every rank makes the same calls in the same
/// order, and each call waits for all of them, but for the two that only begin.
public protocol RankExchange: AnyObject {
  /// Of this process, 0 ..< `ranks`. The first one writes files.
  var rank: Int { get }
  /// Processes.
  var ranks: Int { get }

  /// Begins to bring together what all ranks have of each slice: the one of rank q goes to it, and of this rank's own slice what
  /// the ranks sent lies in `receive`, in their order. Neither memory is touched by anybody else before it is done.
  /// - Parameters:
  ///   - send: the vector that the slices divide.
  ///   - slices: of all ranks.
  ///   - receive: room for this rank's own slice from every rank.
  func beginAllToAll(
    _ send: UnsafePointer<Float>, _ slices: RankSlices, _ receive: UnsafeMutablePointer<Float>
  ) -> any PendingExchange
  /// Begins to give all ranks all slices of a vector, of which each rank has its own in place.
  ///
  /// Of the two calls that begin, those of one kind come in the same order on every rank. How the kinds mix, and what else is
  /// called before they are done, may differ.
  func beginAllGather(_ vector: UnsafeMutablePointer<Float>, _ slices: RankSlices) -> any PendingExchange
  /// `each` floats of every rank, in order of the ranks.
  func allGather(_ send: UnsafePointer<Float>, _ receive: UnsafeMutablePointer<Float>, each: Int)
  /// The same number of them from every rank, in order of the ranks.
  func allGather(_ send: [Double]) -> [Double]
  /// The bytes of one rank, as many on every one.
  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int)
  /// Of all ranks' values.
  func largest(_ value: Int32) -> Int32
}

/// What began and goes on while the process does something else.
public protocol PendingExchange: AnyObject {
  /// Whether it is done; where not, moves it on as far as it goes at once.
  func isDone() -> Bool
  /// Waits until it is done.
  func finish()
}

/// Neighbouring slices of a vector, one for each rank; those of the last ranks may be shorter, or empty.
public struct RankSlices: Equatable, Sendable {
  /// Of the vector.
  public let count: Int
  /// Of every slice that is whole.
  public let each: Int

  /// As equal as whole cache lines can be.
  package init(count: Int, ranks: Int) {
    let line = AlignedBuffer.cacheLine / MemoryLayout<Float>.stride
    self.count = count
    each = max(1, ((count + ranks - 1) / ranks + line - 1) / line) * line
  }

  /// - Parameter rank: from 0.
  public func slice(of rank: Int) -> Range<Int> {
    min(count, rank * each)..<min(count, (rank + 1) * each)
  }
}

extension RankExchange {
  /// A text of one rank; what the others give is not looked at.
  func broadcast(_ text: String?, from root: Int) -> String {
    var bytes = Array((text ?? "").utf8)
    var count = Int64(bytes.count)
    withUnsafeMutableBytes(of: &count) { broadcast($0, from: root) }
    if bytes.count != Int(count) { bytes = Array(repeating: 0, count: Int(count)) }
    bytes.withUnsafeMutableBytes { broadcast($0, from: root) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Parameters and statistics of the first rank's network.
  func broadcast(_ network: Network) {
    let parameters = network.parameters
    for (start, count) in [
      (parameters.values, parameters.count), (parameters.states, parameters.stateCount),
    ] {
      broadcast(
        UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(start: start, count: count)), from: 0)
    }
    network.counters.withUnsafeMutableBytes { broadcast($0, from: 0) }
  }
}

extension TrainingConfiguration {
  /// - Throws: `OctNetError.configuration` for a number of ranks among which the shards cannot be divided.
  public func validate(ranks: Int) throws(OctNetError) {
    guard ranks > 1 else { return }
    guard ranks & (ranks - 1) == 0 else {
      throw .configuration(key: "ranks", "expected a power of two, found \(ranks)")
    }
    let shards = shards ?? 1
    guard ranks <= shards else {
      throw .configuration(
        key: "ranks",
        "found \(ranks), expected at most the \(numbered(shards, "shard")) of a batch (--shards)")
    }
  }
}
