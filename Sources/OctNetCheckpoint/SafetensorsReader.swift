import OctNetCore
import OctNetSupport

extension SafetensorsFile {
  /// Longer headers are refused before memory is asked for them.
  static let maximumHeaderLength = FileLimit.safetensorsHeader

  /// Reads and checks a file: the header's bytes, the arrays' shapes and sizes, and that they fill the rest of the
  /// file without overlap or hole. Unknown keys inside an array's description are ignored, as by other readers.
  /// - Throws: `OctNetError.file` that names the array and what is wrong with it, or says what else the file is.
  public init(path: String) throws(OctNetError) {
    let reader = try FileReader(path: path)
    func fail(_ problem: String) -> OctNetError { OctNetError.file(path: path, problem) }

    let start = try reader.bytes(at: 0, count: min(reader.size, ForeignFormat.startLength))
    if let found = ForeignFormat.describe(start) { throw fail(found) }
    guard reader.size >= 8 else {
      throw fail("not a safetensors file: expected at least 8 bytes, found \(reader.size)")
    }
    let length = try reader.bytes(at: 0, count: 8).withUnsafeBytes {
      UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self))
    }
    guard length <= Self.maximumHeaderLength else {
      throw fail(
        "not a safetensors file: header of \(numbered(length, "byte")), expected at most \(Self.maximumHeaderLength)"
      )
    }
    let headerLength = Int(length)
    guard headerLength <= reader.size - 8 else {
      throw fail("truncated: header of \(numbered(headerLength, "byte")) in a file of \(reader.size)")
    }
    let header = try reader.bytes(at: 8, count: headerLength)
    let members = try Self.members(ofHeader: header, path: path)
    let dataLength = reader.size - 8 - headerLength

    var metadata: [String: String] = [:]
    var descriptions: [Description] = []
    for (key, value) in members {
      if key == "__metadata__" {
        metadata = try Self.metadata(value, path: path)
      } else {
        descriptions.append(try Description(name: key, value, path: path))
      }
    }
    try Self.checkPlacement(descriptions, dataLength: dataLength, path: path)
    // All arrays stay in memory.
    try reader.requireMemory(dataLength)

    self.metadata = metadata
    entries = []
    entries.reserveCapacity(descriptions.count)
    for description in descriptions {
      let bytes = try reader.bytes(
        at: 8 + headerLength + description.begin, count: description.end - description.begin)
      entries.append(
        Entry(name: description.name, dtype: description.dtype, shape: description.shape, bytes: bytes))
    }
  }

  private static func members(
    ofHeader header: [UInt8], path: String
  ) throws(OctNetError) -> [(key: String, value: JSONValue)] {
    guard header.first == UInt8(ascii: "{") else {
      throw OctNetError.file(path: path, "not a safetensors file: the header does not start with '{'")
    }
    let parsed: Result<JSONValue, JSONScanner.Failure> = header.withUnsafeBufferPointer { buffer in
      do throws(JSONScanner.Failure) {
        return .success(try JSONScanner.parse(buffer))
      } catch { return .failure(error) }
    }
    switch parsed {
    case .success(.object(let members)): return members
    case .success(let other):
      throw OctNetError.file(path: path, "header: expected an object, found \(other.kind)")
    case .failure(let failure):
      throw OctNetError.file(path: path, "header, byte \(failure.offset): \(failure.problem)")
    }
  }

  private static func metadata(_ value: JSONValue, path: String) throws(OctNetError) -> [String: String] {
    guard case .object(let members) = value else {
      throw OctNetError.file(path: path, "__metadata__: expected an object, found \(value.kind)")
    }
    var metadata: [String: String] = [:]
    for (key, value) in members {
      guard case .string(let text) = value else {
        throw OctNetError.file(path: path, "__metadata__: \"\(key)\": expected a string, found \(value.kind)")
      }
      metadata[key] = text
    }
    return metadata
  }

  /// The first array begins at 0, each next one where the one before ends, the last ends with the file.
  private static func checkPlacement(
    _ descriptions: [Description], dataLength: Int, path: String
  ) throws(OctNetError) {
    var end = 0
    var previous = "the header"
    for description in descriptions.sorted(by: { ($0.begin, $0.end) < ($1.begin, $1.end) }) {
      guard description.begin == end else {
        let problem = description.begin < end ? "overlaps" : "leaves a hole after"
        throw OctNetError.file(
          path: path,
          "\"\(description.name)\" \(problem) \(previous): begins at \(description.begin), expected \(end)")
      }
      guard description.end <= dataLength else {
        throw OctNetError.file(
          path: path,
          "truncated: \"\(description.name)\" ends at \(description.end) of \(numbered(dataLength, "byte")) of data"
        )
      }
      end = description.end
      previous = "\"\(description.name)\""
    }
    guard end == dataLength else {
      throw OctNetError.file(
        path: path, "\(numbered(dataLength - end, "byte")) behind the last array, expected none")
    }
  }
}

/// What the header says of one array, checked by itself.
private struct Description {
  var name: String
  var dtype: SafetensorsFile.DType
  var shape: [Int]
  var begin: Int
  var end: Int

  init(name: String, _ value: JSONValue, path: String) throws(OctNetError) {
    func fail(_ problem: String) -> OctNetError { OctNetError.file(path: path, "\"\(name)\": \(problem)") }
    guard case .object(let members) = value else { throw fail("expected an object, found \(value.kind)") }
    func member(_ key: String) throws(OctNetError) -> JSONValue {
      guard let found = members.first(where: { $0.key == key }) else { throw fail("\(key) is missing") }
      return found.value
    }
    func counts(_ key: String) throws(OctNetError) -> [Int] {
      let value = try member(key)
      guard case .array(let elements) = value else {
        throw fail("\(key): expected an array, found \(value.kind)")
      }
      var counts: [Int] = []
      for element in elements {
        guard let count = element.count else {
          throw fail("\(key): expected whole numbers from 0, found \(element.kind)")
        }
        counts.append(count)
      }
      return counts
    }

    guard case .string(let dtypeName) = try member("dtype"),
      let dtype = SafetensorsFile.DType(rawValue: dtypeName)
    else { throw fail("unknown dtype \(try member("dtype").kind)") }
    let shape = try counts("shape")
    let offsets = try counts("data_offsets")
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw fail("data_offsets: expected [begin, end], found \(offsets)")
    }
    guard let size = SafetensorsFile.byteCount(shape: shape, dtype: dtype) else {
      throw fail("shape \(shape) of \(dtypeName) is larger than any memory")
    }
    guard offsets[1] - offsets[0] == size else {
      throw fail(
        "shape \(shape) of \(dtypeName) needs \(numbered(size, "byte")), found \(offsets[1] - offsets[0])")
    }
    self.name = name
    self.dtype = dtype
    self.shape = shape
    (begin, end) = (offsets[0], offsets[1])
  }
}

extension SafetensorsFile {
  /// Product of `shape` times the element size, `nil` where a step of it overflows.
  static func byteCount(shape: [Int], dtype: DType) -> Int? {
    var count = dtype.size
    for length in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: length)
      if overflow { return nil }
      count = product
    }
    return count
  }
}
