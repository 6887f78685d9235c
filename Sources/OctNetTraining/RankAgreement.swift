import Foundation
import OctNetCore
import OctNetData
import OctNetSupport

extension RankExchange {
  /// Sees that all ranks train the same network on the same images in the same way: settings, but for the number of threads,
  /// and the data's sizes, class names and labels. Otherwise each would compute shards of another run, and the sum of their
  /// gradients belong to none.
  /// - Throws: `OctNetError.configuration`, the same on all ranks, that names the first setting in which a rank differs from the
  ///   first one.
  public func requireSame(_ configuration: TrainingConfiguration, data: DataSplit) throws(OctNetError) {
    try requireSame(RankSettings(configuration, data))
  }
}

extension RankExchange {
  /// Sees that all ranks begin at the same place with the same weights: what a state or a file of weights says, which they may
  /// have read on machines of their own.
  /// - Throws: `OctNetError.configuration`, the same on all ranks, where one differs from the first one.
  public func requireSame(_ trainer: Trainer) throws(OctNetError) {
    try requireSame(RankSettings(trainer))
  }

  private func requireSame(_ own: RankSettings) throws(OctNetError) {
    let first = RankSettings(text: broadcast(own.text, from: 0))
    let difference = own.difference(from: first, rank: rank)
    guard let other = allGather([difference == nil ? 0 : 1]).firstIndex(of: 1) else { return }
    throw OctNetError.configuration(key: "ranks", broadcast(difference, from: other))
  }
}

extension RankExchange {
  /// Sees that all ranks go on: none was asked to stop, and none has an image that cannot be read.
  /// - Throws: on all ranks the same: `Trainer.StopRequest`, or the problem of the first rank that has one as
  ///   `SharedRankError`.
  func goOn(isAskedToStop: Bool = false, _ problem: OctNetError?) throws {
    let own: Int32 = isAskedToStop ? 2 : problem == nil ? 0 : 1
    let all = largest(own)
    guard all > 0 else { return }
    guard all == 1 else { throw Trainer.StopRequest() }
    let first = allGather([Double(own)]).firstIndex(of: 1) ?? 0
    var (path, text) = ("", problem?.description)
    if case .file(let file, let problem)? = problem { (path, text) = (file, problem) }
    path = broadcast(path, from: first)
    let problem = broadcast(text, from: first)
    throw SharedRankError(
      error: path.isEmpty ? .configuration(key: "data", problem) : .file(path: path, problem))
  }
}

/// An error that all ranks have, so that they can end together and one tells it for all.
public struct SharedRankError: Error, CustomStringConvertible {
  /// The same on all ranks, but for what the first one may say of files that it wrote.
  public let error: OctNetError

  /// That of the error.
  public var description: String { error.description }
}

/// What ranks have to agree on, as lines "key value".
private struct RankSettings {
  private let values: [String: String]

  /// Nothing but letters, digits and what JSON escapes, so a line is a line.
  var text: String { values.map { "\($0.key) \($0.value)" }.sorted().joined(separator: "\n") }

  init(_ configuration: TrainingConfiguration, _ data: DataSplit) {
    var configuration = configuration
    configuration.threads = 1
    var values: [String: String] = [:]
    // Settings were read from JSON, or can be written as such.
    if let json = try? StrictJSON.encode(configuration),
      let keys = try? JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any]
    {
      for (key, value) in keys {
        let written = try? JSONSerialization.data(
          withJSONObject: value, options: [.fragmentsAllowed, .sortedKeys])
        values[key] = written.map { String(decoding: $0, as: UTF8.self) }
      }
    }
    // Kernels of unlike instruction sets give unlike bits.
    values["instruction-set"] = Machine.current.instructionSet
    values["version"] = octNetVersion
    values["training-images"] = Self.summary(data.train)
    values["test-images"] = Self.summary(data.test)
    values["validation-images"] = data.validation.map(Self.summary)
    self.values = values
  }

  init(_ trainer: Trainer) {
    let position = trainer.position
    var hash = FNV1a()
    func add(_ number: some FixedWidthInteger) {
      withUnsafeBytes(of: number.littleEndian) { for byte in $0 { hash.add(byte) } }
    }
    for (_, value) in trainer.network.stateDictionary() {
      switch value {
      case .tensor(let tensor): for number in tensor.values { add(number.bitPattern) }
      case .counter(let count): add(count)
      }
    }
    values = [
      "position": "epoch \(position.epoch), batch \(position.batch), step \(position.step)",
      "weights": "of the hash \(String(hash.value, radix: 16))",
    ]
  }

  init(text: String) {
    values = Dictionary(
      text.split(separator: "\n").map { line in
        let parts = line.split(separator: " ", maxSplits: 1)
        return (String(parts[0]), parts.count > 1 ? String(parts[1]) : "")
      }, uniquingKeysWith: { first, _ in first })
  }

  /// In words; `nil` where there is none.
  func difference(from first: RankSettings, rank: Int) -> String? {
    let keys = Set(values.keys).union(first.values.keys).sorted()
    guard let key = keys.first(where: { values[$0] != first.values[$0] }) else { return nil }
    return
      "rank \(rank) has \(key) \(values[key] ?? "unset"), the first rank \(first.values[key] ?? "unset"); "
      + "all must be started with the same arguments and see the same files"
  }

  /// Sizes, and a hash of class names and labels.
  private static func summary(_ data: any Dataset) -> String {
    var hash = FNV1a()
    for name in data.classNames {
      for byte in name.utf8 { hash.add(byte) }
      hash.add(0)
    }
    for index in 0..<data.count {
      let label = data.label(at: index)
      hash.add(UInt8(truncatingIfNeeded: label))
      hash.add(UInt8(truncatingIfNeeded: label >> 8))
    }
    return
      "\(data.count)×\(data.height)×\(data.width)×\(data.channels) (labels \(String(hash.value, radix: 16)))"
  }
}
