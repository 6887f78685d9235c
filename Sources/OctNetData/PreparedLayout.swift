import CTransforms
import OctNetCore
import OctNetSupport

/// Where things lie in a file of prepared images: docs/prepared.md. All numbers are little-endian.
///
/// A header of a page, the pixels of each part from the beginning of a page on, and the index: JSON, then a label and a
/// checksum for each image.
package enum PreparedLayout {
  /// Neither text nor anything that a transfer as text leaves as it is.
  static let magic: [UInt8] = [0x89] + Array("OCTIMG\n".utf8)
  static let version = 1
  /// Where pixels may begin.
  static let page = 4096
  /// Bytes of the header that mean something.
  package static let headerSize = 48
  /// Of the header's own checksum, which is that of all bytes in front of it.
  package static let headerChecksum = 44
  /// Of one image in the index: its label and its checksum.
  static let entrySize = 8
  /// JSON beyond this is refused before it is read: a million names of classes.
  static let largestIndex = 64 << 20

  package static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    oct_crc32c(bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count)
  }

  static func aligned(_ offset: Int) -> Int { (offset + page - 1) / page * page }
}

/// The beginning of a file, by which it is told whole from cut and sound from damaged.
struct PreparedHeader: Equatable {
  var fileSize: Int
  var index: Int
  var indexText: Int
  /// Of everything from `index` on.
  var indexChecksum: UInt32

  /// `headerSize` bytes.
  var bytes: [UInt8] {
    var result = PreparedLayout.magic
    func add(_ value: some FixedWidthInteger) {
      withUnsafeBytes(of: value.littleEndian) { result += $0 }
    }
    add(UInt32(PreparedLayout.version))
    add(UInt32(0))
    for value in [fileSize, index, indexText] { add(UInt64(value)) }
    add(indexChecksum)
    add(result.withUnsafeBytes { PreparedLayout.checksum($0) })
    return result
  }

  /// - Throws: `OctNetError.file` that names the offset, what was found there and what was expected.
  init(_ bytes: UnsafeRawBufferPointer, path: String) throws(OctNetError) {
    func fail(_ problem: String) -> OctNetError { OctNetError.file(path: path, problem) }
    let start = bytes.prefix(PreparedLayout.magic.count)
    guard start.elementsEqual(PreparedLayout.magic) else {
      throw fail(
        "not a file of prepared images: byte 0 begins with \(Self.hexadecimal(start)), expected "
          + Self.hexadecimal(PreparedLayout.magic[...]))
    }
    guard bytes.count >= PreparedLayout.headerSize else {
      throw fail(
        "truncated: found \(numbered(bytes.count, "byte")), expected a header of \(PreparedLayout.headerSize)"
      )
    }
    let version = bytes.number(at: 8, as: UInt32.self)
    guard version == PreparedLayout.version else {
      throw fail("byte 8: found version \(version), expected \(PreparedLayout.version)")
    }
    let place = PreparedLayout.headerChecksum
    let found = PreparedLayout.checksum(UnsafeRawBufferPointer(rebasing: bytes[..<place]))
    let expected = bytes.number(at: place, as: UInt32.self)
    guard found == expected else {
      throw fail(
        "damaged: bytes 0 to \(place - 1) have the checksum \(found), expected \(expected) (byte \(place))")
    }
    let sizes = (0..<3).map { bytes.number(at: 16 + 8 * $0, as: UInt64.self) }
    guard sizes[0] == UInt64(bytes.count) else {
      let problem = sizes[0] > UInt64(bytes.count) ? "truncated" : "something was added"
      throw fail("\(problem): found \(numbered(bytes.count, "byte")), expected \(sizes[0]) (byte 16)")
    }
    guard sizes[1] >= UInt64(PreparedLayout.page), sizes[1] <= sizes[0] else {
      throw fail(
        "byte 24: the index is at byte \(sizes[1]), expected \(PreparedLayout.page) to \(sizes[0])")
    }
    let room = min(sizes[0] - sizes[1], UInt64(PreparedLayout.largestIndex))
    guard sizes[2] <= room else {
      throw fail("byte 32: the index has \(numbered(sizes[2], "byte")) of text, expected at most \(room)")
    }
    (fileSize, index, indexText) = (Int(sizes[0]), Int(sizes[1]), Int(sizes[2]))
    indexChecksum = bytes.number(at: 40, as: UInt32.self)
  }

  init(fileSize: Int, index: Int, indexText: Int, indexChecksum: UInt32) {
    (self.fileSize, self.index, self.indexText) = (fileSize, index, indexText)
    self.indexChecksum = indexChecksum
  }

  private static func hexadecimal(_ bytes: some Collection<UInt8>) -> String {
    guard !bytes.isEmpty else { return "nothing" }
    return bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
  }
}

extension UnsafeRawBufferPointer {
  /// - Precondition: it is inside.
  func number<Value: FixedWidthInteger>(at offset: Int, as type: Value.Type) -> Value {
    Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: type))
  }
}

/// What the index says in words.
struct PreparedIndex: Codable, Equatable {
  /// Training images, those to be measured on, those that choose the best epoch.
  enum PartName: String, Codable { case train, test, validation }

  struct Part: Codable, Equatable {
    var part: PartName
    /// "photos/train".
    var name: String
    var images: Int
    /// Where its pixels begin in the file.
    var pixels: Int
  }

  /// The data that it was made of: `folder:photos`.
  var data: String
  var height: Int
  var width: Int
  var channels: Int
  var classNames: [String]
  var normalization: Normalization
  /// How photographs came to their size, where they were photographs.
  var evaluation: EvaluationSettings?
  /// Whether they were turned as EXIF says.
  var exifOrientation: Bool?
  var parts: [Part]

  /// Bytes of an image.
  var imageSize: Int { height * width * channels }
  var imageCount: Int { parts.reduce(0) { $0 + $1.images } }

  /// - Parameter header: what the file says of its sizes.
  /// - Throws: `OctNetError.file` for numbers that contradict each other or are out of bounds.
  func validate(_ header: PreparedHeader, path: String) throws(OctNetError) {
    func fail(_ problem: String) -> OctNetError {
      OctNetError.file(path: path, "index at byte \(header.index): \(problem)")
    }
    do throws(OctNetError) {
      try SettingBounds.check(image: MapShape(height: height, width: width, channels: channels))
      try SettingBounds.check(classNames.count, in: SettingBounds.classes, "classNames")
      try normalization.validate(channels: channels)
      try evaluation?.validate()
    } catch { throw fail(error.description) }
    let names = parts.map(\.part)
    guard Set(names).count == names.count, names.starts(with: [.train, .test]) else {
      throw fail(
        "found the parts \(names.map(\.rawValue).joined(separator: ", ")), expected train, test and perhaps validation"
      )
    }
    var next = PreparedLayout.page
    var entries = 0
    for part in parts {
      guard part.pixels == next else {
        throw fail("the pixels of \(part.part) begin at byte \(part.pixels), expected \(next)")
      }
      let (bytes, overflow) = part.images.multipliedReportingOverflow(by: imageSize)
      guard part.images >= 0, !overflow, bytes <= header.index - next else {
        throw fail(
          "\(numbered(part.images, "image")) of \(part.part), of \(numbered(imageSize, "byte")) each from byte "
            + "\(next) on, do not end in front of the index")
      }
      // Images in front of an index are fewer than bytes: no sum overflows from here on.
      next = PreparedLayout.aligned(next + bytes)
      entries += part.images
    }
    guard next == header.index else {
      throw fail("expected at byte \(next), where the pixels end")
    }
    let (table, overflow) = entries.multipliedReportingOverflow(by: PreparedLayout.entrySize)
    guard !overflow, table == header.fileSize - header.index - header.indexText else {
      throw fail(
        "\(numbered(header.fileSize - header.index - header.indexText, "byte")) follow its text, expected "
          + "\(PreparedLayout.entrySize) for each of \(numbered(entries, "image"))")
    }
  }
}
