import OctNetSupport

/// The arrays of an `.npz` file: a ZIP archive of `.npy` files (NumPy's format 1.0 to 3.0), as `savez` and
/// `savez_compressed` write it.
enum NumpyFile {
  static func entries(_ archive: ZipArchive, _ reader: FileReader) throws(OctNetError) -> [SafetensorsFile
    .Entry]
  {
    try reader.requireMemory(archive.members.reduce(0) { $0 + $1.size })
    var entries: [SafetensorsFile.Entry] = []
    for member in archive.members {
      guard member.name.hasSuffix(".npy") else {
        throw archive.error(member, "not an array: expected names that end in .npy")
      }
      let name = String(member.name.dropLast(4))
      let bytes = try archive.contents(of: member)
      do throws(NumpyArray.Failure) {
        entries.append(try NumpyArray(bytes).entry(name))
      } catch { throw archive.error(member, error.problem) }
    }
    return entries
  }
}

/// What an `.npy` file says of its array, and the array.
struct NumpyArray {
  struct Failure: Error { var problem: String }

  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  private let dtype: SafetensorsFile.DType
  private let isBigEndian: Bool
  private let array: StridedArray
  private let data: ArraySlice<UInt8>

  init(_ bytes: [UInt8]) throws(Failure) {
    guard bytes.starts(with: Self.magic), bytes.count >= 10 else {
      throw Failure(problem: "not a NumPy array: expected \"\\x93NUMPY\" at its beginning")
    }
    let version = bytes[6]
    guard (1...3).contains(version), version == 1 || bytes.count >= 12 else {
      throw Failure(problem: "format \(version), expected 1 to 3")
    }
    let start = version == 1 ? 10 : 12
    let length = bytes[8..<start].reversed().reduce(0) { $0 << 8 | Int($1) }
    guard length <= bytes.count - start else {
      throw Failure(problem: "truncated: header of \(numbered(length, "byte")), found \(bytes.count - start)")
    }
    guard length <= FileLimit.arrayHeader else {
      throw Failure(
        problem: "header of \(numbered(length, "byte")), expected at most \(FileLimit.arrayHeader)")
    }
    var header = NumpyHeader(Array(bytes[start..<start + length]))
    try header.parse()
    (dtype, isBigEndian) = try Self.kind(header.descr)
    var strides = StridedArray.rowMajorStrides(of: header.shape)
    if header.isFortranOrder {
      strides = StridedArray.rowMajorStrides(of: header.shape.reversed()).reversed()
    }
    guard let array = StridedArray(shape: header.shape, strides: strides) else {
      throw Failure(
        problem: "shape \(header.shape.prefix(8)) is larger than any memory, or of too many dimensions")
    }
    self.array = array
    data = bytes[(start + length)...]
    guard data.count == array.count * dtype.size else {
      throw Failure(
        problem:
          "shape \(header.shape) of \(dtype.rawValue) needs \(numbered(array.count * dtype.size, "byte")), found \(data.count)"
      )
    }
  }

  func entry(_ name: String) -> SafetensorsFile.Entry {
    var bytes = Array(data)
    if isBigEndian {
      for start in stride(from: 0, to: bytes.count, by: dtype.size) {
        bytes[start..<start + dtype.size].reverse()
      }
    }
    return SafetensorsFile.Entry(
      name: name, dtype: dtype, shape: array.shape, bytes: array.rowMajor(bytes, size: dtype.size))
  }

  /// "<f4": byte order, kind, bytes.
  private static func kind(_ descr: String) throws(Failure) -> (SafetensorsFile.DType, isBigEndian: Bool) {
    let kinds: [String: SafetensorsFile.DType] = [
      "f2": .f16, "f4": .f32, "f8": .f64, "i1": .i8, "i2": .i16, "i4": .i32, "i8": .i64, "u1": .u8,
      "u2": .u16,
      "u4": .u32, "u8": .u64, "b1": .bool,
    ]
    guard let order = descr.first, "<>|=".contains(order), let dtype = kinds[String(descr.dropFirst())] else {
      throw Failure(
        problem:
          "numbers of the kind \"\(StateMismatch.shortened(descr))\", expected floats or integers such as \"<f4\""
          + (descr == "|O" ? "; Python objects are not loaded since they could run code" : ""))
    }
    return (dtype, order == ">" && dtype.size > 1)
  }
}

/// A literal of Python: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
private struct NumpyHeader {
  private(set) var descr = ""
  private(set) var isFortranOrder = false
  private(set) var shape: [Int] = []
  private let bytes: [UInt8]
  private var place = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  mutating func parse() throws(NumpyArray.Failure) {
    var keys: Set<String> = []
    try expect("{")
    while !take("}") {
      let key = try string()
      try expect(":")
      switch key {
      case "descr": descr = try string()
      case "fortran_order": isFortranOrder = try boolean()
      case "shape": shape = try sizes()
      default: throw failure("unknown key \"\(StateMismatch.shortened(key))\"")
      }
      guard keys.insert(key).inserted else { throw failure("\"\(key)\" is there twice") }
      if !take(",") {
        try expect("}")
        break
      }
    }
    skipSpace()
    guard place == bytes.count else { throw failure("expected its end") }
    guard keys.count == 3 else { throw failure("expected descr, fortran_order and shape") }
  }

  private func failure(_ problem: String) -> NumpyArray.Failure {
    NumpyArray.Failure(problem: "header, byte \(place): \(problem)")
  }

  private mutating func skipSpace() {
    while place < bytes.count, [0x20, 0x0a, 0x09, 0x0d].contains(bytes[place]) { place += 1 }
  }

  private mutating func take(_ mark: Character) -> Bool {
    skipSpace()
    guard place < bytes.count, bytes[place] == mark.asciiValue else { return false }
    place += 1
    return true
  }

  private mutating func expect(_ mark: Character) throws(NumpyArray.Failure) {
    guard take(mark) else { throw failure("expected '\(mark)'") }
  }

  /// Without escapes: kinds of numbers have none, and records are not read.
  private mutating func string() throws(NumpyArray.Failure) -> String {
    skipSpace()
    guard place < bytes.count, bytes[place] == 0x27 || bytes[place] == 0x22,
      let end = bytes[(place + 1)...].firstIndex(of: bytes[place])
    else { throw failure("expected a string") }
    defer { place = end + 1 }
    return String(decoding: bytes[place + 1..<end], as: UTF8.self)
  }

  private mutating func boolean() throws(NumpyArray.Failure) -> Bool {
    skipSpace()
    for (word, value) in [("True", true), ("False", false)] where bytes[place...].starts(with: word.utf8) {
      place += word.utf8.count
      return value
    }
    throw failure("expected True or False")
  }

  private mutating func sizes() throws(NumpyArray.Failure) -> [Int] {
    var sizes: [Int] = []
    try expect("(")
    while !take(")") {
      skipSpace()
      let digits = bytes[place...].prefix { (0x30...0x39).contains($0) }
      guard let size = Int(String(decoding: digits, as: UTF8.self)) else { throw failure("expected a size") }
      sizes.append(size)
      place += digits.count
      _ = take("L")  // Python 2's
      if !take(",") {
        try expect(")")
        break
      }
    }
    return sizes
  }
}
