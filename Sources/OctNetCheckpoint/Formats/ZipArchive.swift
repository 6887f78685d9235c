import OctNetSupport

/// The members of a ZIP archive (APPNOTE 6.3.10), stored or deflated, as PyTorch and NumPy write them; with ZIP64.
///
/// Sizes and names are those of the central directory, in which nothing may overlap: an archive whose members share
/// their bytes is refused, and so is one that unpacks to more than could be weights.
struct ZipArchive {
  struct Member {
    let name: String
    let isDeflated: Bool
    /// In the archive, and unpacked.
    let packedSize, size: Int
    let checksum: UInt32
    /// Where its own header begins, and where the next one or the directory does.
    fileprivate let headerOffset: Int
    fileprivate var limit = 0
  }

  let members: [Member]
  private let reader: FileReader
  private let places: [String: Int]

  /// The first header's.
  static let magic: [UInt8] = Array("PK\u{3}\u{4}".utf8)
  private static let headerLength = 30

  /// - Throws: `OctNetError.file` for a directory that is not there or contradicts itself.
  init(_ reader: FileReader) throws(OctNetError) {
    self.reader = reader
    let directory = try Self.directory(of: reader)
    var members = try Self.entries(reader, directory)
    try Self.place(&members, end: directory.range.lowerBound, path: reader.path)
    try Self.checkSizes(members, reader)
    var places: [String: Int] = [:]
    for (index, member) in members.enumerated() {
      guard places.updateValue(index, forKey: member.name) == nil else {
        throw Self.error(reader.path, member.name, "there twice")
      }
    }
    self.members = members
    self.places = places
  }

  /// `nil` where there is none of this name.
  func member(_ name: String) -> Member? { places[name].map { members[$0] } }

  func error(_ member: Member, _ problem: String) -> OctNetError {
    Self.error(reader.path, member.name, problem)
  }

  private static func error(_ path: String, _ name: String, _ problem: String) -> OctNetError {
    .file(path: path, "member \"\(StateMismatch.shortened(name))\": \(problem)")
  }

  // MARK: Contents

  /// Where the packed bytes are in the file.
  private func range(of member: Member) throws(OctNetError) -> Range<Int> {
    let header = try reader.bytes(at: member.headerOffset, count: Self.headerLength)
    guard Self.number(header, 0, UInt32.self) == 0x0403_4b50 else {
      throw error(member, "expected its header at byte \(member.headerOffset), found something else")
    }
    let start =
      member.headerOffset + Self.headerLength + Self.number(header, 26, UInt16.self)
      + Self.number(header, 28, UInt16.self)
    guard start <= member.limit, member.packedSize <= member.limit - start else {
      throw error(member, "overlaps what follows it, or is truncated")
    }
    return start..<start + member.packedSize
  }

  /// The unpacked bytes, whose checksum is looked at.
  func contents(of member: Member) throws(OctNetError) -> [UInt8] {
    let range = try range(of: member)
    var bytes = try reader.bytes(at: range.lowerBound, count: range.count)
    if member.isDeflated {
      try reader.requireMemory(member.size)
      do throws(Inflate.Failure) {
        bytes = try Inflate.unpack(bytes, count: member.size)
      } catch {
        throw self.error(member, "damaged at byte \(range.lowerBound + error.offset): \(error.problem)")
      }
    }
    try check(CRC32.checksum(bytes), of: member)
    return bytes
  }

  /// Where the bytes of a stored member lie, which are read from there after their checksum has been looked at.
  func verifiedRange(ofStored member: Member) throws(OctNetError) -> Range<Int> {
    precondition(!member.isDeflated, "\(member.name) is deflated")
    let range = try range(of: member)
    guard member.checksum != Self.noChecksum else { return range }
    var checksum = CRC32()
    for start in stride(from: range.lowerBound, to: range.upperBound, by: 1 << 20) {
      checksum.add(try reader.bytes(at: start, count: min(1 << 20, range.upperBound - start)))
    }
    try check(checksum.value, of: member)
    return range
  }

  /// What `torch.serialization.set_crc32_options(False)` writes.
  private static let noChecksum: UInt32 = 0

  private func check(_ found: UInt32, of member: Member) throws(OctNetError) {
    guard member.checksum == Self.noChecksum || found == member.checksum else {
      throw error(member, "damaged: its checksum is \(found), expected \(member.checksum)")
    }
  }

  // MARK: Directory

  private static func number<Number: FixedWidthInteger>(
    _ bytes: [UInt8], _ offset: Int, _ type: Number.Type
  ) -> Int {
    bytes.withUnsafeBytes {
      Int(clamping: Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: type)))
    }
  }

  private static func directory(
    of reader: FileReader
  ) throws(OctNetError) -> (range: Range<Int>, count: Int) {
    // The record that ends an archive has 22 bytes and a comment of up to 65535.
    let tailLength = min(reader.size, 22 + 0xffff)
    let tailStart = reader.size - tailLength
    let tail = try reader.bytes(at: tailStart, count: tailLength)
    let found = stride(from: tailLength - 22, through: 0, by: -1).first { place in
      number(tail, place, UInt32.self) == 0x0605_4b50
        && place + 22 + number(tail, place + 20, UInt16.self) == tailLength
    }
    guard let found else {
      throw OctNetError.file(
        path: reader.path, "truncated: a ZIP archive without the directory that stands at its end")
    }
    var count = number(tail, found + 10, UInt16.self)
    var size = number(tail, found + 12, UInt32.self)
    var start = number(tail, found + 16, UInt32.self)
    var end = tailStart + found
    var disks = max(number(tail, found + 4, UInt16.self), number(tail, found + 6, UInt16.self))
    if end >= 20 + 56 {
      let locator = try reader.bytes(at: end - 20, count: 20)
      if number(locator, 0, UInt32.self) == 0x0706_4b50 {
        let place = number(locator, 8, UInt64.self)
        guard place <= end - 20 - 56 else {
          throw OctNetError.file(path: reader.path, "the archive's ZIP64 record is not where it should be")
        }
        let record = try reader.bytes(at: place, count: 56)
        guard number(record, 0, UInt32.self) == 0x0606_4b50 else {
          throw OctNetError.file(path: reader.path, "the archive's ZIP64 record is not where it should be")
        }
        count = number(record, 32, UInt64.self)
        size = number(record, 40, UInt64.self)
        start = number(record, 48, UInt64.self)
        disks = max(number(record, 16, UInt32.self), number(record, 20, UInt32.self))
        end = place
      }
    }
    guard disks == 0 else {
      throw OctNetError.file(path: reader.path, "a ZIP archive in several parts, expected one")
    }
    guard start <= end, size <= end - start, count <= size / 46 else {
      throw OctNetError.file(
        path: reader.path,
        "the archive's directory of \(numbered(count, "member")) and \(numbered(size, "byte")) at byte \(start) does not fit a file of \(reader.size)"
      )
    }
    guard size <= FileLimit.archiveDirectory else {
      throw OctNetError.file(
        path: reader.path,
        "the archive's directory has \(numbered(size, "byte")), expected at most \(FileLimit.archiveDirectory)"
      )
    }
    return (start..<start + size, count)
  }

  private static func entries(
    _ reader: FileReader, _ directory: (range: Range<Int>, count: Int)
  ) throws(OctNetError) -> [Member] {
    let bytes = try reader.bytes(at: directory.range.lowerBound, count: directory.range.count)
    var members: [Member] = []
    var place = 0
    for _ in 0..<directory.count {
      guard bytes.count - place >= 46, number(bytes, place, UInt32.self) == 0x0201_4b50 else {
        throw OctNetError.file(
          path: reader.path,
          "the archive's directory is damaged at byte \(directory.range.lowerBound + place)")
      }
      let nameLength = number(bytes, place + 28, UInt16.self)
      let extraLength = number(bytes, place + 30, UInt16.self)
      let length = 46 + nameLength + extraLength + number(bytes, place + 32, UInt16.self)
      guard bytes.count - place >= length else {
        throw OctNetError.file(
          path: reader.path,
          "the archive's directory is damaged at byte \(directory.range.lowerBound + place)")
      }
      let extra = Array(bytes[place + 46 + nameLength..<place + 46 + nameLength + extraLength])
      let name = String(decoding: bytes[place + 46..<place + 46 + nameLength], as: UTF8.self)
      members.append(
        try member(name, Array(bytes[place..<place + 46]), extra: extra, path: reader.path))
      place += length
    }
    return members
  }

  private static func member(
    _ name: String, _ entry: [UInt8], extra: [UInt8], path: String
  ) throws(OctNetError) -> Member {
    let flags = number(entry, 8, UInt16.self)
    guard flags & 0x41 == 0 else { throw error(path, name, "encrypted, expected plain") }
    let method = number(entry, 10, UInt16.self)
    guard method == 0 || method == 8 else {
      throw error(path, name, "packed by method \(method), expected 0 (stored) or 8 (deflated)")
    }
    // Fields that are all ones stand in the ZIP64 extra, in this order.
    var wide = wideFields(extra)[...]
    func field(_ offset: Int) throws(OctNetError) -> Int {
      let value = number(entry, offset, UInt32.self)
      guard value == 0xffff_ffff else { return value }
      guard let next = wide.popFirst() else { throw error(path, name, "its ZIP64 sizes are missing") }
      return next
    }
    let (size, packedSize) = (try field(24), try field(20))
    let headerOffset = try field(42)
    return Member(
      name: name, isDeflated: method == 8, packedSize: packedSize, size: size,
      checksum: UInt32(number(entry, 16, UInt32.self)), headerOffset: headerOffset)
  }

  private static func wideFields(_ extra: [UInt8]) -> [Int] {
    var place = 0
    while extra.count - place >= 4 {
      let length = number(extra, place + 2, UInt16.self)
      guard length <= extra.count - place - 4 else { return [] }
      if number(extra, place, UInt16.self) == 1 {
        return (0..<length / 8).map { number(extra, place + 4 + 8 * $0, UInt64.self) }
      }
      place += 4 + length
    }
    return []
  }

  /// Members lie one behind the other, and all in front of the directory.
  private static func place(_ members: inout [Member], end: Int, path: String) throws(OctNetError) {
    let order = members.indices.sorted { members[$0].headerOffset < members[$1].headerOffset }
    for (position, index) in order.enumerated() {
      let limit = position + 1 < order.count ? members[order[position + 1]].headerOffset : end
      let least = headerLength + members[index].name.utf8.count
      guard members[index].headerOffset <= limit, members[index].packedSize <= limit,
        least <= limit - members[index].headerOffset - members[index].packedSize
          || !members[index].name.allSatisfy(\.isASCII)
            && headerLength <= limit - members[index].headerOffset - members[index].packedSize
      else { throw error(path, members[index].name, "overlaps what follows it, or is truncated") }
      members[index].limit = limit
    }
  }

  /// DEFLATE packs 1032 bytes into one at best, and weights by far less.
  private static func checkSizes(_ members: [Member], _ reader: FileReader) throws(OctNetError) {
    let largest = min(reader.size, .max / 256) * 100 + (64 << 20)
    var total = 0
    for member in members {
      guard member.isDeflated || member.size == member.packedSize else {
        throw error(
          reader.path, member.name,
          "stored in \(numbered(member.packedSize, "byte")), expected \(member.size)")
      }
      guard member.size / 1032 <= member.packedSize else {
        throw error(
          reader.path, member.name,
          "\(numbered(member.size, "byte")) out of \(member.packedSize), more than can be unpacked from them")
      }
      guard member.size <= largest - total else {
        throw error(
          reader.path, member.name,
          "the members up to this one unpack to more than \(numbered(largest, "byte")), expected no more for a file of this size"
        )
      }
      total += member.size
    }
  }
}
