import OctNetSupport

/// A regular file in a tar.
package struct TarEntry: Equatable, Sendable {
  /// As the archive has it.
  package let name: FilePath
  /// Where its bytes begin in the file that the archive is in.
  package let offset: Int
  package let size: Int

  package init(name: FilePath, offset: Int, size: Int) {
    (self.name, self.offset, self.size) = (name, offset, size)
  }
}

/// The regular files of a tar, one after the other, without reading what is in them.
///
/// Long names are those of GNU and of pax. Links, devices and sparse files are left out and counted; folders just left out.
package struct TarReader {
  /// What was left out so far, by what it is.
  package private(set) var leftOut: [LeftOut: Int] = [:]

  /// Entries that are no plain files.
  package enum LeftOut: String, CaseIterable, Sendable {
    case link, device
    case sparse = "sparse file"
    case unknown = "entry of an unknown kind"
  }

  /// Names beyond this are no names.
  private static let longestName = 1 << 20

  private let file: FileReader
  private let end: Int
  private var place: Int
  private var isDone = false

  /// - Parameters:
  ///   - file: what holds the archive.
  ///   - range: where in it; `nil` for all of it.
  package init(_ file: FileReader, range: Range<Int>? = nil) {
    self.file = file
    place = range?.lowerBound ?? 0
    end = range?.upperBound ?? file.size
  }

  /// `nil` at the archive's end.
  /// - Throws: `OctNetError.file` that names the byte: no header, a size that does not fit, no end.
  package mutating func next() throws(OctNetError) -> TarEntry? {
    var longName: [UInt8]?, pax = PaxRecords()
    while !isDone {
      let start = place
      guard end - place >= TarHeader.size else {
        throw failure(
          start,
          "truncated: the archive ends after \(numbered(end - start, "byte")) more, expected an entry or the "
            + "two blocks of zeros that end a tar")
      }
      let block = try file.bytes(at: place, count: TarHeader.size)
      guard block.contains(where: { $0 != 0 }) else {
        isDone = true
        break
      }
      let header: TarHeader
      do throws(TarHeader.Problem) { header = try TarHeader(block) } catch {
        throw failure(start, error.text)
      }
      place += TarHeader.size
      if header.type == UInt8(ascii: "S"), header.isExtended { try skipSparseMap(from: start) }
      let name = FilePath(bytes: pax.path ?? longName ?? header.name)
      let size = Self.isWithoutContent(header.type) ? 0 : pax.size ?? header.length
      guard size <= end - place else {
        throw failure(
          start, "truncated: \(name) has \(numbered(size, "byte")), the archive \(end - place) more")
      }
      let entry = TarEntry(name: name, offset: place, size: size)
      // What fills up the last block may be missing where the archive was cut there; the next entry is, then, too.
      place = min(end, place + (size + TarHeader.size - 1) / TarHeader.size * TarHeader.size)
      switch header.type {
      case UInt8(ascii: "L"):
        longName = Array(try content(entry, start, "name").prefix { $0 != 0 })
        continue
      case UInt8(ascii: "x"):
        let records = try content(entry, start, "pax header")
        do throws(TarHeader.Problem) { pax = try PaxRecords(records) } catch {
          throw failure(start, error.text)
        }
        continue
      // A long target of a link, and what is said of all entries: times and owners.
      case UInt8(ascii: "K"), UInt8(ascii: "g"): continue
      default: break
      }
      let given = (longName, pax)
      (longName, pax) = (nil, PaxRecords())
      if let kind = Self.kind(header.type, isSparse: given.1.isSparse) {
        leftOut[kind, default: 0] += 1
      } else if header.type != UInt8(ascii: "5"), name.bytes.last != UInt8(ascii: "/") {
        return entry
      }
    }
    return nil
  }

  /// Links, devices and folders: a size there says nothing.
  private static func isWithoutContent(_ type: UInt8) -> Bool { (0x31...0x36).contains(type) }

  /// Why an entry is left out.
  private static func kind(_ type: UInt8, isSparse: Bool) -> LeftOut? {
    switch type {
    case 0, 0x30, 0x37: isSparse ? .sparse : nil
    case 0x31, 0x32: .link
    case 0x33, 0x34, 0x36: .device
    case 0x35: nil
    case UInt8(ascii: "S"): .sparse
    default: .unknown
    }
  }

  private mutating func skipSparseMap(from start: Int) throws(OctNetError) {
    var goesOn = true
    while goesOn {
      guard end - place >= TarHeader.size else {
        throw failure(start, "truncated in the map of a sparse file")
      }
      goesOn = try file.bytes(at: place + 504, count: 1)[0] != 0
      place += TarHeader.size
    }
  }

  private func content(_ entry: TarEntry, _ start: Int, _ what: String) throws(OctNetError) -> [UInt8] {
    guard entry.size <= Self.longestName else {
      throw failure(
        start, "a \(what) of \(numbered(entry.size, "byte")), expected at most \(Self.longestName)")
    }
    return try file.bytes(at: entry.offset, count: entry.size)
  }

  private func failure(_ offset: Int, _ problem: String) -> OctNetError {
    .file(path: file.path, "byte \(offset): \(problem)")
  }
}

/// What pax says of the next entry: records of "LENGTH KEY=VALUE\n".
private struct PaxRecords {
  private(set) var path: [UInt8]?
  private(set) var size: Int?
  private(set) var isSparse = false

  init() {}

  init(_ bytes: [UInt8]) throws(TarHeader.Problem) {
    var rest = bytes[...]
    while let first = rest.first, first != 0 {
      let digits = rest.prefix { $0 != UInt8(ascii: " ") }
      guard let length = Int(String(decoding: digits, as: UTF8.self)), length > digits.count + 1,
        length <= rest.count, rest[rest.startIndex + length - 1] == UInt8(ascii: "\n"),
        let equals = rest.prefix(length).firstIndex(of: UInt8(ascii: "="))
      else { throw TarHeader.Problem(text: "a pax header that is none") }
      let key = rest[(digits.endIndex + 1)..<equals]
      let value = rest[(equals + 1)..<(rest.startIndex + length - 1)]
      if key.elementsEqual("path".utf8) { path = Array(value) }
      if key.elementsEqual("size".utf8) {
        guard let number = Int(String(decoding: value, as: UTF8.self)), number >= 0 else {
          throw TarHeader.Problem(text: "a pax header with a size that is no number")
        }
        size = number
      }
      if key.starts(with: "GNU.sparse.".utf8) { isSparse = true }
      rest = rest.dropFirst(length)
    }
  }
}
