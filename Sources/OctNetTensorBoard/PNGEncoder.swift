/// An RGB image, three bytes a pixel.
struct RGBImage: Equatable {
  let width: Int
  let height: Int
  private(set) var bytes: [UInt8]

  typealias Color = (red: UInt8, green: UInt8, blue: UInt8)

  init(width: Int, height: Int, fill color: Color) {
    self.width = width
    self.height = height
    bytes = []
    bytes.reserveCapacity(3 * width * height)
    for _ in 0..<width * height { bytes += [color.red, color.green, color.blue] }
  }

  mutating func fill(x: Int, y: Int, width: Int, height: Int, _ color: Color) {
    for row in y..<y + height {
      for column in x..<x + width {
        let first = 3 * (row * self.width + column)
        (bytes[first], bytes[first + 1], bytes[first + 2]) = (color.red, color.green, color.blue)
      }
    }
  }
}

/// Writes PNG files without compressing them: a few small images an epoch need no library for it.
enum PNGEncoder {
  static func encode(_ image: RGBImage) -> [UInt8] {
    let header: [UInt8] =
      bigEndian(UInt32(image.width)) + bigEndian(UInt32(image.height))
      // Eight bits, RGB, and the only compression, filter set and order without interlacing there is.
      + [8, 2, 0, 0, 0]
    var rows: [UInt8] = []
    rows.reserveCapacity(image.height * (1 + 3 * image.width))
    for row in 0..<image.height {
      rows.append(0)  // no filter
      rows += image.bytes[3 * image.width * row..<3 * image.width * (row + 1)]
    }
    let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    return signature + chunk("IHDR", header) + chunk("IDAT", zlib(rows)) + chunk("IEND", [])
  }

  private static func chunk(_ type: String, _ data: [UInt8]) -> [UInt8] {
    let checked = Array(type.utf8) + data
    return bigEndian(UInt32(data.count)) + checked + bigEndian(CyclicRedundancyCheck.ieee(checked))
  }

  /// A zlib stream (RFC 1950) of stored blocks (RFC 1951), which hold up to 65,535 bytes each.
  static func zlib(_ data: [UInt8]) -> [UInt8] {
    let blockSize = 65_535
    var stream: [UInt8] = [0x78, 0x01]
    stream.reserveCapacity(data.count + 5 * (data.count / blockSize + 1) + 6)
    for first in stride(from: 0, to: max(1, data.count), by: blockSize) {
      let block = data[first..<min(first + blockSize, data.count)]
      let count = UInt16(block.count)
      stream.append(block.endIndex == data.count ? 1 : 0)
      stream += [UInt8(count & 0xFF), UInt8(count >> 8), UInt8(~count & 0xFF), UInt8(~count >> 8)]
      stream += block
    }
    return stream + bigEndian(adler32(data))
  }

  static func adler32(_ data: [UInt8]) -> UInt32 {
    let (a, b) = data.reduce((UInt32(1), UInt32(0))) { sums, byte in
      let a = (sums.0 + UInt32(byte)) % 65_521
      return (a, (sums.1 + a) % 65_521)
    }
    return b << 16 | a
  }

  private static func bigEndian(_ value: UInt32) -> [UInt8] {
    withUnsafeBytes(of: value.bigEndian, Array.init)
  }
}
