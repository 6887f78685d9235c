import Testing

import OctNet
@testable import OctNetTensorBoard

struct PNGTests {
  struct Damage: Error {}

  private func number(_ bytes: some Sequence<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }

  /// Type and data of every chunk of a PNG file whose checks hold.
  private func chunks(_ file: [UInt8]) throws -> [(type: String, data: [UInt8])] {
    guard file.starts(with: [0x89] + Array("PNG\r\n".utf8) + [0x1A, 0x0A]) else { throw Damage() }
    var chunks: [(type: String, data: [UInt8])] = []
    var rest = file.dropFirst(8)
    while !rest.isEmpty {
      let count = number(rest.prefix(4))
      let checked = rest.dropFirst(4).prefix(4 + count)
      guard number(rest.dropFirst(8 + count).prefix(4)) == Int(CyclicRedundancyCheck.ieee(checked)) else {
        throw Damage()
      }
      chunks.append((String(decoding: checked.prefix(4), as: UTF8.self), Array(checked.dropFirst(4))))
      rest = rest.dropFirst(12 + count)
    }
    return chunks
  }

  /// What the stored blocks of a zlib stream hold.
  private func inflate(_ stream: [UInt8]) throws -> [UInt8] {
    guard number(stream.prefix(2)) % 31 == 0, stream[0] & 15 == 8 else { throw Damage() }
    var data: [UInt8] = []
    var rest = stream.dropFirst(2)
    var isLast = false
    while !isLast {
      let header = Array(rest.prefix(5))
      let count = Int(header[1]) | Int(header[2]) << 8
      guard header[0] < 2, header[1] == ~header[3], header[2] == ~header[4] else { throw Damage() }
      isLast = header[0] == 1
      data += rest.dropFirst(5).prefix(count)
      rest = rest.dropFirst(5 + count)
    }
    guard number(rest) == Int(PNGEncoder.adler32(data)), rest.count == 4 else { throw Damage() }
    return data
  }

  /// One block, exactly one block, and three.
  @Test(arguments: [(1, 1), (5, 3), (7281, 3), (300, 200)])
  func pixelsComeBack(width: Int, height: Int) throws {
    var image = RGBImage(width: width, height: height, fill: (10, 20, 30))
    image.fill(x: width / 2, y: height / 2, width: width - width / 2, height: 1, (200, 100, 255))
    let chunks = try chunks(PNGEncoder.encode(image))
    #expect(chunks.map(\.type) == ["IHDR", "IDAT", "IEND"])
    let header = chunks[0].data
    #expect(number(header.prefix(4)) == width && number(header.dropFirst(4).prefix(4)) == height)
    #expect(header.dropFirst(8) == [8, 2, 0, 0, 0])
    let rows = try inflate(chunks[1].data)
    #expect(rows.count == height * (1 + 3 * width))
    for row in 0..<height {
      let line = rows[row * (1 + 3 * width)..<(row + 1) * (1 + 3 * width)]
      #expect(line.first == 0)
      #expect(line.dropFirst() == image.bytes[3 * width * row..<3 * width * (row + 1)])
    }
  }

  @Test(arguments: [0, 1, 65_534, 65_535, 65_536, 131_070, 131_071])
  func storedBlocks(count: Int) throws {
    let data = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    #expect(try inflate(PNGEncoder.zlib(data)) == data)
  }

  // MARK: Grid

  private func pixel(_ image: RGBImage, _ x: Int, _ y: Int) -> [UInt8] {
    Array(image.bytes[3 * (y * image.width + x)..<3 * (y * image.width + x) + 3])
  }

  /// 32×32 images are enlarged to 64×64, in frames of 4 with a bar of 6 and gaps of 8.
  @Test func theGridShowsImagesAndVerdicts() {
    let size = 32 * 32 * 3
    let images = ImageSet(
      name: "two", height: 32, width: 32, channels: 3, classNames: ["a", "b"],
      pixels: (0..<2 * size).map { $0 < size ? UInt8(40 + $0 % 3) : UInt8(90 + $0 % 3) }, labels: [0, 1])
    let picture = PredictionGrid(images: images).draw([
      Prediction(label: 0, predicted: 0, probability: 1),
      Prediction(label: 1, predicted: 0, probability: 0.5),
    ])
    #expect(picture.width == 8 + 2 * (72 + 8) && picture.height == 8 + 98 + 8)
    let (green, red, grey): ([UInt8], [UInt8], [UInt8]) = ([46, 160, 67], [218, 54, 51], [200, 200, 200])
    #expect(pixel(picture, 7, 7) == [255, 255, 255])
    #expect(pixel(picture, 8, 8) == green && pixel(picture, 79, 79) == green)
    #expect(pixel(picture, 12, 12) == [40, 41, 42] && pixel(picture, 75, 75) == [40, 41, 42])
    #expect(pixel(picture, 8, 80) == green && pixel(picture, 79, 85) == green)
    #expect(pixel(picture, 80, 8) == [255, 255, 255])
    #expect(pixel(picture, 88, 8) == red && pixel(picture, 92, 12) == [90, 91, 92])
    #expect(pixel(picture, 88 + 35, 85) == red && pixel(picture, 88 + 36, 85) == grey)
  }

  @Test func greyImagesAndProbabilitiesThatAreNoNumbers() {
    let images = ImageSet(
      name: "grey", height: 28, width: 28, channels: 1, classNames: ["a"],
      pixels: Array(repeating: 77, count: 28 * 28), labels: [0])
    let picture = PredictionGrid(images: images).draw([Prediction(label: 0, predicted: nil, probability: 0)])
    #expect(picture.width == 2 * 8 + 2 * 4 + 3 * 28)
    #expect(pixel(picture, 12, 12) == [77, 77, 77])
    #expect(pixel(picture, 8, picture.height - 29) == [200, 200, 200])
  }
}
