#if Images
  /// Makes PNG files of any size and with any chunks, uncompressed.
  enum PNGWriter {
    static let signature: [UInt8] = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

    static func header(width: Int, height: Int, depth: UInt8, kind: UInt8, interlaced: Bool = false)
      -> [UInt8]
    {
      chunk("IHDR", number(width) + number(height) + [depth, kind, 0, 0, interlaced ? 1 : 0])
    }

    /// A gray image, of `depth` bits a pixel; `rows` have a zero in front of each.
    static func file(
      width: Int, height: Int, depth: UInt8, rows: [UInt8], before: [UInt8] = [], after: [UInt8] = []
    )
      -> [UInt8]
    {
      signature + header(width: width, height: height, depth: depth, kind: 0) + before
        + chunk("IDAT", stored(rows))
        + after + chunk("IEND", [])
    }

    static func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
      let body = Array(type.utf8) + data
      return number(data.count) + body + number(Int(checksum(body)))
    }

    static func number(_ value: Int) -> [UInt8] {
      [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
    }

    /// A zlib stream of stored blocks.
    static func stored(_ bytes: [UInt8]) -> [UInt8] {
      var stream: [UInt8] = [0x78, 0x01]
      var start = 0
      repeat {
        let count = min(65535, bytes.count - start)
        let isLast = start + count == bytes.count
        stream += [
          isLast ? 1 : 0, UInt8(count & 255), UInt8(count >> 8), UInt8(~count & 255),
          UInt8(~count >> 8 & 255),
        ]
        stream += bytes[start..<start + count]
        start += count
      } while start < bytes.count
      return stream + number(adler(bytes))
    }

    private static func adler(_ bytes: [UInt8]) -> Int {
      var a: UInt32 = 1, b: UInt32 = 0
      for byte in bytes {
        a = (a &+ UInt32(byte)) % 65521
        b = (b &+ a) % 65521
      }
      return Int(b << 16 | a)
    }

    private static let table: [UInt32] = (0..<256).map { index in
      (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xedb8_8320 ^ value >> 1 : value >> 1 }
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
      var sum: UInt32 = .max
      for byte in bytes { sum = table[Int((sum ^ UInt32(byte)) & 255)] ^ sum >> 8 }
      return ~sum
    }
  }
#endif
