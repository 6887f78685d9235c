// Nothing to test without the trait: then the module is empty.
#if Images
  import Foundation
  import OctNet
  import OctNetImages
  import Testing

  @Suite struct ImagesTests {
    private func decode(_ bytes: [UInt8]) throws -> RasterImage {
      try withFile(bytes) { try RasterImage(path: $0) }
    }

    /// A 2×2 PNG that Pillow wrote: red, green / blue, white.
    private static let png: [UInt8] = Array(
      Data(
        base64Encoded:
          "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAFklEQVR4nGP4z8DA8J+BkYHh////DAAe9gT9Ce00PgAAAABJRU5ErkJggg=="
      ) ?? Data())

    @Test func decodesAPNG() throws {
      let image = try decode(Self.png)
      #expect(image.width == 2 && image.height == 2)
      #expect(image.pixels == [255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255])
    }

    @Test func damagedFilesAreRefused() {
      var huge = Self.png
      huge.replaceSubrange(16..<24, with: [0, 0, 0xc3, 0x50, 0, 0, 0xc3, 0x50])
      let cases: [[UInt8]] = [
        [], Array("text".utf8), Array(Self.png.prefix(45)), huge, [0xff, 0xd8, 0xff, 0xe0, 0, 16],
      ]
      for bytes in cases { #expect(throws: OctNetError.self) { try decode(bytes) } }
    }

    /// Constant images stay constant, and a reduction by two averages with the triangle's weights, 1 3 3 1 inside.
    @Test func resizesAsPillow() {
      let flat = RasterImage(width: 5, height: 7, pixels: Array(repeating: 93, count: 105))
      #expect(flat.resized(width: 3, height: 11).pixels.allSatisfy { $0 == 93 })
      let line = RasterImage(
        width: 6, height: 1, pixels: [0, 80, 160, 240, 80, 0].flatMap { [$0, $0, $0] })
      let middle = line.resized(width: 3, height: 1).pixels[3]
      // (80 + 3·160 + 3·240 + 80) / 8
      #expect(middle == 170)
      let cropped = RasterImage(width: 5, height: 3, pixels: (0..<45).map { UInt8($0) }).prepared(
        size: 3, shorterSide: 3)
      #expect(cropped.pixels == [3..<12, 18..<27, 33..<42].flatMap { $0 })
    }

    /// Resized as a whole, the image would have a thousand million pixels.
    @Test func onlyTheMiddleOfALongImageIsComputed() {
      let long = RasterImage(width: 5_000_000, height: 1, pixels: Array(repeating: 7, count: 15_000_000))
      let prepared = long.prepared(size: 224)
      #expect(prepared.width == 224 && prepared.height == 224 && prepared.pixels.allSatisfy { $0 == 7 })
    }
  }
#endif
