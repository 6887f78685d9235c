import Foundation
import Testing

import OctNet
@testable import OctNetReport
@testable import OctNetData

/// Files that are no files, and files that would take all memory.
@Suite struct FileLimitTests {
  /// Every reader of a whole file.
  static let readers: [(name: String, read: @Sendable (String) throws -> Void)] = [
    ("settings", { _ = try TrainingConfiguration(path: $0) }), ("results", { _ = try RunResults(path: $0) }),
    ("log", { _ = try RunLog(logPath: $0, timingPath: nil) }),
    ("safetensors", { _ = try SafetensorsFile(path: $0) }),
    ("checkpoint", { _ = try Checkpoint(path: $0) }), ("state", { _ = try TrainingState(path: $0) }),
    ("array", { _ = try IDX.read($0, rank: 1) }),
  ]

  private func error(_ body: () throws -> Void) -> String? {
    do {
      try body()
      return nil
    } catch { return "\(error)" }
  }

  /// Opening a pipe that nobody writes into waits for ever, unless it is told not to.
  @Test(arguments: readers.indices) func aPipeIsRefused(reader: Int) throws {
    let directory = try TemporaryDirectory()
    let path = directory("pipe")
    try #require(mkfifo(path, 0o600) == 0)
    let message = error { try Self.readers[reader].read(path) }
    #expect(message == "\(path): expected a file, found a device or pipe", "\(Self.readers[reader].name)")
  }

  @Test(arguments: readers.indices) func aSparseTerabyteIsRefused(reader: Int) throws {
    let directory = try TemporaryDirectory()
    let path = directory("large")
    try #require(FileManager.default.createFile(atPath: path, contents: nil))
    try #require(truncate(path, 1 << 40) == 0)
    let message = try #require(error { try Self.readers[reader].read(path) })
    #expect(message.hasPrefix(path + ": "), "\(Self.readers[reader].name): \(message)")
  }

  /// Headers that agree with themselves and with the file's length, and data that nobody wrote.
  @Test func aSparseTerabyteWithAHeaderIsRefused() throws {
    let directory = try TemporaryDirectory()
    let header = Data(#"{"a":{"dtype":"U8","shape":[1099511627776],"data_offsets":[0,1099511627776]}}"#.utf8)
    let weights = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) } + header
    let images = Data([0, 0, 8, 3, 255, 255, 255, 255, 0, 0, 0, 16, 0, 0, 0, 16])
    for (name, start, length) in [
      ("weights", weights, weights.count + (1 << 40)), ("images", images, 16 + 0xffff_ffff * 256),
    ] {
      let path = directory(name)
      try start.write(to: URL(fileURLWithPath: path))
      try #require(truncate(path, length) == 0)
      let message = try #require(
        error {
          if name == "images" { _ = try IDX.read(path, rank: 3) } else { _ = try SafetensorsFile(path: path) }
        })
      #expect(message.hasPrefix("\(path): takes 1") && message.contains("iB of memory, "), "\(message)")
    }
  }

  @Test func valuesOfJSONAreCounted() throws {
    func parse(_ text: String, _ limit: Int) throws -> JSONValue {
      try Array(text.utf8).withUnsafeBufferPointer { try JSONScanner.parse($0, maximumValues: limit) }
    }
    // The array, the object and their members.
    let text = #"[1, {"a": 2, "b": []}, "c"]"#
    _ = try parse(text, 6)
    #expect(throws: JSONScanner.Failure.self) { try parse(text, 5) }
  }

  @Test func keysOfJSONAreCounted() throws {
    func text(_ keys: Int) -> [UInt8] {
      Array(("{" + (0..<keys).map { "\"\($0)\":0" }.joined(separator: ",") + "}").utf8)
    }
    _ = try text(FileLimit.keys).withUnsafeBufferPointer { try JSONScanner.parse($0) }
    let message = error {
      _ = try text(FileLimit.keys + 1).withUnsafeBufferPointer { try JSONScanner.parse($0) }
    }
    #expect(message?.contains("more than \(FileLimit.keys) keys") == true)
  }

  /// Every optional setting may be null; another word may not.
  @Test func nullIsNoUnknownKey() throws {
    let directory = try TemporaryDirectory()
    let path = directory("config.json")
    let settings = TrainingConfiguration(model: nil, normalization: .cifar10, threads: 1)
    let text = try StrictJSON.encode(settings)
    try (text.dropLast() + #","clipGradientNorm":null}"#).write(
      toFile: path, atomically: true, encoding: .utf8)
    _ = try TrainingConfiguration(path: path)
    try (text.dropLast() + #","clipGradientNrm":null}"#).write(
      toFile: path, atomically: true, encoding: .utf8)
    let message = error { _ = try TrainingConfiguration(path: path) }
    #expect(message?.hasPrefix("\(path): unknown key \"clipGradientNrm\"") == true, "\(message ?? "read")")
  }

  /// Two bytes a value: what takes most memory for its size.
  @Test func headersWithoutEndAreRefused() throws {
    let directory = try TemporaryDirectory()
    let path = directory("many.safetensors")
    let header = #"{"a":["# + String(repeating: "0,", count: FileLimit.values) + "0]}"
    var data = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
    data.append(Data(header.utf8))
    try data.write(to: URL(fileURLWithPath: path))
    let message = try #require(error { _ = try SafetensorsFile(path: path) })
    #expect(message.hasPrefix("\(path): header, byte "))
    #expect(message.hasSuffix("more than \(FileLimit.values) values"))
  }

  @Test func theLimitOfAFormatIsNamed() throws {
    let directory = try TemporaryDirectory()
    let path = directory("config.json")
    let bytes = Data(count: FileLimit.settings + 1)
    try #require(FileManager.default.createFile(atPath: path, contents: bytes))
    let message = error { _ = try TrainingConfiguration(path: path) }
    #expect(message == "\(path): found 1048577 bytes, expected at most 1048576")
  }
}
