import OctNetSupport

/// Bytes from the front to the back, of a file a window at a time or of an array.
struct ByteStream {
  let path: String
  /// What is read, for errors: "archive/data.pkl", or empty for the file itself.
  let part: String
  private let reader: FileReader?
  private var window: [UInt8]
  private var place = 0
  /// Where the window begins, and where everything ends.
  private var windowStart: Int
  private let end: Int

  private static let windowLength = 1 << 16

  init(_ reader: FileReader, range: Range<Int>, part: String = "") {
    self.reader = reader
    path = reader.path
    self.part = part
    window = []
    windowStart = range.lowerBound
    end = range.upperBound
  }

  init(_ bytes: [UInt8], path: String, part: String) {
    reader = nil
    self.path = path
    self.part = part
    window = bytes
    windowStart = 0
    end = bytes.count
  }

  /// Of the next byte: in the file, or in the array.
  var offset: Int { windowStart + place }
  var remaining: Int { end - offset }

  func error(_ problem: String, at offset: Int? = nil) -> OctNetError {
    let place = "byte \(offset ?? self.offset): \(problem)"
    return .file(path: path, part.isEmpty ? place : "\(StateMismatch.shortened(part)), \(place)")
  }

  mutating func byte() throws(OctNetError) -> UInt8 {
    if place == window.count { try fill(1) }
    defer { place += 1 }
    return window[place]
  }

  mutating func bytes(_ count: Int) throws(OctNetError) -> [UInt8] {
    if count > window.count - place {
      guard count <= remaining else { throw truncated(count) }
      // Arrays go straight where they belong.
      if let reader, count >= Self.windowLength {
        let bytes = try reader.bytes(at: offset, count: count)
        windowStart = offset + count
        (window, place) = ([], 0)
        return bytes
      }
      try fill(count)
    }
    defer { place += count }
    return Array(window[place..<place + count])
  }

  mutating func skip(_ count: Int) throws(OctNetError) {
    guard count <= remaining else { throw truncated(count) }
    if count <= window.count - place {
      place += count
    } else {
      windowStart = offset + count
      (window, place) = ([], 0)
    }
  }

  /// Little-endian.
  mutating func integer<Number: FixedWidthInteger>(_ type: Number.Type) throws(OctNetError) -> Number {
    let size = MemoryLayout<Number>.size
    if size > window.count - place { try fill(size) }
    defer { place += size }
    return window.withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: place, as: type)) }
  }

  /// Up to the next line feed, which is left out.
  mutating func line(limit: Int) throws(OctNetError) -> String {
    let start = offset
    var line: [UInt8] = []
    while true {
      let next = try byte()
      if next == 0x0a { return String(decoding: line, as: UTF8.self) }
      guard line.count < limit else {
        throw error("a line of more than \(numbered(limit, "byte"))", at: start)
      }
      line.append(next)
    }
  }

  /// At least `count` bytes from `place` on.
  private mutating func fill(_ count: Int) throws(OctNetError) {
    guard let reader, count <= remaining else { throw truncated(count) }
    let start = offset
    window = try reader.bytes(at: start, count: min(remaining, max(count, Self.windowLength)))
    (windowStart, place) = (start, 0)
  }

  private func truncated(_ count: Int) -> OctNetError {
    error("truncated: expected \(numbered(count, "more byte")), found \(remaining)")
  }
}
