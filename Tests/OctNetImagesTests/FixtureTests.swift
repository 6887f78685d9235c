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
      let width, height: Int
      let files: [File]
      let prepared: [Prepared]
      let turned: [Turned]
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

    /// Other versions of libjpeg round their transforms differently.
    private func tolerance(_ name: String) -> Int { name.hasSuffix(".jpg") ? 2 : 0 }

    @Test func decodesWhatPillowDecodes() throws {
      let expected = try expected()
      #expect(expected.files.count == 20)
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
