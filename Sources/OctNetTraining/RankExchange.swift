import OctNetCore
import OctNetSupport

/// Processes that train one network together, and what they tell each other. Every rank makes the same calls in the same
/// order, and each call waits for all of them, but for the two that only begin.
public protocol RankExchange: AnyObject {
  /// Of this process, 0 ..< `ranks`. The first one writes files.
  var rank: Int { get }
  /// Processes.
  var ranks: Int { get }

  /// Begins to bring together what all ranks have of each slice: those of rank q of all vectors go to it in one message, and of
  /// this rank's own slices what the ranks sent lies in `receive`, in their order: one vector's behind the other's, and a rank's
  /// at a multiple of `RankVector.stride`. No memory is touched by anybody else before it is done.
  /// - Parameters:
  ///   - send: vectors that their slices divide, the same on all ranks.
  ///   - receive: room for this rank's own slices from every rank.
  func beginAllToAll(_ send: [RankVector], _ receive: UnsafeMutableRawPointer) -> any PendingExchange
  /// Begins to give all ranks all slices of some vectors, of which each rank has its own in place, in one message from each.
  ///
  /// Of the two calls that begin, those of one kind come in the same order on every rank. How the kinds mix, and what else is
  /// called before they are done, may differ.
  func beginAllGather(_ vectors: [RankVector]) -> any PendingExchange
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
