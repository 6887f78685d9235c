#if Images
  import Foundation
  import OctNet
  import OctNetImages
  import Testing

  /// Files of every kind, against what Pillow makes of them (`Tools/fixtures/make_images.py`).
  @Suite struct FixtureTests {
    struct Expected: Decodable {
      struct File: Decodable {
        let name: String
        let pixels, gray: Data
        /// 8×8 from the middle of 9 pixels.
        let preparedGray: Data
      }
      struct Prepared: Decodable {
        let size, shorterSide: Int
        /// Rows and columns changed places before.
        let turned: Bool
        let pixels: Data
      }
      /// A file whose EXIF header is replaced at an offset.
      struct Turned: Decodable {
        let file: String
        let offset, orientation, width: Int
        let header, pixels, prepared: Data
      }
      /// A file that says how it is turned, and nobody asks whether to.
      struct TurnedTIFF: Decodable {
        let data, pixels, prepared: Data
        let width: Int
      }
      let width, height: Int
      let files: [File]
      let prepared: [Prepared]
      let turned: [Turned]
      let turnedTIFFs: [TurnedTIFF]
      let turnedWebP: Data
    }

    private func path(_ name: String) throws -> String {
      try #require(Bundle.module.resourceURL).appendingPathComponent("Fixtures/" + name).path
    }

    private func expected() throws -> Expected {
      let file = try Data(contentsOf: URL(fileURLWithPath: path("expected.json")))
      return try JSONDecoder().decode(Expected.self, from: file)
    }

    private func largestDifference(_ a: [UInt8], _ b: Data) -> Int {
      a.count == b.count ? zip(a, b).map { abs(Int($0) - Int($1)) }.max() ?? 0 : .max
    }

    /// Other versions of libjpeg and libwebp round their transforms differently.
    private func tolerance(_ name: String) -> Int {
      if name.hasSuffix(".jpg") || name == "jpeg.tif" { return 2 }
      return name.hasPrefix("lossy") ? 1 : 0
    }

    @Test func decodesWhatPillowDecodes() throws {
      let expected = try expected()
      #expect(expected.files.count == 48)
      for file in expected.files {
        let image = try RasterImage(path: path(file.name))
        #expect(image.width == expected.width && image.height == expected.height, "\(file.name)")
        #expect(largestDifference(image.pixels, file.pixels) <= tolerance(file.name), "\(file.name)")
      }
      let red = try RasterImage(path: path("red-cmyk.jpg"))
      #expect(red.pixels == (0..<768).map { $0 % 3 == 0 ? 255 : 0 })
    }

    @Test func graysAsPillow() throws {
      for file in try expected().files {
        let image = try RasterImage(path: path(file.name), channels: 1)
        #expect(image.channels == 1)
        #expect(largestDifference(image.pixels, file.gray) <= tolerance(file.name), "\(file.name)")
        let small = try ImageFile(path: path(file.name)).prepared(
          Preparation(size: 8, shorterSide: 9, channels: 1))
        #expect(largestDifference(small.pixels, file.preparedGray) <= tolerance(file.name), "\(file.name)")
      }
    }

    @Test func preparesAsTorchvision() throws {
      let expected = try expected()
      let picture = try RasterImage(path: path("rgb.png"))
      #expect(expected.prepared.count == 10)
      for wanted in expected.prepared {
        let image = wanted.turned ? turned(picture) : picture
        let prepared = image.prepared(size: wanted.size, shorterSide: wanted.shorterSide)
        #expect(prepared.width == wanted.size && prepared.height == wanted.size)
        #expect(
          Data(prepared.pixels) == wanted.pixels,
          "\(wanted.size) of \(wanted.shorterSide), turned: \(wanted.turned)")
      }
    }

    /// Pillow's `exif_transpose` in front of the rest, under each orientation and in both byte orders.
    @Test func turnsAsPillow() throws {
      let expected = try expected()
      #expect(expected.turned.count == 16)
      for turned in expected.turned {
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path(turned.file)))
        bytes.replaceSubrange(turned.offset..<turned.offset + turned.header.count, with: turned.header)
        try withFile(bytes) { name in
          let file = try ImageFile(path: name)
          #expect(file.orientation == turned.orientation)
          let image = try file.decoded(appliesOrientation: true)
          #expect(image.width == turned.width, "\(turned.file) \(turned.orientation)")
          #expect(
            largestDifference(image.pixels, turned.pixels) <= tolerance(turned.file),
            "\(turned.file) \(turned.orientation)")
          #expect(try file.size(appliesOrientation: true).width == turned.width)
          let small = try file.prepared(Preparation(size: 8, shorterSide: 9, appliesOrientation: true))
          #expect(
            largestDifference(small.pixels, turned.prepared) <= tolerance(turned.file),
            "\(turned.file) \(turned.orientation)")
          // Nobody asked for it.
          #expect(try file.decoded() == RasterImage(path: path(turned.file)))
        }
      }
    }

    /// Row by row while it is decoded, an image has the pixels that it has when it is decoded as a whole and then resized.
    @Test func resizingOnTheWayChangesNothing() throws {
      for name in try expected().files.map(\.name) {
        let file = try ImageFile(path: path(name))
        for channels in [1, 3] {
          for (size, shorter) in [(5, 5), (13, 14), (23, 23), (50, 61)] {
            for appliesOrientation in [false, true] {
              let whole = try file.decoded(channels: channels, appliesOrientation: appliesOrientation)
              let preparation = Preparation(
                size: size, shorterSide: shorter, channels: channels, appliesOrientation: appliesOrientation)
              let same =
                try file.prepared(preparation) == whole.prepared(size: size, shorterSide: shorter)
              #expect(same, "\(name) \(preparation)")
            }
          }
        }
      }
    }

    /// Columns and rows that are left out change no pixel beside them, however a file stores its colours.
    @Test func partsHaveThePixelsOfTheWhole() throws {
      let names = try expected().files.map(\.name)
      for name in names {
        let file = try ImageFile(path: path(name))
        for turns in [false, true] {
          let whole = try file.decoded(appliesOrientation: turns)
          for (left, top, width, height) in [
            (0, 0, 37, 23), (5, 3, 11, 9), (36, 22, 1, 1), (20, 0, 17, 23), (1, 17, 3, 6),
          ] {
            // Sides change places where the image is turned.
            let isTurned = whole.width != 37
            let box =
              isTurned
              ? PixelBox(left: top, top: left, width: height, height: width)
              : PixelBox(left: left, top: top, width: width, height: height)
            var isSame = false
            try file.withDecoded(channels: 3, appliesOrientation: turns, least: nil, box: { _, _ in box }) {
              part in
              let pixels = Array(UnsafeBufferPointer(start: part.base, count: 3 * part.width * part.height))
              let wanted: [UInt8] = (box.top..<box.top + box.height).flatMap {
                (y: Int) -> ArraySlice<UInt8> in
                whole.pixels[3 * (y * whole.width + box.left)..<3 * (y * whole.width + box.left + box.width)]
              }
              isSame = part.width == box.width && part.height == box.height && pixels == wanted
            }
            #expect(isSame, "\(name) \(box), turned: \(turns)")
          }
        }
      }
    }

    /// Larger than what libjpeg-turbo leaves out at once, and its damage is found wherever the part is.
    @Test func partsOfALargeJPEG() throws {
      let file = try ImageFile(path: path("large.jpg"))
      let whole = try file.decoded()
      for (left, top, width, height) in [
        (200, 100, 60, 50), (0, 150, 40, 40), (90, 0, 300, 30), (399, 299, 1, 1),
      ] {
        let box = PixelBox(left: left, top: top, width: width, height: height)
        var isSame = false
        try file.withDecoded(channels: 3, appliesOrientation: false, least: nil, box: { _, _ in box }) {
          part in
          let pixels = Array(UnsafeBufferPointer(start: part.base, count: 3 * part.width * part.height))
          let wanted: [UInt8] = (top..<top + height).flatMap { (y: Int) -> ArraySlice<UInt8> in
            whole.pixels[3 * (y * 400 + left)..<3 * (y * 400 + left + width)]
          }
          isSame = pixels == wanted
        }
        #expect(isSame, "\(box)")
      }
      let bytes = try Data(contentsOf: URL(fileURLWithPath: path("large.jpg")))
      let cut = ImageFile(bytes: Array(bytes.dropLast(200)))
      #expect(throws: OctNetError.self) {
        try cut.withDecoded(
          channels: 3, appliesOrientation: false, least: nil,
          box: { _, _ in PixelBox(left: 0, top: 0, width: 9, height: 9) }
        ) { _ in }
      }
    }

    /// At half, a quarter or an eighth of the size where that is enough: other pixels, but not far from them.
    @Test func scaledDecodingIsCloseAndSmall() throws {
      let file = try ImageFile(path: path("large.jpg"))
      let box = PixelBox(left: 40, top: 20, width: 240, height: 200)
      for (least, width, height) in [
        (240, 240, 200), (101, 240, 200), (100, 120, 100), (50, 60, 50), (20, 30, 26),
      ] {
        try file.withDecoded(channels: 3, appliesOrientation: false, least: least, box: { _, _ in box }) {
          part in
          #expect(part.width == width && part.height == height, "\(least)")
        }
      }
      var preparation = Preparation(size: 48)
      let exact = try file.prepared(preparation)
      preparation.evaluation.scaledDecoding = true
      let scaled = try file.prepared(preparation)
      #expect(scaled != exact)
      let differences = zip(scaled.pixels, exact.pixels).map { abs(Int($0) - Int($1)) }
      #expect(Double(differences.reduce(0, +)) / Double(differences.count) < 4)
      // Nothing else is scaled, and nothing that would get too small.
      let png = try ImageFile(path: path("rgb.png"))
      var other = Preparation(size: 4)
      let before = try png.prepared(other)
      other.evaluation.scaledDecoding = true
      #expect(try png.prepared(other) == before)
      preparation.size = 300
      #expect(try file.prepared(preparation) == file.prepared(Preparation(size: 300)))
    }

    /// A TIFF's orientation is part of the image; a WebP's stands in its metadata.
    @Test func turnsTIFFsAlwaysAndWebPsWhereAsked() throws {
      let expected = try expected()
      #expect(expected.turnedTIFFs.count == 8)
      for (index, turned) in expected.turnedTIFFs.enumerated() {
        let file = ImageFile(bytes: Array(turned.data))
        #expect(file.orientation == index + 1)
        for asked in [false, true] {
          let image = try file.decoded(appliesOrientation: asked)
          #expect(image.width == turned.width && Data(image.pixels) == turned.pixels, "\(index + 1)")
          #expect(try file.size(appliesOrientation: asked).width == turned.width)
          let small = try file.prepared(Preparation(size: 8, shorterSide: 9, appliesOrientation: asked))
          #expect(Data(small.pixels) == turned.prepared, "\(index + 1)")
        }
      }
      let webp = try ImageFile(path: path("turned.webp"))
      #expect(webp.orientation == 8)
      #expect(try Data(webp.decoded(appliesOrientation: true).pixels) == expected.turnedWebP)
      #expect(try webp.decoded().width == expected.width)
    }

    private func turned(_ image: RasterImage) -> RasterImage {
      var pixels: [UInt8] = []
      for x in 0..<image.width {
        for y in 0..<image.height {
          pixels += image.pixels[3 * (y * image.width + x)..<3 * (y * image.width + x + 1)]
        }
      }
      return RasterImage(width: image.height, height: image.width, pixels: pixels)
    }

    /// A file cut anywhere before the end of its pixels is refused.
    @Test(arguments: [
      "rgb.png", "interlaced.png", "palette.png", "baseline-420.jpg", "progressive-422.jpg", "restart.jpg",
      "lossy.webp", "lossless.webp", "lossy-alpha.webp", "plain.tif", "lzw.tif", "fax.tif", "tiles.tif",
      "rgb.bmp",
      "palette.bmp", "rgb565.bmp",
    ])
    func truncatedFilesAreRefused(name: String) throws {
      let bytes = try Data(contentsOf: URL(fileURLWithPath: path(name)))
      for count in stride(from: 0, to: bytes.count - 30, by: 37) {
        try withFile(bytes.prefix(count)) { path in
          #expect(throws: OctNetError.self, "\(count) of \(bytes.count) bytes") {
            try RasterImage(path: path)
          }
        }
      }
    }

    /// Behind the pixels are the checksum of their chunk, 4 bytes, and the last chunk, 12.
    @Test(arguments: ["rgb.png", "interlaced.png", "palette-transparent.png"])
    func pngsNeedNoLastChunk(name: String) throws {
      let bytes = try Data(contentsOf: URL(fileURLWithPath: path(name)))
      let image = try RasterImage(path: path(name))
      for missing in 1...16 {
        try withFile(bytes.dropLast(missing)) { path in
          let read = try RasterImage(path: path)
          #expect(read == image, "\(missing) bytes missing")
        }
      }
      try withFile(bytes.dropLast(17)) { path in
        #expect(throws: OctNetError.self) { try RasterImage(path: path) }
      }
      // What is there has to be right.
      var damaged = bytes
      damaged[bytes.count - 13] ^= 1
      try withFile(damaged) { path in
        #expect(throws: OctNetError.self) { try RasterImage(path: path) }
      }
    }
  }

  /// A file of these bytes, while `body` runs.
  @discardableResult
  func withFile<Result>(_ bytes: some Sequence<UInt8>, _ body: (String) throws -> Result) throws -> Result {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("octnet-" + UUID().uuidString)
    try Data(bytes).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    return try body(url.path)
  }
#endif
