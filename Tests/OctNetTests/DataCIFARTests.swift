import Foundation
import Testing

import OctNet
@testable import OctNetData

/// Small data sets in CIFAR's layout whose every byte is known.
struct CIFARTests {
  /// Byte of plane `channel` of a record; a different pattern for every record and channel.
  static func byte(record: Int, channel: Int, pixel: Int) -> UInt8 {
    UInt8(truncatingIfNeeded: 31 * record + 85 * channel + 7 * pixel + pixel / 32)
  }

  static func record(_ labels: [UInt8], number: Int) -> [UInt8] {
    labels
      + (0..<3).flatMap { channel in
        (0..<1024).map { byte(record: number, channel: channel, pixel: $0) }
      }
  }

  /// Five training files of two records each and one of three; labels 0, 1, 2 … over all of them.
  func makeTen(in directory: TemporaryDirectory, folder: String? = nil) throws {
    if let folder {
      try FileManager.default.createDirectory(atPath: directory(folder), withIntermediateDirectories: false)
    }
    let prefix = folder.map { $0 + "/" } ?? ""
    for file in 0..<5 {
      let bytes = (0..<2).flatMap { Self.record([UInt8(2 * file + $0)], number: 2 * file + $0) }
      _ = try directory.write(bytes, as: "\(prefix)data_batch_\(file + 1).bin")
    }
    _ = try directory.write(
      (0..<3).flatMap { Self.record([UInt8(9 - $0)], number: 100 + $0) }, as: "\(prefix)test_batch.bin")
  }

  func expectImages(_ set: any Dataset, records: [Int], sourceLocation: SourceLocation = #_sourceLocation) {
    for (index, record) in records.enumerated() {
      let image = set.pixels(at: index)
      let expected = (0..<3072).map { (byte: Int) -> UInt8 in
        Self.byte(record: record, channel: byte % 3, pixel: byte / 3)
      }
      #expect(image == expected, "record \(record)", sourceLocation: sourceLocation)
    }
  }

  @Test func readsPlanesInTheOrderOfTheFiles() throws {
    let directory = try TemporaryDirectory()
    try makeTen(in: directory)
    let split = try DataSource.parse("cifar10:\(directory.path)").load()
    #expect(split.train.count == 10 && split.test.count == 3)
    #expect(split.train.height == 32 && split.train.width == 32 && split.train.channels == 3)
    #expect((0..<10).map(split.train.label) == Array(0..<10))
    #expect((0..<3).map(split.test.label) == [9, 8, 7])
    expectImages(split.train, records: Array(0..<10))
    expectImages(split.test, records: [100, 101, 102])
    #expect(split.train.classNames[3] == "cat" && split.train.classNames.count == 10)
    #expect(split.normalization == .cifar10)
  }

  @Test func takesTheFolderAroundTheFiles() throws {
    let directory = try TemporaryDirectory()
    try makeTen(in: directory, folder: "cifar-10-batches-bin")
    let split = try DataSource.parse("cifar10:\(directory.path)").load()
    expectImages(split.train, records: Array(0..<10))
  }

  @Test func readsTheNamesOfTheClasses() throws {
    let directory = try TemporaryDirectory()
    try makeTen(in: directory)
    let names = (0..<10).map { "thing \($0)" }
    let text = names.joined(separator: "\n") + "\n\n"
    let path = try directory.write(Array(text.utf8), as: "batches.meta.txt")
    let source = DataSource.cifar10(directory: directory.path)
    #expect(try source.load().test.classNames == names)
    _ = try directory.write(Array("one\ntwo\n".utf8), as: "batches.meta.txt")
    #expect(throws: OctNetError.file(path: path, "found 2 class names, expected 10")) { try source.load() }
  }

  @Test func readsBothLabelsOfCIFAR100() throws {
    let directory = try TemporaryDirectory()
    let train = (0..<4).flatMap { Self.record([UInt8(19 - $0), UInt8(99 - $0)], number: $0) }
    _ = try directory.write(train, as: "train.bin")
    _ = try directory.write(Self.record([5, 50], number: 9), as: "test.bin")
    let fine = try DataSource.parse("cifar100:\(directory.path)").load()
    #expect((0..<4).map(fine.train.label) == [99, 98, 97, 96])
    #expect(fine.test.label(at: 0) == 50 && fine.test.classNames.count == 100)
    expectImages(fine.train, records: [0, 1, 2, 3])
    let coarse = try DataSource.parse("cifar100-coarse:\(directory.path)").load()
    #expect((0..<4).map(coarse.train.label) == [19, 18, 17, 16])
    #expect(coarse.test.label(at: 0) == 5 && coarse.test.classNames.count == 20)
    expectImages(coarse.test, records: [9])
  }

  @Test func namesTheMissingFile() throws {
    let directory = try TemporaryDirectory()
    try makeTen(in: directory)
    try FileManager.default.removeItem(atPath: directory("data_batch_4.bin"))
    #expect(
      throws: OctNetError.file(
        path: directory("data_batch_4.bin"), "cannot open: No such file or directory")
    ) { try CIFAR.load(directory: directory.path, labels: .cifar10) }
  }

  @Test(arguments: [
    ("data_batch_1", "the version for Python"), ("cifar-10-binary.tar.gz", "not unpacked"),
    ("cifar-10-python.tar.gz", "not the binary version"), ("photo.jpg", "the directory holds photo.jpg"),
  ])
  func otherFormsAreTold(name: String, problem: String) throws {
    let directory = try TemporaryDirectory()
    _ = try directory.write([1, 2, 3], as: name)
    let error = #expect(throws: OctNetError.self) {
      try DataSource.cifar10(directory: directory.path).load()
    }
    #expect(error?.description.contains(problem) == true, "\(String(describing: error))")
    let file = #expect(throws: OctNetError.self) {
      try DataSource.cifar10(directory: directory(name)).load()
    }
    #expect(file?.description.hasPrefix(directory(name) + ": ") == true)
  }

  @Test func countsTheBytesOfACutFile() throws {
    let directory = try TemporaryDirectory()
    try makeTen(in: directory)
    for (size, found) in [(4000, "4000 bytes (1 record and 927 bytes)"), (0, "0 bytes (0 records)")] {
      let path = try directory.write([UInt8](repeating: 0, count: size), as: "data_batch_2.bin")
      #expect(
        throws: OctNetError.file(
          path: path,
          "found \(found), expected 30730000 bytes (10000 records of 3073 bytes) "
            + "or another number of whole records")
      ) { try CIFAR.load(directory: directory.path, labels: .cifar10) }
    }
  }

  /// Half of a published file is 5,000 whole records; only its neighbours show that something is missing.
  @Test func findsAFileCutBetweenRecords() throws {
    let directory = try TemporaryDirectory()
    try makeTen(in: directory)
    // A file with a hole: the size of the published one without its 30 MB.
    let path = try directory.write([], as: "data_batch_1.bin")
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try file.truncate(atOffset: 30_730_000)
    try file.close()
    #expect(
      throws: OctNetError.file(
        path: directory("data_batch_2.bin"),
        "found 6146 bytes (2 records), expected 30730000 bytes (10000 records of 3073 bytes)")
    ) { try CIFAR.load(directory: directory.path, labels: .cifar10) }
  }

  @Test func saysWhereALabelIsOutOfRange() throws {
    let directory = try TemporaryDirectory()
    try makeTen(in: directory)
    let path = try directory.write(
      Self.record([3], number: 0) + Self.record([10], number: 1), as: "data_batch_5.bin")
    #expect(
      throws: OctNetError.file(path: path, "label 10 at byte 3073 (record 1), expected 0 to 9")
    ) { try CIFAR.load(directory: directory.path, labels: .cifar10) }
  }

  @Test func checksTheFineLabelOnlyWhereItIsUsed() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(Self.record([5, 100], number: 0), as: "train.bin")
    _ = try directory.write(Self.record([5, 50], number: 9), as: "test.bin")
    #expect(throws: OctNetError.file(path: path, "label 100 at byte 1 (record 0), expected 0 to 99")) {
      try CIFAR.load(directory: directory.path, labels: .cifar100Fine)
    }
    #expect(try CIFAR.load(directory: directory.path, labels: .cifar100Coarse).train.label(at: 0) == 5)
  }

  @Test func parsesAndPrintsEverySource() throws {
    let sources: [(String, DataSource)] = [
      ("synthetic", .synthetic(.all)), ("synthetic:low", .synthetic(.low)),
      ("synthetic:high", .synthetic(.high)), ("cifar10:a/b", .cifar10(directory: "a/b")),
      ("cifar100:C:d", .cifar100(directory: "C:d", coarse: false)),
      ("cifar100-coarse:e", .cifar100(directory: "e", coarse: true)), ("idx:/f g", .idx(directory: "/f g")),
    ]
    for (text, source) in sources {
      let parsed = try DataSource.parse(text)
      #expect(parsed == source)
      #expect(source.description == text)
    }
    let mistakes = [
      "": "unknown data set '', expected \(DataSource.syntax)",
      "mnist:x": "unknown data set 'mnist:x', expected \(DataSource.syntax)",
      "idx": "'idx' names no directory, expected idx:DIR",
      "cifar10:": "'cifar10:' names no directory, expected cifar10:DIR",
      "synthetic:all": "found 'synthetic:all', expected synthetic, synthetic:low or synthetic:high",
    ]
    for (text, problem) in mistakes {
      #expect(throws: OctNetError.configuration(key: "data", problem)) { try DataSource.parse(text) }
    }
  }
}
