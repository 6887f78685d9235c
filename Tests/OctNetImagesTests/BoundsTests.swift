#if Images
  import Foundation
  import OctNet
  import OctNetImages
  import Testing

  /// What a file may cost: bounds are tested by what is refused and what is never looked at, not by the clock.
  @Suite struct BoundsTests {
    private func message(_ bytes: some Sequence<UInt8>) throws -> String? {
      try withFile(bytes) { path in
        do {
          _ = try ImageFile(path: path).prepared(Preparation(size: 8))
          return nil
        } catch { return "\(error)".replacingOccurrences(of: path + ": ", with: "") }
      }
    }

    /// An ordinary camera's number of pixels, and more than were taken before.
    @Test func photographsAreRead() throws {
      let (width, height) = (6000, 4000)
      var rows = [UInt8](repeating: 0, count: height * (1 + width / 8))
      // The right half is white.
      for y in 0..<height {
        let row = y * (1 + width / 8) + 1
        for byte in row + width / 16..<row + width / 8 { rows[byte] = 0xff }
      }
      let bytes = PNGWriter.file(width: width, height: height, depth: 1, rows: rows)
      try withFile(bytes) { path in
        let image = try ImageFile(path: path).prepared(Preparation(size: 10, channels: 1))
        #expect(image.pixels.prefix(10).elementsEqual([0, 0, 0, 0, 0, 127, 255, 255, 255, 255]))
        #expect(image.pixels == (0..<10).flatMap { _ in image.pixels.prefix(10) })
      }
    }

    @Test func sizesAreBounded() throws {
      func png(_ width: Int, _ height: Int, depth: UInt8 = 8, interlaced: Bool = false) -> [UInt8] {
        PNGWriter.signature
          + PNGWriter.header(width: width, height: height, depth: depth, kind: 0, interlaced: interlaced)
          + PNGWriter.chunk("IDAT", PNGWriter.stored([UInt8](repeating: 0, count: 100_000)))
      }
      #expect(
        try message(png(200_000, 1000, depth: 1))
          == "found 200000×1000 pixels, expected 1 to 178956970 of them")
      // As many bytes as 13,000 × 13,000 pixels may be unpacked from are not there.
      for interlaced in [false, true] {
        #expect(
          try message(png(13_000, 13_000, interlaced: interlaced))
            == "PNG: truncated: fewer bytes than its pixels need")
      }
      #expect(try message(png(1_000_001, 1)) == "found 1000001×1 pixels, expected at most 1000000 a side")
      #expect(try message(png(0, 5)) != nil)
    }

    /// Text and profiles are stepped over: not unpacked, not even compared with their checksum.
    @Test(arguments: ["zTXt", "iTXt", "iCCP", "tEXt", "eXIf", "sPLT", "abCd"])
    func chunksWithoutPixelsAreNotRead(type: String) throws {
      var chunk = PNGWriter.chunk(type, Array("key\0\0".utf8) + PNGWriter.stored([1, 2, 3]))
      chunk[chunk.count - 1] ^= 1
      chunk[chunk.count - 9] ^= 0xff
      let rows: [UInt8] = [0, 10, 20, 0, 30, 40]
      let many = Array([[UInt8]](repeating: chunk, count: 2000).joined())
      for (before, after) in [(many, []), ([], many)] {
        let bytes = PNGWriter.file(width: 2, height: 2, depth: 8, rows: rows, before: before, after: after)
        let pixels = try withFile(bytes) { try RasterImage(path: $0, channels: 1).pixels }
        #expect(pixels == [10, 20, 30, 40])
      }
      // A chunk that says it is larger than the file, in front of the pixels.
      let lie = PNGWriter.number(0x7fff_ffff) + Array(type.utf8) + [1, 2, 3]
      #expect(try message(PNGWriter.file(width: 2, height: 2, depth: 8, rows: rows, before: lie)) != nil)
      // And behind them, where nothing is missed.
      let bytes = PNGWriter.file(width: 2, height: 2, depth: 8, rows: rows, after: lie)
      #expect(try withFile(bytes) { try RasterImage(path: $0, channels: 1).pixels } == [10, 20, 30, 40])
    }

    private func fixture(_ name: String) throws -> [UInt8] {
      let url = try #require(Bundle.module.resourceURL).appendingPathComponent("Fixtures/" + name)
      return Array(try Data(contentsOf: url))
    }

    /// A scan of a few bytes passes over the whole image. What a progressive file has of them may be repeated some
    /// times, but not thousands of times.
    @Test func scansAreBounded() throws {
      let bytes = try fixture("flat.jpg")
      let start = try #require(
        bytes.indices.dropLast().last { bytes[$0] == 0xff && bytes[$0 + 1] == 0xda })
      let last = bytes[start..<bytes.count - 2]
      #expect(try message(bytes) == nil)
      #expect(try message(Array(bytes.dropLast(2)) + last + last + [0xff, 0xd9]) == nil)
      let many = [[UInt8]](repeating: Array(last), count: 5000).joined()
      let hostile = Array(bytes.dropLast(2)) + many + [0xff, 0xd9]
      let found = try #require(try message(hostile))
      #expect(found == "JPEG: more scans than an image of its size can need", "\(found)")
    }

    @Test func jpegsPayForTheirPixels() throws {
      for name in ["baseline-420.jpg", "progressive-422.jpg", "gray.jpg"] {
        var bytes = try fixture(name)
        let frame = try #require(
          bytes.indices.dropLast().first { bytes[$0] == 0xff && [0xc0, 0xc2].contains(bytes[$0 + 1]) })
        // Height and width, 13,000 each.
        bytes.replaceSubrange(frame + 5..<frame + 9, with: [0x32, 0xc8, 0x32, 0xc8])
        #expect(try message(bytes) == "JPEG: truncated: fewer bytes than its pixels need", "\(name)")
        bytes.replaceSubrange(frame + 5..<frame + 9, with: [0xff, 0x00, 0xff, 0x00])
        #expect(try #require(try message(bytes)).contains("truncated"), "\(name)")
      }
    }

    /// What says that it is large has to be large, or is refused before anything is unpacked.
    @Test func webpsAndTIFFsPayForTheirPixels() throws {
      // A lossless WebP of one colour, as libwebp writes it, and its size: 14 bits each from the byte after 0x2f on.
      var webp = try fixture("lossless.webp")
      let start = try #require(webp.firstIndex(of: 0x2f))
      let size = UInt32(12_999) | UInt32(12_999) << 14
      for byte in 0..<4 { webp[start + 1 + byte] = UInt8(truncatingIfNeeded: size >> (8 * byte)) }
      #expect(try message(webp) == "WebP: truncated: fewer bytes than its pixels need")
      // Width and height of a little-endian directory's first entries.
      for name in ["lzw.tif", "fax.tif"] {
        var tiff = try fixture(name)
        for tag in [UInt8(0), 1] {
          let entry = try #require(
            tiff.indices.dropLast(12).last { tiff[$0] == tag && tiff[$0 + 1] == 1 && tiff[$0 + 2] <= 4 })
          tiff.replaceSubrange(
            entry + 2..<entry + 12,
            with: [4, 0, 1, 0, 0, 0] + (name == "fax.tif" ? [0x00, 0x34, 0, 0] : [0xc8, 0x32, 0, 0]))
        }
        let found = try #require(try message(tiff))
        #expect(found.hasPrefix("TIFF: "), "\(name): \(found)")
      }
    }

    /// Each says what is wrong, and what would be right.
    @Test func bitmapsSayWhatIsWrong() throws {
      let file = try fixture("rgb.bmp")
      func changed(_ changes: [Int: UInt8]) throws -> String? {
        var bytes = file
        for (place, value) in changes { bytes[place] = value }
        return try message(bytes)
      }
      #expect(try message(file) == nil)
      #expect(try changed([30: 1]) == "BMP: found compression 1 (RLE8), expected none")
      #expect(try changed([28: 3]) == "BMP: found 3 bits a pixel, expected 1, 4, 8, 16, 24 or 32")
      #expect(try changed([14: 30]) == "BMP: found a header of 30 bytes, expected 12, 40 or more")
      #expect(try changed([22: 0]) == "found 37×0 pixels, expected 1 to 178956970 of them")
      #expect(try changed([22: 24]) == "BMP: truncated: found 2576 bytes of pixels, expected 2687")
      #expect(try changed([10: 2]) == "BMP: damaged: found pixels at byte 2 of 2630")
      #expect(try message(file.prefix(20)) == "BMP: truncated in its header")
      // One colour less than its pixels have.
      var palette = try fixture("palette16.bmp")
      palette[46] = 15
      #expect(try message(palette) == "BMP: damaged: found colour 15 of a palette of 15")
      var masks = try fixture("rgb565.bmp")
      masks[54] = 1
      #expect(
        try message(masks)
          == "BMP: found the bits f801, 7e0 and 1f of 16 for red, green and blue, expected 5, 5 or 6, and 5 or whole bytes"
      )
      #expect(
        try message(fixture("animation.webp")) == "WebP: found an animation, expected one image")
    }

    /// Directories that point anywhere, and none at all, say nothing.
    @Test func damagedMetadataIsNoOrientation() throws {
      let file = try fixture("turned.jpg")
      let start = try #require(
        file.indices.dropLast(2).first { file[$0] == 0x4d && file[$0 + 1] == 0x4d && file[$0 + 2] == 0 })
      for offset in 0..<26 {
        for value in [UInt8(0), 1, 0x7f, 0xff] {
          var bytes = file
          bytes[start + offset] = value
          try withFile(bytes) { path in
            let image = try ImageFile(path: path)
            #expect((1...8).contains(image.orientation))
            #expect(try image.decoded().pixels.count == 37 * 23 * 3)
          }
        }
      }
      #expect(try withFile(file.prefix(start + 9)) { try ImageFile(path: $0).orientation } == 1)
    }
  }
#endif
