import Foundation

@testable import OctNetTensorBoard

/// Reads events files back, every check included.
enum EventReader {
  struct Damage: Error {}

  /// - Throws: `Damage` for a check that does not hold and for bytes left over.
  static func events(in bytes: [UInt8]) throws -> [Tensorboard_Event] {
    var rest = bytes[...]
    func take(_ count: Int) throws -> [UInt8] {
      guard rest.count >= count else { throw Damage() }
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
    func number(_ bytes: [UInt8]) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
    func check(_ bytes: [UInt8]) throws {
      guard number(try take(4)) == UInt64(EventRecord.maskedCheck(bytes)) else { throw Damage() }
    }
    var events: [Tensorboard_Event] = []
    while !rest.isEmpty {
      let length = try take(8)
      try check(length)
      let data = try take(Int(number(length)))
      try check(data)
      events.append(try Tensorboard_Event(serializedBytes: data))
    }
    return events
  }

  /// Events files of a directory in the order in which TensorBoard reads them.
  static func files(in directory: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory)
      .filter { $0.hasPrefix("events.out.tfevents.") }.sorted().map { directory + "/" + $0 }
  }

  static func events(ofFile path: String) throws -> [Tensorboard_Event] {
    try events(in: Array(Data(contentsOf: URL(fileURLWithPath: path))))
  }
}

/// A new empty directory that disappears with the object.
final class ScratchDirectory {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "octnet-tensorboard-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
