import OctNetCore
import OctNetSupport

extension SafetensorsFile {
  /// Writes the file under a temporary name, array by array, and renames it when it is complete.
  ///
  /// The header lists the entries in order; the data lie sorted by element size, widest first, because readers
  /// map them in place and need aligned elements.
  /// - Throws: `OctNetError.file` where the disk refuses or an entry contradicts itself.
  public func write(to path: String) throws(OctNetError) {
    let layout = try placement(path: path)
    let header = headerBytes(offsets: layout.offsets)
    do {
      try AtomicFile.write(to: path) { writer in
        try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try writer.write($0) }
        try header.withUnsafeBytes { try writer.write($0) }
        for index in layout.order {
          try entries[index].bytes.withUnsafeBytes { try writer.write($0) }
        }
      }
    } catch { throw OctNetError.wrapping(error, path: path) }
  }

  /// Indices of the entries in the order of their data, and each entry's place in it.
  private func placement(path: String) throws(OctNetError) -> (order: [Int], offsets: [Range<Int>]) {
    var names: Set<String> = ["__metadata__"]
    for entry in entries {
      guard names.insert(entry.name).inserted else {
        throw OctNetError.file(path: path, "two arrays of the name \"\(entry.name)\"")
      }
      guard Self.byteCount(shape: entry.shape, dtype: entry.dtype) == entry.bytes.count else {
        throw OctNetError.file(
          path: path,
          "\"\(entry.name)\": \(numbered(entry.bytes.count, "byte")) do not fit shape \(entry.shape)")
      }
    }
    let order = entries.indices.sorted {
      (-entries[$0].dtype.size, $0) < (-entries[$1].dtype.size, $1)
    }
    var offsets = Array(repeating: 0..<0, count: entries.count)
    var end = 0
    for index in order {
      offsets[index] = end..<(end + entries[index].bytes.count)
      end = offsets[index].upperBound
    }
    return (order, offsets)
  }

  private func headerBytes(offsets: [Range<Int>]) -> [UInt8] {
    var members: [String] = []
    if !metadata.isEmpty {
      let pairs = metadata.sorted { $0.key < $1.key }.map { "\(Self.quote($0.key)):\(Self.quote($0.value))" }
      members.append("\"__metadata__\":{\(pairs.joined(separator: ","))}")
    }
    for (entry, range) in zip(entries, offsets) {
      let shape = entry.shape.map(String.init).joined(separator: ",")
      members.append(
        "\(Self.quote(entry.name)):{\"dtype\":\"\(entry.dtype.rawValue)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(range.lowerBound),\(range.upperBound)]}")
    }
    var bytes = Array("{\(members.joined(separator: ","))}".utf8)
    while bytes.count % 8 != 0 { bytes.append(UInt8(ascii: " ")) }
    return bytes
  }

  /// A JSON string: only the quote, the backslash and control characters need escapes.
  private static func quote(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case ..<" ":
        let digits = String(scalar.value, radix: 16)
        quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
