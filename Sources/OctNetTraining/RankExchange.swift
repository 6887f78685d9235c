import OctNetCore
import OctNetSupport

/// Processes that train one network together, and what they tell each other. Every rank makes the same calls in the same
/// order, and each call waits for all of them.
public protocol RankExchange: AnyObject {
  /// Of this process, 0 ..< `ranks`. The first one writes files.
  var rank: Int { get }
  /// Processes.
  var ranks: Int { get }

  /// Both hold `each` floats for every rank, in order of the ranks: those of rank q go to it, and what it sent to this rank
  /// comes in their place.
  func allToAll(_ send: UnsafePointer<Float>, _ receive: UnsafeMutablePointer<Float>, each: Int)
  /// `each` floats of every rank, in order of the ranks.
  func allGather(_ send: UnsafePointer<Float>, _ receive: UnsafeMutablePointer<Float>, each: Int)
  /// The same number of them from every rank, in order of the ranks.
  func allGather(_ send: [Double]) -> [Double]
  /// The bytes of one rank, as many on every one.
  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int)
  /// Of all ranks' values.
  func largest(_ value: Int32) -> Int32
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
