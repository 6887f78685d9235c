import Foundation
import Testing

import OctNet

@Suite struct SafetensorsTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  /// A file of the given header and data, whatever they say.
  private func file(_ header: String, data: [UInt8] = [], length: UInt64? = nil) throws -> String {
    try file(Array(header.utf8), data: data, length: length)
  }

  private func file(_ header: [UInt8], data: [UInt8], length: UInt64?) throws -> String {
    let length = length ?? UInt64(header.count)
    let prefix = withUnsafeBytes(of: length.littleEndian) { Array($0) }
    return try directory.write(prefix + header + data, as: "x.safetensors")
  }

  private func expectProblem(
    _ problem: String, in path: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(throws: OctNetError.file(path: path, problem), sourceLocation: sourceLocation) {
      try SafetensorsFile(path: path)
    }
  }

  // MARK: Round trips

  @Test func roundTripKeepsEverything() throws {
    let file = SafetensorsFile(
      metadata: ["format": "pt", "quote \" and \\ and \n and é and 🐙": "{\"a\": [1, \"\u{1}\"]}", "": ""],
      entries: [
        .init(
          name: "b.weight",
          tensor: Tensor(shape: [2, 1, 3], values: [1, -2, .infinity, 0.1, -0.0, 0x1p-140])),
        .init(name: "steps", int64: -5),
        .init(name: "a scalar", tensor: Tensor(shape: [], values: [3])),
        .init(name: "empty", tensor: Tensor(shape: [0, 7], values: [])),
        .init(name: "bytes", dtype: .u8, shape: [3], bytes: [1, 2, 255]),
        .init(name: "last \"é🐙\"", tensor: Tensor(shape: [1], values: [4])),
      ])
    try file.write(to: directory("r"))
    let back = try SafetensorsFile(path: directory("r"))
    #expect(back == file)
    #expect(try back.entries[0].floats().map(\.bitPattern) == file.entries[0].floats().map(\.bitPattern))
    #expect(back.entries[1].int64 == -5)
    #expect(directory.contents == ["r"])
  }

  /// `{`, spaces up to a multiple of 8, and wide elements first so that all are aligned in a mapped file.
  @Test func writerFollowsTheFormat() throws {
    let file = SafetensorsFile(entries: [
      .init(name: "f", tensor: Tensor(shape: [1], values: [1])), .init(name: "n", int64: 2),
    ])
    try file.write(to: directory("w"))
    let bytes = try contents(ofFile: directory("w"))
    let header =
      #"{"f":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}"#
    let padded = Array(header.utf8) + Array(repeating: 0x20, count: (8 - header.utf8.count % 8) % 8)
    #expect(
      bytes == [UInt8(padded.count), 0, 0, 0, 0, 0, 0, 0] + padded + [2, 0, 0, 0, 0, 0, 0, 0] + [
        0, 0, 0x80, 0x3f,
      ])
  }

  @Test func emptyFile() throws {
    try SafetensorsFile().write(to: directory("e"))
    #expect(try SafetensorsFile(path: directory("e")) == SafetensorsFile())
  }

  @Test func writerRefusesContradictions() throws {
    let twice = SafetensorsFile(entries: [.init(name: "a", int64: 1), .init(name: "a", int64: 2)])
    #expect(throws: OctNetError.file(path: directory("t"), "two arrays of the name \"a\"")) {
      try twice.write(to: directory("t"))
    }
    let short = SafetensorsFile(entries: [.init(name: "a", dtype: .f32, shape: [2], bytes: [0, 0, 0, 0])])
    #expect(throws: OctNetError.file(path: directory("t"), "\"a\": 4 bytes do not fit shape [2]")) {
      try short.write(to: directory("t"))
    }
    #expect(directory.contents == [])
  }

  @Test func conversions() throws {
    func entry(_ dtype: SafetensorsFile.DType, _ values: [some FixedWidthInteger]) -> SafetensorsFile.Entry {
      let bytes = values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
      return .init(name: "x", dtype: dtype, shape: [values.count], bytes: bytes)
    }
    // 1, −2, largest, smallest normal, largest and smallest subnormal, −0, infinity
    let halves: [UInt16] = [0x3c00, 0xc000, 0x7bff, 0x0400, 0x03ff, 0x0001, 0x8000, 0xfc00]
    let expected: [Float] = [1, -2, 65504, 0x1p-14, 0x1.ff8p-15, 0x1p-24, -0.0, -.infinity]
    #expect(try entry(.f16, halves).floats().map(\.bitPattern) == expected.map(\.bitPattern))
    #expect(try entry(.f16, [UInt16(0x7e00)]).floats()[0].isNaN)
    #expect(try entry(.bf16, [UInt16(0x3f80), 0xc2f7]).floats() == [1, -123.5])
    #expect(try entry(.f64, [(0.1).bitPattern, (-1e300).bitPattern]).floats() == [0.1, -.infinity])
    #expect(try entry(.i64, [Int64(-3), 1 << 40]).floats() == [-3, 0x1p40])
    #expect(
      throws: OctNetError.stateDictionary(
        StateMismatch(unfit: ["x of I32 instead of F32, F16, BF16, F64 or I64"]))
    ) {
      try entry(.i32, [Int32(1)]).floats()
    }
  }

  // MARK: What must be refused

  @Test func truncatedOrForeignFiles() throws {
    expectProblem("cannot open: No such file or directory", in: directory("none"))
    expectProblem(
      "not a safetensors file: expected at least 8 bytes, found 3",
      in: try directory.write([1, 2, 3], as: "x"))
    expectProblem(
      "not a safetensors file: header of 100000001 bytes, expected at most 100000000",
      in: try file("{}", length: 100_000_001))
    expectProblem(
      "not a safetensors file: header of 18446744073709551615 bytes, expected at most 100000000",
      in: try file("{}", length: .max))
    expectProblem("truncated: header of 3 bytes in a file of 10", in: try file("{}", length: 3))
    expectProblem("not a safetensors file: the header does not start with '{'", in: try file(""))
    expectProblem("not a safetensors file: the header does not start with '{'", in: try file(" {}"))
    expectProblem("not a safetensors file: the header does not start with '{'", in: try file("[]"))
  }

  @Test func malformedHeaders() throws {
    expectProblem("header, byte 1: expected a key", in: try file("{"))
    expectProblem("header, byte 5: the JSON ends too early", in: try file(#"{"a":"#))
    expectProblem("header, byte 2: something follows the end of the JSON", in: try file("{}x"))
    expectProblem("header, byte 22: duplicate key \"a\"", in: try file(#"{"a":{"b":1}, "\u0061":2}"#))
    expectProblem("header, byte 27: duplicate key \"x\"", in: try file(#"{"__metadata__":{"x":"","x":""}}"#))
    expectProblem(
      "header, byte 5: a string is not UTF-8",
      in: try file([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d], data: [], length: nil))
    expectProblem("\"a\": expected an object, found 1", in: try file(#"{"a":1}"#))
    expectProblem("\"a\": dtype is missing", in: try file(#"{"a":{"shape":[],"data_offsets":[0,4]}}"#))
    expectProblem("\"a\": shape is missing", in: try file(#"{"a":{"dtype":"F32","data_offsets":[0,4]}}"#))
    expectProblem("\"a\": data_offsets is missing", in: try file(#"{"a":{"dtype":"F32","shape":[]}}"#))
    expectProblem(
      "\"a\": unknown dtype \"F33\"", in: try file(#"{"a":{"dtype":"F33","shape":[],"data_offsets":[0,4]}}"#))
    expectProblem(
      "\"a\": unknown dtype 7", in: try file(#"{"a":{"dtype":7,"shape":[],"data_offsets":[0,4]}}"#))
    for bad in ["-1", "1.0", "1e0", "\"1\"", "99999999999999999999", "null"] {
      expectProblem(
        "\"a\": shape: expected whole numbers from 0, found \(bad)",
        in: try file(#"{"a":{"dtype":"F32","shape":[\#(bad)],"data_offsets":[0,4]}}"#, data: [0, 0, 0, 0]))
    }
    expectProblem(
      "\"a\": shape: expected an array, found an object",
      in: try file(#"{"a":{"dtype":"F32","shape":{},"data_offsets":[0,4]}}"#))
    expectProblem(
      "\"a\": data_offsets: expected [begin, end], found [0]",
      in: try file(#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0]}}"#))
    expectProblem(
      "\"a\": data_offsets: expected [begin, end], found [4, 0]",
      in: try file(#"{"a":{"dtype":"F32","shape":[],"data_offsets":[4,0]}}"#))
    expectProblem("__metadata__: expected an object, found null", in: try file(#"{"__metadata__":null}"#))
    expectProblem(
      "__metadata__: \"x\": expected a string, found 1", in: try file(#"{"__metadata__":{"x":1}}"#))
    expectProblem(
      "header, byte 68: nested too deeply",
      in: try file(#"{"a":"# + String(repeating: "[", count: 1000)))
  }

  @Test func sizesAndPlaces() throws {
    func array(_ name: String, _ count: Int, _ begin: Int, _ end: Int) -> String {
      #""\#(name)":{"dtype":"F32","shape":[\#(count)],"data_offsets":[\#(begin),\#(end)]}"#
    }
    func two(_ first: String, _ second: String, _ bytes: Int) throws -> String {
      try file("{\(first),\(second)}", data: Array(repeating: 0, count: bytes))
    }
    expectProblem(
      "\"a\": shape [2] of F32 needs 8 bytes, found 4",
      in: try two(array("a", 2, 0, 4), array("b", 1, 4, 8), 8))
    for shape in ["[4611686018427387904]", "[4294967296,4294967296,4294967296]"] {
      let list = shape.replacingOccurrences(of: ",", with: ", ")
      expectProblem(
        "\"a\": shape \(list) of F32 is larger than any memory",
        in: try file(#"{"a":{"dtype":"F32","shape":\#(shape),"data_offsets":[0,0]}}"#))
    }
    expectProblem(
      "\"b\" overlaps \"a\": begins at 4, expected 8",
      in: try two(array("a", 2, 0, 8), array("b", 1, 4, 8), 8))
    expectProblem(
      "\"b\" leaves a hole after \"a\": begins at 12, expected 8",
      in: try two(array("a", 2, 0, 8), array("b", 1, 12, 16), 16))
    expectProblem(
      "\"a\" leaves a hole after the header: begins at 4, expected 0",
      in: try two(array("a", 1, 4, 8), array("b", 1, 8, 12), 12))
    expectProblem(
      "truncated: \"b\" ends at 12 of 11 bytes of data",
      in: try two(array("a", 2, 0, 8), array("b", 1, 8, 12), 11))
    expectProblem(
      "1 byte behind the last array, expected none",
      in: try two(array("a", 2, 0, 8), array("b", 1, 8, 12), 13))
    expectProblem("4 bytes behind the last array, expected none", in: try file("{}  ", data: [0, 0, 0, 0]))
  }

  @Test func readsWhatOthersWrite() throws {
    // Any order in the header, spaces, escapes, empty arrays in between, keys this reader does not know.
    let path = try file(
      #"{ "b" : {"data_offsets":[4,8], "dtype":"F32", "shape":[1,1], "note":[true,false,null,-1.5e+3]},"#
        + #" "\u0061\ud83d\udc19": {"dtype":"F32","shape":[],"data_offsets":[0,4]},"#
        + #" "e":{"dtype":"F32","shape":[3,0],"data_offsets":[4,4]}}   "#,
      data: [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40])
    let back = try SafetensorsFile(path: path)
    #expect(back.entries.map(\.name) == ["b", "a🐙", "e"])
    #expect(back.entries.map(\.shape) == [[1, 1], [], [3, 0]])
    #expect(try back.entries.map { try $0.floats() } == [[2], [1], []])
    #expect(back.metadata == [:])
  }

  @Test func failedWriteLeavesTheOldFile() throws {
    let file = SafetensorsFile(entries: [.init(name: "n", int64: 1)])
    #expect(throws: OctNetError.file(path: "/dev/full", "cannot write: No space left on device")) {
      try file.write(to: "/dev/full")
    }
    #expect(throws: OctNetError.file(path: directory("no/x"), "cannot create: No such file or directory")) {
      try file.write(to: directory("no/x"))
    }
  }
}
