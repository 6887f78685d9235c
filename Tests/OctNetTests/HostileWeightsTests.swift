import Testing

import OctNet
@testable import OctNetCheckpoint
@testable import OctNetSupport

/// Files that want more than to be read: each ends in one line that says where and why.
@Suite struct HostileWeightsTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private func refusal(_ bytes: [UInt8]) throws -> String {
    let path = try directory.write(bytes, as: "w")
    let message = try #require(error { try Checkpoint(path: path) }).description
    #expect(
      message.hasPrefix("\(path): ") && !message.contains("\n") && message.utf8.count < 500, "\(message)")
    return String(message.dropFirst(path.count + 2))
  }

  private func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
  }

  // MARK: PyTorch

  /// The legacy container around {"w": value}.
  private func legacy(_ value: [UInt8], data: [UInt8]? = nil) -> [UInt8] {
    [0x80, 2, 0x8a, 10] + TorchFile.legacyMagic + [0x2e] + [0x80, 2, 0x4d, 0xe9, 3, 0x2e] + [
      0x80, 2, 0x7d, 0x2e,
    ]
      + [0x80, 2, 0x7d] + text("w") + value + Array("s.".utf8)
      + (data ?? [0x80, 2, 0x5d] + text("a") + Array("a.".utf8) + bytes(UInt64(4))
        + Array(repeating: 0, count: 16))
  }
  private func text(_ text: String) -> [UInt8] { [0x58] + bytes(UInt32(text.utf8.count)) + Array(text.utf8) }
  private func number(_ value: Int) -> [UInt8] { [0x8a, 8] + bytes(Int64(value)) }
  private func tuple(_ values: [[UInt8]]) -> [UInt8] { [0x28] + values.flatMap { $0 } + [0x74] }

  private func tensor(offset: Int = 0, _ shape: [Int], _ strides: [Int], count: Int = 4, key: String = "a")
    -> [UInt8]
  {
    let storage =
      tuple([text("storage"), Array("ctorch\nFloatStorage\n".utf8), text(key), text("cpu"), number(count)])
      + [0x51]
    let arguments = [
      storage, number(offset), tuple(shape.map(number)), tuple(strides.map(number)), [0x89], [0x7d],
    ]
    return Array("ctorch._utils\n_rebuild_tensor_v2\n".utf8) + tuple(arguments) + [0x52]
  }

  @Test func theContainerItselfIsRead() throws {
    let path = try directory.write(legacy(tensor([2, 2], [1, 2])), as: "w")
    #expect(try Checkpoint(path: path).state.map(\.value.shape) == [[2, 2]])
  }

  @Test func globalsThatAreNotOnTheList() throws {
    for (module, name) in [
      ("posix", "system"), ("builtins", "eval"), ("torch.hub", "load"), ("__builtin__", "getattr"),
    ] {
      let call = Array("c\(module)\n\(name)\n".utf8) + tuple([text("true")]) + [0x52]
      #expect(
        try refusal(legacy(call)).hasSuffix(
          "found the Python object \(module).\(name), which is not loaded since it could run code"))
    }
    // By the stack, and by instructions that need no global's name.
    let stacked = text("os") + text("system") + [0x93]
    #expect(try refusal(legacy(stacked)).contains("the Python object os.system,"))
    let instance = [0x28] + Array("ios\nsystem\n".utf8)
    #expect(try refusal(legacy(instance)).hasSuffix("the pickle has instruction 0x69, which no weights need"))
  }

  @Test func tensorsOutsideTheirStorage() throws {
    for (offset, shape, strides) in [
      (1, [2, 2], [2, 1]), (0, [2, 2], [3, 1]), (5, [1], [1]), (0, [5], [1]),
    ] {
      #expect(
        try refusal(legacy(tensor(offset: offset, shape, strides))).contains(
          "a tensor of size \(shape) and stride \(strides) from \(offset) on reaches outside its storage of 4 elements"
        ))
    }
    // Where nothing is read, it may begin anywhere.
    let empty = try directory.write(legacy(tensor(offset: 1 << 62, [0], [1])), as: "empty")
    #expect(try Checkpoint(path: empty).state.map(\.value.shape) == [[0]])
    #expect(
      try refusal(legacy(tensor([-1], [1]))).contains(
        "a tensor's size: expected a whole number from 0, found the number -1"))
    #expect(
      try refusal(legacy(tensor([2], [-1]))).contains("a tensor's stride: expected a whole number from 0"))
    #expect(try refusal(legacy(tensor([.max, .max], [0, 0]))).contains("of a tensor do not fit each other"))
    #expect(try refusal(legacy(tensor([2, 2], [1]))).contains("of a tensor do not fit each other"))
    #expect(
      try refusal(legacy(tensor([1 << 30], [0]))).hasPrefix(
        "\"w\": the arrays up to this one take more than "))
    #expect(
      try refusal(legacy(tensor([1], [1], count: 5))).contains("storage \"a\" of 5 elements is not there"))
    #expect(try refusal(legacy(tensor([1], [1], key: "b"))).contains("expected the key of a storage"))
  }

  /// Tensors without end of one storage take no more than some times the file.
  @Test func manyViewsOfOneStorage() throws {
    var value: [UInt8] = [0x7d, 0x28]
    for index in 0..<40 { value += text("\(index)") + tensor([4, 16384], [1, 0]) }
    value += [0x75]
    #expect(try refusal(legacy(value)).contains(" take more than "))
  }

  @Test func nestedAndSharedContainers() throws {
    let none: [UInt8] = [0x80, 2, 0x5d, 0x2e]
    let depth = 200_000
    let deep =
      Array(repeating: UInt8(ascii: "]"), count: depth)
      + Array(repeating: UInt8(ascii: "a"), count: depth - 1)
    #expect(
      try refusal(legacy(deep, data: none)).hasSuffix(
        "what was saved: expected tensors under names, found \"w\""))
    let itself: [UInt8] = [0x7d, 0x71, 1] + text("w") + [0x68, 1, 0x73]
    #expect(try refusal(legacy(itself, data: none)).contains("expected tensors under names"))
    // A dictionary that is below itself as a wrapper.
    let wrapper: [UInt8] =
      [0x7d, 0x71, 1] + text("model") + [0x68, 1, 0x73] + text("x") + tensor([4], [1]) + [0x73]
    let path = try directory.write(legacy(wrapper), as: "w")
    #expect(try Checkpoint(path: path).state.map(\.name) == ["x"])
    // One list of pairs that is made a dictionary of again and again.
    var pairs: [UInt8] = [0x5d, 0x71, 1, 0x28]
    for _ in 0..<500 { pairs += [0x4b, 1, 0x4b, 1, 0x86] }
    pairs += [0x65, 0x30]
    let ordered = Array("ccollections\nOrderedDict\n".utf8) + [0x71, 2, 0x30]
    var copies: [UInt8] = []
    for _ in 0..<500 { copies += [0x68, 2, 0x68, 1, 0x85, 0x52, 0x30] }
    #expect(
      try refusal(legacy(pairs + ordered + copies + [0x4e], data: none)).hasSuffix(
        "copies the same values again and again"))
  }

  @Test func damagedPickles() throws {
    for (value, problem) in [
      ([0x30, 0x30, 0x30], "the pickle takes a value that is not there"),
      ([0x74], "the pickle goes back to a mark that is not there"),
      ([0x68, 9], "the pickle recalls value 9"),
      ([0x8d] + bytes(UInt64.max), "truncated: expected 18446744073709551615 more bytes"),
      ([0x4e, 0x52], "expected a tuple, found None"), ([0x4e, 0x51], "expected a tuple, found None"),
      ([0x4e, 0x4e, 0x61], "the pickle appends to None"), ([0x80, 9], "a pickle of protocol 9"),
    ] as [([UInt8], String)] { #expect(try refusal(legacy(value)).contains(problem)) }
    #expect(
      try refusal([0x80, 2, 0x4e, 0x2e]).hasPrefix(
        "a Python pickle that torch.save has not written, expected weights"))
    let more = legacy(tensor([4], [1])) + [0]
    #expect(try refusal(more).hasSuffix("1 byte behind the last storage, expected none"))
    #expect(try refusal(more.dropLast(2)).contains("truncated: storage \"a\" of 4 elements"))
  }

  // MARK: Archives

  /// Members that are (name, packed bytes, method, size), one behind the other, or the second on the first.
  private func archive(_ members: [(String, [UInt8], UInt16, Int)], overlapping: Bool = false) -> [UInt8] {
    var (file, directory): ([UInt8], [UInt8]) = ([], [])
    for (name, packed, method, size) in members {
      let offset = overlapping ? 0 : file.count
      let middle =
        bytes(UInt16(0)) + bytes(method) + bytes(UInt32(0)) + bytes(CRC32.checksum(packed))
        + bytes(UInt32(packed.count)) + bytes(UInt32(size)) + bytes(UInt16(name.utf8.count))
        + bytes(UInt16(0))
      file += [0x50, 0x4b, 3, 4, 20, 0] + middle + Array(name.utf8) + packed
      directory +=
        [0x50, 0x4b, 1, 2, 20, 0, 20, 0] + middle + Array(repeating: 0, count: 10) + bytes(UInt32(offset))
      directory += Array(name.utf8)
    }
    let count = bytes(UInt16(members.count))
    return file + directory + [0x50, 0x4b, 5, 6, 0, 0, 0, 0] + count + count + bytes(UInt32(directory.count))
      + bytes(UInt32(file.count)) + [0, 0]
  }

  private let array: [UInt8] = {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n"
    return NumpyArray.magic + [1, 0, UInt8(header.utf8.count), 0] + Array(header.utf8)
      + Array(repeating: 0, count: 8)
  }()

  @Test func archives() throws {
    let path = try directory.write(archive([("a.npy", array, 0, array.count)]), as: "w")
    #expect(try Checkpoint(path: path).state.map(\.name) == ["a"])
    for (members, problem) in [
      (
        [("a.npy", array, 0, array.count), ("a.npy", array, 0, array.count)], "member \"a.npy\": there twice"
      ),
      ([("a.npy", array, 0, 7)], "member \"a.npy\": stored in \(array.count) bytes, expected 7"),
      ([("a.npy", array, 8, 1 << 30)], "more than can be unpacked from them"),
      ([("a.npy", array, 12, 8)], "packed by method 12, expected 0 (stored) or 8 (deflated)"),
      ([("a.npy", array, 0, array.count), ("b.txt", [], 0, 0)], "member \"b.txt\": not an array"),
      ([("a.npy", [3, 0], 8, 1)], "damaged at byte "),
      ([("a.npy", [7, 0], 8, 1)], "a block of an unknown kind"),
      ([("x/data.pkl", [0x80, 2, 0x7d, 0x2e], 0, 4)], "found an empty dictionary"),
      ([("x/data.pkl", Array("N.".utf8), 0, 2)], "expected a dictionary of tensors, found None"),
      ([("x/data.pkl", [], 0, 0), ("x/constants.pkl", [], 0, 0)], "a TorchScript program, expected weights"),
      (
        [("x/data.pkl", [], 0, 0), ("x/byteorder", Array("big".utf8), 0, 3)],
        "byte order \"big\", expected \"little\""
      ),
      (
        [("x/data.pkl", [0x80, 2, 0x7d] + text("w") + tensor([4], [1]) + Array("s.".utf8), 0, 0)], "stored in"
      ),
    ] as [([(String, [UInt8], UInt16, Int)], String)] {
      let message = try refusal(archive(members))
      #expect(message.contains(problem), "\(message)")
    }
    let shared =
      [("a.npy", array, 0, array.count), ("b.npy", array, 0, array.count)] as [(String, [UInt8], UInt16, Int)]
    #expect(try refusal(archive(shared, overlapping: true)).contains("overlaps what follows it"))
    let pickle = [0x80, 2, 0x7d] + text("w") + tensor([4], [1]) + Array("s.".utf8)
    #expect(
      try refusal(archive([("x/data.pkl", pickle, 0, pickle.count)])).contains(
        "\"w\": the archive has no member \"x/data/a\""))
    let short =
      [("x/data.pkl", pickle, 0, pickle.count), ("x/data/a", [0, 0], 0, 2)]
      as [(String, [UInt8], UInt16, Int)]
    #expect(try refusal(archive(short)).contains("found 2 bytes, expected 4 elements of 4"))
  }

  /// Many members, each within what can be unpacked, that make more than weights would.
  @Test func archivesThatUnpackWithoutEnd() throws {
    let packed = Array(repeating: UInt8(0), count: 70_000)
    let members = (0..<3).map { ("\($0).npy", packed, UInt16(8), 70_000_000) }
    #expect(try refusal(archive(members)).contains("the members up to this one unpack to more than "))
  }

  // MARK: NumPy and MXNet

  @Test func arraysOfNumPy() throws {
    func message(_ header: String, data: Int = 8) throws -> String {
      let file =
        NumpyArray.magic + [1, 0] + bytes(UInt16(header.utf8.count)) + Array(header.utf8)
        + Array(repeating: 0, count: data)
      return try refusal(archive([("a.npy", file, 0, file.count)]))
    }
    for (header, problem) in [
      ("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", "needs 12 bytes, found 8"),
      (
        "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
        "larger than any memory"
      ),
      ("{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", "numbers of the kind \"<c8\""),
      ("{'descr': '<f4', 'fortran_order': 1, 'shape': (2,), }", "expected True or False"),
      ("{'descr': '<f4', 'shape': (2,), }", "expected descr, fortran_order and shape"),
      ("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", "\"descr\" is there twice"),
      ("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", "expected a size"),
      ("__import__('os')", "header, byte 0: expected '{'"),
    ] { #expect(try message(header).contains(problem), "\(header)") }
  }

  @Test func filesOfMXNet() throws {
    func file(_ array: [UInt8], count: UInt64 = 1, names: UInt64 = 1) -> [UInt8] {
      MXNetFile.magic + bytes(count) + array + bytes(names) + bytes(UInt64(5)) + Array("arg:w".utf8)
    }
    func dense(_ shape: [Int64], dtype: Int32 = 0, storage: Int32 = 0, data: Int = 8) -> [UInt8] {
      bytes(UInt32(0xf993_fac9)) + bytes(storage) + bytes(Int32(shape.count)) + shape.flatMap { bytes($0) }
        + bytes(Int32(1)) + bytes(Int32(0)) + bytes(dtype) + Array(repeating: 0, count: data)
    }
    let path = try directory.write(file(dense([2])), as: "w")
    #expect(try Checkpoint(path: path).state.map(\.name) == ["w"])
    for (bytes, problem) in [
      (file(dense([2]), count: 1 << 60), "1152921504606846976 arrays, more than the file has room for"),
      (file(dense([2]), names: 2), "2 names for 1 array"),
      (file(dense([2], storage: 1)), "storage of type 1, expected 0 (dense)"),
      (file(dense([2], dtype: 99)), "numbers of type 99"),
      (file(dense([1 << 40, 1 << 40])), "shape [1099511627776, 1099511627776] of F32 needs more than"),
      (file(dense([-1])), "shape [-1] of F32 needs more than"), (file(dense([])), "array 0: no array"),
      (file(dense(Array(repeating: 1, count: 40))), "40 dimensions, expected at most 32"),
      (file(dense([2])) + [0], "1 byte behind the last name"),
      (file(dense([2])).dropLast(), "more than the file has room for"),
    ] {
      let message = try refusal(bytes)
      #expect(message.contains(problem), "\(message)")
    }
  }
}
