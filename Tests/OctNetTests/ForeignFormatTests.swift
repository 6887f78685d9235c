import Foundation
import Testing

import OctNet

/// Files that are given for weights and are something else.
@Suite struct ForeignFormatTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  /// A ZIP archive of one empty member.
  private static func zip(_ member: String) -> [UInt8] {
    let (name, size) = (Array(member.utf8), UInt8(member.utf8.count))
    return [0x50, 0x4b, 3, 4] + zeros(22) + [size, 0, 0, 0] + name
      + [0x50, 0x4b, 1, 2] + zeros(24) + [size, 0] + zeros(16) + name
      + [0x50, 0x4b, 5, 6, 0, 0, 0, 0, 1, 0, 1, 0, 46 + size, 0, 0, 0, 30 + size, 0, 0, 0, 0, 0]
  }
  private static func zeros(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }

  static let files: [(name: String, bytes: [UInt8], what: String, advice: String)] = [
    ("a.npy", [0x93] + Array("NUMPY\u{1}".utf8), "a NumPy array (.npy)", "numpy.savez"),
    ("a.h5", [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a], "an HDF5 file, such as Keras's .h5", ""),
    ("a.onnx", [8, 7, 0x12, 7] + Array("pytorch".utf8), "an ONNX model", "exported"),
    ("a.gz", [0x1f, 0x8b, 8, 0], "compressed by gzip", "gunzip"),
    ("a.xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], "compressed by xz", "unxz"),
    ("a.zst", [0x28, 0xb5, 0x2f, 0xfd, 0], "compressed by Zstandard", "unzstd"),
    ("a.bz2", Array("BZh91AY".utf8), "compressed by bzip2", "bunzip2"),
    ("a.tar", Array(repeating: 0x61, count: 257) + Array("ustar".utf8), "a tar archive", "unpack"),
    ("a.gguf", Array("GGUF\u{3}".utf8), "a GGUF file", ""),
    ("a.tflite", [0x1c, 0, 0, 0] + Array("TFL3".utf8), "a TensorFlow Lite model", ""),
    (
      "pointer", Array("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 102530333\n".utf8),
      "a pointer of Git LFS", "git lfs pull"
    ),
    ("page", Array("\n<!DOCTYPE html>\n<html>".utf8), "a web page (HTML)", "/resolve/"),
    ("page-2", Array("\u{feff}<HTML lang=en>".utf8), "a web page (HTML)", "/resolve/"),
    (
      "denied", Array("<?xml version=\"1.0\"?><Error>".utf8),
      "XML, such as a server's message in place of the file", ""
    ),
    (
      "model.safetensors.index.json", Array("{\"metadata\": {\"total_size\": 1}, \"weight_map\": {}}".utf8),
      "the index (JSON) of a safetensors file in several parts", "one file"
    ),
    ("a.json", Array("{\"a\": 1, \"b\": 2}".utf8), "JSON", ""),
    ("a.txt", Array("404: Not Found\n".utf8), "text that begins with \"404: Not Found\"", ""),
    (
      "zeros", Array(repeating: 0, count: 4096),
      "a file that begins with zeros, as a download that broke off", "fetch"
    ),
    ("empty", [], "empty", ""),
  ]

  @Test(arguments: files.indices) func itIsSaidWhatItIs(index: Int) throws {
    let file = Self.files[index]
    // The format shows in the first bytes, however long the file.
    for bytes in [file.bytes, file.bytes.isEmpty ? [] : file.bytes + Array(repeating: 7, count: 1000)] {
      if bytes.count > 1000 && ["a.txt", "zeros"].contains(file.name) { continue }
      let path = try directory.write(bytes, as: file.name)
      let message = try #require(error { try Checkpoint(path: path) }).description
      #expect(
        message.hasPrefix("\(path): \(file.what), expected weights (safetensors, PyTorch's .pth, "),
        "\(message)")
      #expect(message.contains("; ") == !file.advice.isEmpty)
      #expect(file.advice.isEmpty || message.contains(file.advice))
      #expect(!message.contains("\n"))
    }
  }

  @Test(arguments: [
    ("metadata.json", "a Keras model (.keras)"), ("a.txt", "a ZIP archive"),
    ("x/version", "a PyTorch file (.pth, .pt)"),
  ])
  func archivesAreToldByTheirMembers(member: String, what: String) throws {
    let path = try directory.write(Self.zip(member), as: "a.zip")
    let message = try #require(error { try Checkpoint(path: path) }).description
    #expect(message.hasPrefix("\(path): \(what), expected weights ("), "\(message)")
  }

  /// What --resume reads is of one format only.
  @Test func statesOfRunsAreSafetensors() throws {
    for (bytes, what) in [
      (Self.zip("archive/data.pkl"), "a PyTorch file (.pth, .pt)"),
      (Self.zip("a.npy"), "NumPy arrays (.npz)"),
      ([0x80, 2, 0x8a, 0x0a, 0x6c], "a Python pickle (.pth, .pt, .pkl)"),
      ([0x12, 1] + Self.zeros(30), "weights of MXNet (.params)"),
    ] {
      let path = try directory.write(bytes, as: "resume.safetensors")
      #expect(
        error { try TrainingState(path: path) } == .file(path: path, "\(what), expected a safetensors file"))
    }
  }

  /// A file that ends in the middle of its header is a safetensors file still.
  @Test func truncatedFilesAreTold() throws {
    let state: StateDictionary = [("a.weight", .tensor(Tensor(zeros: [3])))]
    try Checkpoint(model: nil, state: state).write(to: directory("c"))
    let whole = try contents(ofFile: directory("c"))
    for count in [9, 20, whole.count - 1] {
      let path = try directory.write(Array(whole.prefix(count)), as: "t")
      #expect(error { try Checkpoint(path: path) }?.description.hasPrefix("\(path): truncated: ") == true)
    }
  }

  @Test func directoriesNameWhatIsInThem() throws {
    let path = directory("run")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    let nothing = "expected a file, found a directory"
    #expect(error { try Checkpoint(path: path) } == .file(path: path, nothing))
    for name in ["last.safetensors", "best.safetensors"] { _ = try directory.write([1], as: "run/" + name) }
    #expect(
      error { try Checkpoint(path: path) }
        == .file(path: path, nothing + "; in it are best.safetensors, last.safetensors"))
  }
}
