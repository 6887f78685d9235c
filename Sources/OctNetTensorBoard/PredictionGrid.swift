import OctNet

/// Test images in rows of four, each in a frame that is green where the network is right and red where it is wrong,
/// above a bar as long as the probability of its prediction, the name of its class, and that of the predicted one.
struct PredictionGrid {
  static let columns = 4

  private static let frame = 4
  private static let bar = 6
  private static let gap = 8
  /// Small images are enlarged to at least so many pixels, by a whole factor.
  private static let smallestSide = 64

  /// From a line of text to the next.
  private static let line = BitmapFont.height + 1

  private static let ink: RGBImage.Color = (30, 30, 30)
  private static let white: RGBImage.Color = (255, 255, 255)
  private static let grey: RGBImage.Color = (200, 200, 200)
  private static let green: RGBImage.Color = (46, 160, 67)
  private static let red: RGBImage.Color = (218, 54, 51)

  private let images: ImageSet
  private let factor: Int

  init(images: ImageSet) {
    self.images = images
    let side = min(images.height, images.width)
    factor = (max(side, Self.smallestSide) + side - 1) / side
  }

  private var imageWidth: Int { images.width * factor }
  private var imageHeight: Int { images.height * factor }
  private var tileWidth: Int { imageWidth + 2 * Self.frame }
  private var tileHeight: Int { imageHeight + 2 * Self.frame + Self.bar + 2 + 2 * Self.line }

  func draw(_ predictions: [Prediction]) -> RGBImage {
    let columns = min(Self.columns, predictions.count)
    let rows = (predictions.count + Self.columns - 1) / Self.columns
    var canvas = RGBImage(
      width: columns * (tileWidth + Self.gap) + Self.gap, height: rows * (tileHeight + Self.gap) + Self.gap,
      fill: Self.white)
    for (index, prediction) in predictions.enumerated() {
      draw(
        index, prediction, on: &canvas, x: Self.gap + index % Self.columns * (tileWidth + Self.gap),
        y: Self.gap + index / Self.columns * (tileHeight + Self.gap))
    }
    return canvas
  }

  private func draw(_ index: Int, _ prediction: Prediction, on canvas: inout RGBImage, x: Int, y: Int) {
    let color = prediction.predicted == prediction.label ? Self.green : Self.red
    canvas.fill(x: x, y: y, width: tileWidth, height: imageHeight + 2 * Self.frame, color)
    for row in 0..<images.height {
      for column in 0..<images.width {
        canvas.fill(
          x: x + Self.frame + column * factor, y: y + Self.frame + row * factor, width: factor,
          height: factor,
          pixel(index, row, column))
      }
    }
    let barTop = y + imageHeight + 2 * Self.frame
    canvas.fill(x: x, y: barTop, width: tileWidth, height: Self.bar, Self.grey)
    let length = Int((prediction.probability * Double(tileWidth)).rounded())
    canvas.fill(x: x, y: barTop, width: length, height: Self.bar, color)
    let names = images.classNames
    let predicted = prediction.predicted.map { names[$0] } ?? "none"
    for (line, (text, ink)) in [(names[prediction.label], Self.ink), (predicted, color)].enumerated() {
      canvas.write(text, x: x, y: barTop + Self.bar + 2 + line * Self.line, width: tileWidth, ink)
    }
  }

  /// One channel is grey.
  private func pixel(_ index: Int, _ row: Int, _ column: Int) -> RGBImage.Color {
    let first = ((index * images.height + row) * images.width + column) * images.channels
    let grey = images.channels < 3
    return (
      images.pixels[first], images.pixels[first + (grey ? 0 : 1)], images.pixels[first + (grey ? 0 : 2)]
    )
  }
}
