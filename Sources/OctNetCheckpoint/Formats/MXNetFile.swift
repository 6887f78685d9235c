import OctNetSupport

/// The arrays of an MXNet `.params` file: a list of NDArrays (versions 0 to 3) and their names, little-endian.
///
/// u64 0x112, u64 0, u64 n, n arrays, u64 n, n × (u64 length, name). Names begin with `arg:` or `aux:` in files of a module's
/// checkpoint, which is left out.
enum MXNetFile {
  /// The first sixteen bytes.
  static let magic: [UInt8] = [0x12, 0x01] + Array(repeating: 0, count: 14)

  private enum Version {
    static let one: UInt32 = 0xf993_fac8
    static let two: UInt32 = 0xf993_fac9
    static let three: UInt32 = 0xf993_faca
  }

  private static let dtypes: [Int32: SafetensorsFile.DType] = [
    0: .f32, 1: .f64, 2: .f16, 3: .u8, 4: .i32, 5: .i8, 6: .i64, 7: .bool, 8: .i16, 9: .u16, 10: .u32,
    11: .u64, 12: .bf16,
  ]

  static func entries(_ reader: FileReader) throws(OctNetError) -> [SafetensorsFile.Entry] {
    try reader.requireMemory(reader.size)
    var stream = ByteStream(reader, range: magic.count..<reader.size)
    let count = try self.count(&stream, "arrays", each: 4)
    var entries: [SafetensorsFile.Entry] = []
    for index in 0..<count { entries.append(try array(&stream, "array \(index)")) }
    let start = stream.offset
    let names = try stream.integer(UInt64.self)
    guard names == UInt64(count) else {
      throw stream.error(
        "\(numbered(names, "name")) for \(numbered(count, "array")), expected one for each", at: start)
    }
    for index in 0..<count {
      let length = try self.count(&stream, "bytes of a name", each: 1)
      let name = String(decoding: try stream.bytes(length), as: UTF8.self)
      let prefix = ["arg:", "aux:"].first { name.hasPrefix($0) } ?? ""
      entries[index].name = String(name.dropFirst(prefix.count))
    }
    guard stream.remaining == 0 else {
      throw stream.error("\(numbered(stream.remaining, "byte")) behind the last name, expected none")
    }
    return entries
  }

  /// A number of things that take at least `each` bytes.
  private static func count(
    _ stream: inout ByteStream, _ what: String, each: Int
  ) throws(OctNetError) -> Int {
    let start = stream.offset
    let count = try stream.integer(UInt64.self)
    guard count <= UInt64(stream.remaining / each) else {
      throw stream.error("\(count) \(what), more than the file has room for", at: start)
    }
    return Int(count)
  }

  private static func array(
    _ stream: inout ByteStream, _ what: String
  ) throws(OctNetError) -> SafetensorsFile.Entry {
    let start = stream.offset
    let mark = try stream.integer(UInt32.self)
    if mark == Version.two || mark == Version.three {
      let storage = try stream.integer(Int32.self)
      guard storage == 0 else {
        throw stream.error("\(what): storage of type \(storage), expected 0 (dense)", at: start)
      }
    }
    let shape: [Int]
    switch mark {
    case Version.one, Version.two, Version.three:
      shape = try sizes(&stream, Int(try stream.integer(Int32.self)), what) { stream throws(OctNetError) in
        Int(try stream.integer(Int64.self))
      }
    default:  // the oldest: no mark, and the rank in its place
      shape = try sizes(&stream, Int(mark), what) { stream throws(OctNetError) in
        Int(try stream.integer(UInt32.self))
      }
    }
    // Only since version 3 an array of rank 0 is a number; before that it is none.
    guard mark == Version.three || !shape.isEmpty else {
      throw stream.error("\(what): no array, expected one of at least one dimension", at: start)
    }
    _ = try stream.integer(Int32.self)  // kind of device
    _ = try stream.integer(Int32.self)  // its number
    let code = try stream.integer(Int32.self)
    guard let dtype = dtypes[code] else {
      throw stream.error("\(what): numbers of type \(code), expected one of 0 to 12", at: start)
    }
    guard let array = StridedArray(shape: shape, strides: StridedArray.rowMajorStrides(of: shape)),
      array.count <= stream.remaining / dtype.size
    else {
      throw stream.error(
        "\(what): shape \(shape) of \(dtype.rawValue) needs more than the \(numbered(stream.remaining, "byte")) that are left",
        at: start)
    }
    return SafetensorsFile.Entry(
      name: "", dtype: dtype, shape: shape, bytes: try stream.bytes(array.count * dtype.size))
  }

  private static func sizes(
    _ stream: inout ByteStream, _ rank: Int, _ what: String,
    next: (inout ByteStream) throws(OctNetError) -> Int
  ) throws(OctNetError) -> [Int] {
    guard (0...StridedArray.maximumRank).contains(rank) else {
      throw stream.error("\(what): \(rank) dimensions, expected at most \(StridedArray.maximumRank)")
    }
    var sizes: [Int] = []
    for _ in 0..<rank { sizes.append(try next(&stream)) }
    return sizes
  }
}
