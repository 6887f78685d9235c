import Foundation
import Testing

import OctNet
@testable import OctNetCheckpoint

/// Weights as PyTorch and NumPy have written them, and MXNet as its format is described (Tools/fixtures/make_weights.py).
@Suite struct WeightsFileTests {
  static let folder = Fixture.path("weights") + "/"

  /// What all files hold, or a part of it.
  private func expected() throws -> [String: StateValue] {
    try values(Checkpoint(path: Self.folder + "expected.safetensors"))
  }

  private func values(_ checkpoint: Checkpoint) throws -> [String: StateValue] {
    #expect(Set(checkpoint.state.map(\.name)).count == checkpoint.state.count)
    return Dictionary(checkpoint.state.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
  }

  private static let counter = "bn1.num_batches_tracked"

  @Test(arguments: [
    "zip.pth", "legacy.pth", "protocol4.pth", "half.pth", "bfloat16.pth", "double.pth", "parameters.pth",
    "model.pth",
    "plain.npz", "compressed.npz", "fortran.npz", "version0.params", "version1.params", "version2.params",
    "version3.params",
  ])
  func everyFormatHoldsTheSameNumbers(name: String) throws {
    var expected = try expected()
    #expect(expected.count == 6 && expected[Self.counter] == .counter(7))
    let found = try values(Checkpoint(path: Self.folder + name))
    if found[Self.counter] == nil { expected[Self.counter] = nil }
    #expect(found == expected)
    // Only files of parameters and of MXNet are without.
    let isWhole = ["zip", "legacy", "protocol4", "model", "plain", "compressed", "fortran"]
      .contains { name.hasPrefix($0 + ".") }
    #expect((found[Self.counter] != nil) == isWhole)
  }

  @Test(arguments: ["views.pth", "views-legacy.pth", "deflated.pth"])
  func viewsBecomeRows(name: String) throws {
    var expected = try expected()
    for key in ["bn1.running_mean", Self.counter] { expected[key] = nil }
    expected["tied"] = expected["fc.weight"]
    expected["ones"] = .tensor(Tensor(shape: [2, 3], values: Array(repeating: 1, count: 6)))
    #expect(try values(Checkpoint(path: Self.folder + name)) == expected)
  }

  @Test(arguments: ["wrapped.pth", "wrapped-legacy.pth"]) func aTrainingsStateIsSeenThrough(name: String)
    throws
  {
    let checkpoint = try Checkpoint(path: Self.folder + name)
    let expected = try expected().map { ("module." + $0.key, $0.value) }
    #expect(try values(checkpoint) == Dictionary(uniqueKeysWithValues: expected))
    #expect(checkpoint.notes == ["weights under \"state_dict\""])
  }

  @Test func otherDictionariesOfTensorsAreNamed() throws {
    let checkpoint = try Checkpoint(path: Self.folder + "model.pth")
    #expect(
      checkpoint.notes == [
        "weights under \"model\" → \"state_dict\"; not taken, though there are tensors: \"model_ema\""
      ])
  }

  @Test func theFormatIsToldByTheFirstBytes() throws {
    let directory = try TemporaryDirectory()
    for (name, format) in [
      ("zip.pth", WeightsFile.Format.pytorch), ("legacy.pth", .pytorch), ("plain.npz", .numpy),
      ("version2.params", .mxnet), ("expected.safetensors", .safetensors),
    ] {
      let path = try directory.write(try contents(ofFile: Self.folder + name), as: "weights.bin")
      #expect(try WeightsFile(path: path).format == format, "\(name)")
    }
  }

  @Test func everyKindOfBlockUnpacks() throws {
    let file = try WeightsFile(path: Self.folder + "blocks.npz")
    let entries = Dictionary(uniqueKeysWithValues: file.contents.entries.map { ($0.name, $0) })
    #expect(entries["zeros"]?.bytes == Array(repeating: 0, count: 70_000))
    #expect(entries["few"]?.bytes == [0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0])
    #expect(entries["noise"]?.bytes.count == 3000 && entries["text"]?.bytes.allSatisfy { $0 < 4 } == true)
  }

  @Test func whatCouldRunCodeIsRefusedByName() throws {
    let whole = try #require(error { try Checkpoint(path: Self.folder + "whole.pth") }).description
    #expect(whole.contains("whole.pth: whole/data.pkl, byte "))
    #expect(
      whole.contains("torchvision.models.resnet.ResNet") && whole.hasSuffix("save model.state_dict() instead")
    )
    let objects = try #require(error { try Checkpoint(path: Self.folder + "objects.npz") }).description
    #expect(objects.contains("member \"a.npy\": numbers of the kind \"|O\"") && !objects.contains("\n"))
  }

  /// A file that ends anywhere is refused in one line, and one with a changed byte is read or refused.
  @Test(arguments: [
    "zip.pth", "legacy.pth", "compressed.npz", "version2.params", "version0.params", "wrapped-legacy.pth",
  ])
  func damagedFilesAreRefused(name: String) throws {
    let directory = try TemporaryDirectory()
    let whole = try contents(ofFile: Self.folder + name)
    for count in stride(from: 1, to: whole.count, by: 23) {
      let path = try directory.write(Array(whole.prefix(count)), as: "cut")
      let message = try #require(error { try Checkpoint(path: path) }, "\(count) bytes").description
      #expect(message.hasPrefix("\(path): ") && !message.contains("\n"), "\(message)")
    }
    for place in stride(from: 0, to: whole.count, by: 11) {
      for mask in [0xff, 0x01] as [UInt8] {
        var changed = whole
        changed[place] ^= mask
        let path = try directory.write(changed, as: "changed")
        do { _ = try Checkpoint(path: path) } catch {
          let message = "\(error)"
          #expect(
            message.hasPrefix("\(path)") && !message.contains("\n"), "\(message)")
        }
      }
    }
  }

  /// A checksum stands beside each array of an archive; PyTorch can be told to write 0 in its place.
  @Test(arguments: [("plain.npz", "conv1.weight.npy"), ("zip.pth", "data/0")])
  func aChangedNumberInAnArchiveIsFound(name: String, member: String) throws {
    let directory = try TemporaryDirectory()
    var bytes = try contents(ofFile: Self.folder + name)
    func places(of text: String) -> [Int] {
      bytes.indices.filter { bytes[$0...].starts(with: Array(text.utf8)) }
    }
    // The member's name stands behind its header, and in the directory at byte 46 of its entry.
    let names = places(of: member)
    try #require(names.count == 2)
    let number = name.hasSuffix("npz") ? try #require(places(of: "NUMPY").first) + 140 : names[0] + 80
    bytes[number] ^= 4
    let path = try directory.write(bytes, as: "a")
    let message = try #require(error { try Checkpoint(path: path) }).description
    #expect(message.contains("\(member)\": damaged: its checksum is"), "\(message)")
    let entry = try #require(places(of: "PK\u{1}\u{2}").last { $0 < names[1] })
    bytes.replaceSubrange(entry + 16..<entry + 20, with: [0, 0, 0, 0])
    _ = try Checkpoint(path: directory.write(bytes, as: "b"))
  }

  /// Each number of the file is read, and none of them computes anything.
  @Test(arguments: [Float.nan, -.infinity]) func valuesThatAreNotFiniteAreNamed(value: Float) throws {
    let directory = try TemporaryDirectory()
    let weight = Tensor(shape: [2, 2], values: [1, value, 3, value])
    let state: StateDictionary = [("bias", .tensor(Tensor(zeros: [2]))), ("fc.weight", .tensor(weight))]
    let path = directory("a.safetensors")
    try Checkpoint(model: nil, state: state).write(to: path)
    #expect(
      error { try Checkpoint(path: path) }?.description
        == "\(path): \"fc.weight\": 2 of 4 values not finite (NaN or infinite), expected weights")
  }
}
