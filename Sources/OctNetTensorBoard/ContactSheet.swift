import OctNet

/// Training images as the network gets them, beside each other, with their labels below.
package struct ContactSheet {
  private static let gap = 8
  /// Small images are enlarged to at least so many pixels, by a whole factor.
  private static let smallestSide = 96
  private static let background: RGBImage.Color = (255, 255, 255)
  private static let ink: RGBImage.Color = (30, 30, 30)

  private let normalization: Normalization
  private let height, width, channels, factor: Int
  private var tiles: [(pixels: [UInt8], label: [String])] = []

  /// - Parameters:
  ///   - height: rows of an image.
  ///   - width: columns of an image.
  ///   - normalization: what was done to pixels, and is taken back.
  package init(height: Int, width: Int, normalization: Normalization) {
    self.height = height
    self.width = width
    self.normalization = normalization
    channels = normalization.mean.count
    let side = min(height, width)
    factor = (max(side, Self.smallestSide) + side - 1) / side
  }

  /// Images so far.
  package var count: Int { tiles.count }

  /// Takes a batch's images with the names of their classes, and where images were mixed, both classes with their shares.
  package mutating func add(_ batch: Batch, classNames: [String]) {
    let size = height * width * channels
    for index in 0..<batch.count {
      let pixels = (0..<size).map { place -> UInt8 in
        let channel = place % channels
        let value =
          batch.images[index * size + place] * normalization.std[channel] + normalization.mean[channel]
        return UInt8((max(0, min(1, value)) * 255).rounded())
      }
      var label = [name(batch.labels[index], classNames)]
      if let mixed = batch.mixed, mixed.labels[index] != batch.labels[index] {
        label = [
          "\(percent(mixed.share)) \(label[0])",
          "\(percent(1 - mixed.share)) \(name(mixed.labels[index], classNames))",
        ]
      }
      tiles.append((pixels, label))
    }
  }

  private func name(_ label: Int32, _ names: [String]) -> String {
    names.indices.contains(Int(label)) ? names[Int(label)] : ""
  }

  private func percent(_ share: Float) -> String { "\(Int((share * 100).rounded()))%" }

  /// A PNG file of the first `limit` images, in rows that make about a square.
  /// - Precondition: there is an image.
  package func png(limit: Int) -> [UInt8] { PNGEncoder.encode(draw(limit: limit)) }

  func draw(limit: Int) -> RGBImage {
    let shown = tiles.prefix(limit)
    precondition(!shown.isEmpty, "a sheet without images")
    let lines = shown.map(\.label.count).max() ?? 1
    let tileWidth = width * factor, tileHeight = height * factor + 2 + lines * (BitmapFont.height + 1)
    var columns = 1
    while columns * columns * tileWidth < shown.count * tileHeight && columns < shown.count { columns += 1 }
    let rows = (shown.count + columns - 1) / columns
    columns = (shown.count + rows - 1) / rows
    var canvas = RGBImage(
      width: columns * (tileWidth + Self.gap) + Self.gap, height: rows * (tileHeight + Self.gap) + Self.gap,
      fill: Self.background)
    for (index, tile) in shown.enumerated() {
      let x = Self.gap + index % columns * (tileWidth + Self.gap)
      let y = Self.gap + index / columns * (tileHeight + Self.gap)
      draw(tile.pixels, on: &canvas, x: x, y: y)
      for (line, text) in tile.label.enumerated() {
        canvas.write(
          text, x: x, y: y + height * factor + 2 + line * (BitmapFont.height + 1), width: width * factor,
          Self.ink)
      }
    }
    return canvas
  }

  private func draw(_ pixels: [UInt8], on canvas: inout RGBImage, x: Int, y: Int) {
    for row in 0..<height {
      for column in 0..<width {
        let first = (row * width + column) * channels
        let isGray = channels < 3
        canvas.fill(
          x: x + column * factor, y: y + row * factor, width: factor, height: factor,
          (pixels[first], pixels[first + (isGray ? 0 : 1)], pixels[first + (isGray ? 0 : 2)]))
      }
    }
  }
}
