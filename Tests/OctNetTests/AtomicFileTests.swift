import Foundation
import Testing

import OctNet
@testable import OctNetSupport

@Suite struct AtomicFileTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  @Test func writesAndReplaces() throws {
    try AtomicFile.write("first", to: directory("a"))
    try AtomicFile.write("second, longer", to: directory("a"))
    #expect(try contents(ofFile: directory("a")) == Array("second, longer".utf8))
    #expect(directory.contents == ["a"])
  }

  @Test func failingBodyLeavesTheOldFile() throws {
    try AtomicFile.write("old", to: directory("a"))
    #expect(throws: OctNetError.training("stop")) {
      try AtomicFile.write(to: directory("a")) { writer in
        try writer.write("half of the new")
        throw OctNetError.training("stop")
      }
    }
    #expect(try contents(ofFile: directory("a")) == Array("old".utf8))
    #expect(directory.contents == ["a"])
  }

  /// The temporary file lies on a device that is always full.
  @Test func fullDiskLeavesTheOldFile() throws {
    try AtomicFile.write("old", to: directory("a"))
    #expect(throws: OctNetError.file(path: directory("a"), "cannot write: No space left on device")) {
      try AtomicFile.write(to: directory("a"), opening: { _ in open("/dev/full", O_WRONLY) }) { writer in
        try writer.write("new")
      }
    }
    #expect(try contents(ofFile: directory("a")) == Array("old".utf8))
    #expect(directory.contents == ["a"])
  }

  @Test func devicesAreWrittenInPlace() throws {
    try AtomicFile.write("gone", to: "/dev/null")
    #expect(throws: OctNetError.file(path: "/dev/full", "cannot write: No space left on device")) {
      try AtomicFile.write("text", to: "/dev/full")
    }
  }

  @Test func symbolicLinksStayLinks() throws {
    try AtomicFile.write("old", to: directory("target"))
    try FileManager.default.createSymbolicLink(
      atPath: directory("link"), withDestinationPath: directory("target"))
    try AtomicFile.write("new", to: directory("link"))
    #expect(try contents(ofFile: directory("target")) == Array("new".utf8))
    #expect(
      try FileManager.default.destinationOfSymbolicLink(atPath: directory("link")) == directory("target"))
  }

  /// Each tidies up what killed processes left, and takes no file of another one for that.
  @Test func manyWriteOneFileAtOnce() async throws {
    let path = directory("file")
    let problems = await withTaskGroup(of: [String].self) { group in
      for writer in 0..<4 {
        group.addTask {
          (0..<400).compactMap { turn in
            error { try AtomicFile.write("\(writer) \(turn)", to: path) }?.description
          }
        }
      }
      return await group.reduce(into: []) { $0 += $1 }
    }
    #expect(problems.isEmpty)
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory("")) == ["file"])
  }

  /// A link to another disk, on which the file is to be made.
  @Test func linksToWhatIsNotThereYetStayLinks() throws {
    let files = FileManager.default
    try files.createDirectory(atPath: directory("disk"), withIntermediateDirectories: true)
    try files.createSymbolicLink(atPath: directory("link"), withDestinationPath: "disk/file")
    try files.createSymbolicLink(atPath: directory("chain"), withDestinationPath: directory("link"))
    try AtomicFile.write("new", to: directory("chain"))
    #expect(try contents(ofFile: directory("disk/file")) == Array("new".utf8))
    #expect(try files.destinationOfSymbolicLink(atPath: directory("link")) == "disk/file")
    try files.createSymbolicLink(atPath: directory("round"), withDestinationPath: "trip")
    try files.createSymbolicLink(atPath: directory("trip"), withDestinationPath: "round")
    // In a circle there is no file to make.
    let circle = directory("round")
    #expect(throws: OctNetError.file(path: circle, "cannot write: Too many levels of symbolic links")) {
      try AtomicFile.write("new", to: circle)
    }
    #expect(try files.contentsOfDirectory(atPath: directory("disk")) == ["file"])
  }

  /// Root may write anywhere, so these are places where nobody can.
  @Test func unwritablePlacesAreNamed() throws {
    try AtomicFile.write("a file", to: directory("file"))
    let throughFile = directory("file/inside")
    #expect(throws: OctNetError.file(path: throughFile, "cannot create: Not a directory")) {
      try AtomicFile.write("text", to: throughFile)
    }
    let missing = directory("missing/inside")
    #expect(throws: OctNetError.file(path: missing, "cannot create: No such file or directory")) {
      try AtomicFile.write("text", to: missing)
    }
    #expect(throws: OctNetError.file(path: directory.path, "cannot write: Is a directory")) {
      try AtomicFile.write("text", to: directory.path)
    }
    // The same before anything is computed.
    for (path, problem) in [
      (throughFile, "cannot create: Not a directory"), (missing, "cannot create: No such file or directory"),
      (directory.path, "cannot write: Is a directory"),
    ] {
      #expect(throws: OctNetError.file(path: path, problem)) { try AtomicFile.requireDirectory(of: path) }
    }
    try AtomicFile.requireDirectory(of: directory("file"))
    try AtomicFile.requireDirectory(of: "/dev/null")
  }

  @Test func readingNamesTheProblem() throws {
    #expect(throws: OctNetError.file(path: directory("none"), "cannot open: No such file or directory")) {
      try FileReader.bytes(of: directory("none"), limit: 1 << 20)
    }
    #expect(throws: OctNetError.file(path: directory.path, "expected a file, found a directory")) {
      try FileReader.bytes(of: directory.path, limit: 1 << 20)
    }
    let path = try directory.write([1, 2, 3], as: "three")
    #expect(try FileReader.bytes(of: path, limit: 1 << 20) == [1, 2, 3])
    #expect(throws: OctNetError.file(path: path, "truncated: expected 2 bytes at offset 2, the file has 3")) {
      try FileReader(path: path).bytes(at: 2, count: 2)
    }
  }
}
