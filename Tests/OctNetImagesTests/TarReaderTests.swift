import Foundation
import OctNet
import Testing

/// What is in a tar, and what is not.
@Suite struct TarReaderTests {
  private func entries(_ bytes: [UInt8]) throws -> (entries: [TarEntry], leftOut: [TarReader.LeftOut: Int]) {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("octnet-\(UUID()).tar").path
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    defer { unlink(path) }
    var archive = TarReader(try FileReader(path: path))
    var found: [TarEntry] = []
    while let entry = try archive.next() { found.append(entry) }
    return (found, archive.leftOut)
  }

  private func problem(_ bytes: [UInt8]) throws -> String? {
    do { _ = try entries(bytes) } catch let error as OctNetError {
      guard case .file(_, let problem) = error else { return "\(error)" }
      return problem
    }
    return nil
  }

  private func name(_ text: String) -> FilePath { FilePath(text) }

  @Test func namesAndPlaces() throws {
    let long = String(repeating: "l", count: 200)
    let body = " path=dir/\(String(repeating: "p", count: 150))\n"
    let record = "\(body.utf8.count + 3)\(body)"
    var bytes = TarWriter.entry("dir/", type: "5")
    bytes += TarWriter.entry("a", [1, 2, 3])
    bytes += TarWriter.entry("././@LongLink", Array(long.utf8) + [0], type: "L")
    bytes += TarWriter.entry("cut", [4])
    bytes += TarWriter.entry("pax", Array(record.utf8), type: "x")
    bytes += TarWriter.entry("cut", [5, 6])
    bytes += TarWriter.entry("b") { $0.replaceSubrange(345..<348, with: Array("pre".utf8)) }
    bytes += TarWriter.end
    let found = try entries(bytes).entries
    #expect(found.count == 4)
    #expect(found[0] == TarEntry(name: name("a"), offset: 1024, size: 3))
    #expect(found[1].name == name(long) && bytes[found[1].offset] == 4)
    #expect("\(found[2].name)".hasPrefix("dir/ppp") && bytes[found[2].offset] == 5 && found[2].size == 2)
    #expect(found[3] == TarEntry(name: name("pre/b"), offset: bytes.count - 1024, size: 0))
  }

  @Test func whatIsNoFileIsCounted() throws {
    let sparse = Array("22 GNU.sparse.major=1\n".utf8)
    var bytes = TarWriter.entry("l", type: "2", size: 7) + TarWriter.entry("h", type: "1")
    bytes += TarWriter.entry("d", type: "3")
    // A map that goes on in a second block, in front of the content.
    bytes += TarWriter.entry("s", [1], type: "S") { $0[482] = 1 }.prefix(512)
    bytes += [UInt8](repeating: 0, count: 512) + [1] + [UInt8](repeating: 0, count: 511)
    bytes += TarWriter.entry("x", sparse, type: "x") + TarWriter.entry("sparse", [9])
    bytes += TarWriter.entry("v", [1], type: "V") + TarWriter.entry("kept", [1]) + TarWriter.end
    let found = try entries(bytes)
    #expect(found.entries.map(\.name) == [name("kept")])
    #expect(found.leftOut == [.link: 2, .device: 1, .sparse: 2, .unknown: 1])
  }

  @Test func hostileOnesAreRefused() throws {
    let one = TarWriter.entry("a", [1, 2, 3])
    #expect(
      try problem(one)
        == "byte 1024: truncated: the archive ends after 0 bytes more, expected an entry or the two blocks of zeros that "
        + "end a tar")
    #expect(try problem(Array(one.prefix(514))) == "byte 0: truncated: a has 3 bytes, the archive 2 more")
    #expect(
      try problem(TarWriter.entry("a", size: 0o7777_7777_777))
        == "byte 0: truncated: a has 8589934591 bytes, the archive 0 more")
    func sized(_ field: [UInt8]) -> [UInt8] {
      TarWriter.entry("a") { $0.replaceSubrange(124..<136, with: field) } + TarWriter.end
    }
    #expect(try problem(sized([0x80] + [UInt8](repeating: 0xff, count: 11))) == "byte 0: a size beyond 2^63")
    #expect(try problem(sized([UInt8](repeating: 0xff, count: 12))) == "byte 0: a size below 0")
    #expect(try problem(sized(Array("00000000009\0".utf8))) == "byte 0: a size that is no octal number")
    #expect(try entries(sized([0x80] + [UInt8](repeating: 0, count: 11))).entries.count == 1)
    var wrong = one + TarWriter.end
    wrong[0] ^= 1
    #expect(try problem(wrong)?.hasPrefix("byte 0: not an entry of a tar: found the checksum ") == true)
    for text in ["5 a=b\n", "x", "99 path=a\n", "9 size=x\n", "3 =\n", "4 a\n"] {
      let found = try problem(TarWriter.entry("p", Array(text.utf8), type: "x") + one + TarWriter.end)
      #expect(found?.hasPrefix("byte 0: a pax header ") == true, "\(text): \(found ?? "nothing")")
    }
    #expect(
      try problem(
        TarWriter.entry("n", [UInt8](repeating: 0x61, count: 1 << 20 | 1), type: "L") + TarWriter.end)
        == "byte 0: a name of 1048577 bytes, expected at most 1048576")
  }
}
