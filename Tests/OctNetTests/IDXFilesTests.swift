import Foundation
import Testing

import OctNet

/// MNIST and its descendants as people really have them.
@Suite struct IDXFilesTests {
  private static let images = IDXTests.file(sizes: [3, 2, 2], values: (0..<12).map { UInt8($0) })
  private static let labels = IDXTests.file(sizes: [3], values: [1, 0, 2])

  private func folder(_ path: String, in directory: TemporaryDirectory) throws {
    try FileManager.default.createDirectory(atPath: directory(path), withIntermediateDirectories: true)
  }

  /// The four files under the names that `name` makes of a half and a kind.
  private func write(
    in directory: TemporaryDirectory, packed: Bool = false, _ name: (_ half: String, _ kind: String) -> String
  ) throws {
    for half in ["train", "test"] {
      for (kind, bytes) in [("images", Self.images), ("labels", Self.labels)] {
        let path = try directory.write(bytes, as: name(half, kind))
        if packed { try gzip(path) }
      }
    }
  }

  private func gzip(_ path: String) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["gzip", "-f", path]
    try process.run()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
  }

  private func usual(_ half: String, _ kind: String) -> String {
    "\(half == "train" ? "train" : "t10k")-\(kind)-\(kind == "images" ? "idx3" : "idx1")-ubyte"
  }

  private func expectThreeImages(_ place: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let split = try DataSource.idx(directory: place).load()
    #expect(split.train.count == 3 && split.test.count == 3, sourceLocation: sourceLocation)
    #expect((0..<3).map(split.train.label) == [1, 0, 2], sourceLocation: sourceLocation)
    var pixels = [UInt8](repeating: 0, count: 4)
    try split.test.copyPixels(at: 2, to: &pixels)
    #expect(pixels == [8, 9, 10, 11], sourceLocation: sourceLocation)
  }

  private func message(_ place: String) -> String {
    do {
      _ = try DataSource.idx(directory: place).load()
      return "no error"
    } catch { return error.description }
  }

  @Test func compressedFilesAreUnpacked() throws {
    let directory = try TemporaryDirectory()
    try write(in: directory, packed: true, usual)
    try expectThreeImages(directory.path)
    // The first bytes decide, not the name.
    let path = directory("train-images-idx3-ubyte")
    try FileManager.default.moveItem(atPath: path + ".gz", toPath: path)
    try expectThreeImages(directory.path)
  }

  @Test func damagedCompressedFilesAreNamed() throws {
    let directory = try TemporaryDirectory()
    try write(in: directory, packed: true, usual)
    let path = directory("train-images-idx3-ubyte.gz")
    let whole = try contents(ofFile: path)
    for length in [10, whole.count / 2, whole.count - 1] {
      _ = try directory.write(Array(whole.prefix(length)), as: "train-images-idx3-ubyte.gz")
      let found = message(directory.path)
      #expect(found.hasPrefix(path + ": "), "\(length) of \(whole.count): \(found)")
    }
    _ = try directory.write(
      [0x1f, 0x8b] + [UInt8](repeating: 7, count: 100), as: "train-images-idx3-ubyte.gz")
    #expect(message(directory.path) == "\(path): damaged: gzip cannot unpack it")
  }

  /// A header that promises much, and a file that unpacks to more than its header says.
  @Test func compressedFilesHoldWhatTheirHeaderSays() throws {
    let directory = try TemporaryDirectory()
    try write(in: directory, packed: true, usual)
    let path = directory("train-images-idx3-ubyte")
    for (sizes, values) in [([3, 2, 2], 13), ([1_000_000, 1000, 1000], 12)] as [([UInt32], Int)] {
      _ = try directory.write(
        IDXTests.file(sizes: sizes, values: [UInt8](repeating: 1, count: values)),
        as: "train-images-idx3-ubyte")
      try gzip(path)
      #expect(message(directory.path).contains("bytes after the header"), "\(sizes)")
    }
  }

  @Test func kagglesFoldersAreSeenThrough() throws {
    let directory = try TemporaryDirectory()
    for half in ["train", "test"] {
      for kind in ["images", "labels"] { try folder(usual(half, kind), in: directory) }
    }
    try write(in: directory) { "\(usual($0, $1))/\(usual($0, $1))" }
    try expectThreeImages(directory.path)
  }

  @Test(arguments: ["raw", "MNIST/raw", "FashionMNIST/raw"]) func torchvisionsFolders(name: String) throws {
    let directory = try TemporaryDirectory()
    try folder(name, in: directory)
    try write(in: directory) { "\(name)/\(usual($0, $1))" }
    try expectThreeImages(directory.path)
  }

  @Test func severalSetsAreAsked() throws {
    let directory = try TemporaryDirectory()
    for name in ["MNIST/raw", "KMNIST/raw"] {
      try folder(name, in: directory)
      try write(in: directory) { "\(name)/\(usual($0, $1))" }
    }
    #expect(
      message(directory.path)
        == "\(directory.path): several data sets, expected one: say which of \(directory("MNIST/raw")), "
        + directory("KMNIST/raw"))
  }

  @Test func splitsOfEMNIST() throws {
    let directory = try TemporaryDirectory()
    func name(_ split: String) -> (String, String) -> String {
      { "emnist-\(split)-\($0)-\($1)-\($1 == "images" ? "idx3" : "idx1")-ubyte" }
    }
    try write(in: directory, name("letters"))
    try expectThreeImages(directory.path)
    _ = try directory.write(Array("1 65 97\n2 66 98\n".utf8), as: "emnist-letters-mapping.txt")
    #expect(try DataSource.idx(directory: directory.path).load().train.classNames == ["N/A", "A", "B"])
    _ = try directory.write(Array("one A\n".utf8), as: "emnist-letters-mapping.txt")
    #expect(message(directory.path).contains("emnist-letters-mapping.txt: line 1: "))
    try write(in: directory, name("balanced"))
    #expect(message(directory.path).contains("#balanced, \(directory.path)#letters"))
    try expectThreeImages(directory.path + "#balanced")
    #expect(
      message(directory.path + "#byclass").contains(
        "no files of the split \"byclass\", found balanced, letters"))
  }

  /// Rows of eight integers, the class first.
  @Test func labelsOfQMNIST() throws {
    let directory = try TemporaryDirectory()
    try write(in: directory) { "qmnist-\($0)-\($1)-idx3-ubyte" }
    func rows(_ labels: [UInt8]) -> [UInt8] {
      IDXTests.file(
        type: 0x0c, sizes: [UInt32(labels.count), 2], values: labels.flatMap { [0, 0, 0, $0, 0, 0, 1, 9] })
    }
    for half in ["train", "test"] {
      try FileManager.default.removeItem(atPath: directory("qmnist-\(half)-labels-idx3-ubyte"))
      _ = try directory.write(rows([1, 0, 2]), as: "qmnist-\(half)-labels-idx2-int")
    }
    try expectThreeImages(directory.path)
    var wrong = rows([1, 0, 2])
    wrong[12 + 8 + 2] = 1
    _ = try directory.write(wrong, as: "qmnist-test-labels-idx2-int")
    #expect(
      message(directory.path)
        == "\(directory("qmnist-test-labels-idx2-int")): label 256 at byte 20 (record 1), expected 0 to 255")
  }

  @Test func whatIsThereIsSaid() throws {
    let directory = try TemporaryDirectory()
    _ = try directory.write([1], as: "images.zip")
    try folder("photos", in: directory)
    #expect(message(directory.path).hasSuffix("below it, found images.zip, photos/"))
    #expect(message(directory("nowhere")) == directory("nowhere") + ": no such directory")
    try write(in: directory, usual)
    try FileManager.default.removeItem(atPath: directory("t10k-labels-idx1-ubyte"))
    #expect(message(directory.path) == directory("t10k-labels-idx1-ubyte") + ": no such file")
  }

  @Test func theHomeDirectory() {
    let home = ProcessInfo.processInfo.environment["HOME"] ?? ""
    #expect(HomeDirectory.expand("~/data") == home + "/data" && HomeDirectory.expand("~") == home)
    #expect(
      HomeDirectory.expand("a/~/b") == "a/~/b" && HomeDirectory.expand("~no-such-user/x") == "~no-such-user/x"
    )
    #expect(HomeDirectory.expand("~root/x") != "~root/x")
  }
}
