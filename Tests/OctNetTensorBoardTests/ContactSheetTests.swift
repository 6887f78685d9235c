import OctNet
import Testing

@testable import OctNetTensorBoard

struct ContactSheetTests {
  /// Twelve plain images of 48 × 48, each of a colour and a class of its own.
  private static let images = ImageSet(
    name: "colours", height: 48, width: 48, channels: 3, classNames: (0..<12).map { "c\($0)" },
    pixels: (0..<12 * 48 * 48 * 3).map { (place: Int) -> UInt8 in color(place / (48 * 48 * 3))[place % 3] },
    labels: Array(0..<12))

  private static func color(_ index: Int) -> [UInt8] { [UInt8(20 * index), UInt8(255 - 20 * index), 100] }
  private static let normalization = Normalization(mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.4])

  private static func sheet(mixing: BatchMixing? = nil) throws -> RGBImage {
    var sheet = ContactSheet(height: 48, width: 48, normalization: normalization)
    try BatchLoader(dataset: images, batchSize: 4, normalization: normalization, mixing: mixing)
      .forEachBatch(epoch: 0) { sheet.add($0, classNames: images.classNames) }
    return sheet.draw(limit: 12)
  }

  /// Tiles are twice as large, in rows of four; labels below are dark on white.
  @Test func showsImagesInOrder() throws {
    let sheet = try Self.sheet()
    let (tileWidth, tileHeight) = (96 + 8, 96 + 2 + 9 + 8)
    #expect(sheet.width == 4 * tileWidth + 8 && sheet.height == 3 * tileHeight + 8)
    for index in 0..<12 {
      let x = 8 + index % 4 * tileWidth, y = 8 + index / 4 * tileHeight
      for (dx, dy) in [(0, 0), (95, 95), (40, 7)] {
        let first = 3 * ((y + dy) * sheet.width + x + dx)
        #expect(Array(sheet.bytes[first..<first + 3]) == Self.color(index))
      }
      // A c is drawn under every image: its left edge, in the middle rows.
      let ink = 3 * ((y + 98 + 3) * sheet.width + x)
      #expect(sheet.bytes[ink] == 30)
      #expect(sheet.bytes[3 * ((y + 96) * sheet.width + x)] == 255)
    }
  }

  /// A line more, and colours between.
  @Test func showsWhatIsMixed() throws {
    let (plain, mixed) = (try Self.sheet(), try Self.sheet(mixing: BatchMixing(mixupAlpha: 1)))
    #expect(mixed.height > plain.height && mixed.bytes != plain.bytes)
  }
}
