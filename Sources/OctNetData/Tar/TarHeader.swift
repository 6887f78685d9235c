import OctNetSupport

/// One block of 512 bytes in front of what an archive holds: ustar, GNU's and pax's.
struct TarHeader {
  static let size = 512

  let name: [UInt8]
  let type: UInt8
  /// Bytes behind it, without what fills up the last block.
  let length: Int
  /// Whether GNU's map of a sparse file goes on in the next block.
  let isExtended: Bool

  /// What is wrong with a block, without its place.
  struct Problem: Error { let text: String }

  /// - Precondition: `block` has `size` bytes.
  init(_ block: [UInt8]) throws(Problem) {
    let expected = try Self.number(block[148..<156], "checksum")
    // Some old programs add up signed bytes.
    var unsigned = 0, signed = 0
    for (place, byte) in block.enumerated() {
      let counted = (148..<156).contains(place) ? 0x20 : byte
      unsigned += Int(counted)
      signed += Int(Int8(bitPattern: counted))
    }
    guard expected == unsigned || expected == signed else {
      throw Problem(text: "not an entry of a tar: found the checksum \(unsigned), expected \(expected)")
    }
    type = block[156]
    length = try Self.number(block[124..<136], "size")
    let own = block[..<100].prefix { $0 != 0 }
    // Of ustar alone: GNU has other things there.
    let hasPrefix = block[257..<263].elementsEqual(Array("ustar".utf8) + [0])
    let prefix = hasPrefix ? block[345..<500].prefix { $0 != 0 } : []
    name = prefix.isEmpty ? Array(own) : prefix + [UInt8(ascii: "/")] + own
    isExtended = block[482] != 0
  }

  /// Octal digits, or with the first bit set a number of base 256.
  private static func number(_ field: ArraySlice<UInt8>, _ what: String) throws(Problem) -> Int {
    var value = 0
    guard let first = field.first, first & 0x80 == 0 else {
      guard field.first == 0x80 else { throw Problem(text: "a \(what) below 0") }
      for byte in field.dropFirst() {
        guard value <= Int.max >> 8 else { throw Problem(text: "a \(what) beyond 2^63") }
        value = value << 8 | Int(byte)
      }
      return value
    }
    let digits = field.drop { $0 == 0x20 }.prefix { $0 != 0x20 && $0 != 0 }
    for digit in digits {
      guard (0x30...0x37).contains(digit) else {
        throw Problem(text: "a \(what) that is no octal number")
      }
      value = value << 3 | Int(digit - 0x30)
    }
    return value
  }
}
