#if Images
  import Foundation
  import OctNet
  import OctNetImages
  import Testing

  /// Files of every kind, against what Pillow and torchvision make of them (`Tools/fixtures/make_images.py`).
  @Suite struct FixtureTests {
    struct Expected: Decodable {
      struct File: Decodable {
        let name: String
        let pixels: Data
      }
      struct Prepared: Decodable {
        let size, shorterSide: Int
        /// Rows and columns changed places before.
        let turned: Bool
        let pixels: Data
      }
      let width, height: Int
      let files: [File]
      let prepared: [Prepared]
    }

    private func path(_ name: String) throws -> String {
      try #require(Bundle.module.resourceURL).appendingPathComponent("Fixtures/" + name).path
    }

    private func expected() throws -> Expected {
      let file = try Data(contentsOf: URL(fileURLWithPath: path("expected.json")))
      return try JSONDecoder().decode(Expected.self, from: file)
    }

    private func largestDifference(_ a: [UInt8], _ b: Data) -> Int {
      zip(a, b).map { abs(Int($0) - Int($1)) }.max() ?? 0
    }

    @Test func decodesWhatPillowDecodes() throws {
      let expected = try expected()
      #expect(expected.files.count == 13)
      for file in expected.files {
        let image = try RGBImage(path: path(file.name))
        #expect(image.width == expected.width && image.height == expected.height, "\(file.name)")
        #expect(image.pixels.count == file.pixels.count)
        // Other versions of libjpeg round their transforms differently.
        let allowed = file.name.hasSuffix(".jpg") ? 2 : 0
        #expect(largestDifference(image.pixels, file.pixels) <= allowed, "\(file.name)")
      }
    }

    @Test func preparesAsTorchvision() throws {
      let expected = try expected()
      let picture = try RGBImage(path: path("rgb.png"))
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

    private func turned(_ image: RGBImage) -> RGBImage {
      var pixels: [UInt8] = []
      for x in 0..<image.width {
        for y in 0..<image.height {
          pixels += image.pixels[3 * (y * image.width + x)..<3 * (y * image.width + x + 1)]
        }
      }
      return RGBImage(width: image.height, height: image.width, pixels: pixels)
    }

    /// A file cut anywhere is refused, except where only the end marker or the last checksum is missing.
    @Test(arguments: [
      "rgb.png", "interlaced.png", "palette.png", "baseline-420.jpg", "progressive-422.jpg", "restart.jpg",
    ])
    func truncatedFilesAreRefused(name: String) throws {
      let bytes = try Data(contentsOf: URL(fileURLWithPath: path(name)))
      let url = FileManager.default.temporaryDirectory.appendingPathComponent("octnet-" + UUID().uuidString)
      defer { try? FileManager.default.removeItem(at: url) }
      for count in stride(from: 0, to: bytes.count - 30, by: 37) {
        try bytes.prefix(count).write(to: url)
        #expect(throws: OctNetError.self, "\(count) of \(bytes.count) bytes") { try RGBImage(path: url.path) }
      }
    }

    @Test func coloursOfPrintingAreRefused() throws {
      let path = try path("cmyk.jpg")
      #expect(throws: OctNetError.file(path: path, "JPEG: found CMYK colours, expected gray or RGB")) {
        try RGBImage(path: path)
      }
    }
  }
#endif
