import OctNetCore
import OctNetSupport

/// How many views of an image an evaluation averages the logits of.
public enum TestViews: Int, Codable, CaseIterable, Sendable {
  /// The image.
  case one = 1
  /// The image and its mirror image, ½ each.
  case two = 2
  /// Both of the image (¼ each), and both of it shifted by one pixel down and right, and up and left, with a reflected
  /// border (⅛ each).
  case six = 6

  /// One way to look at an image.
  struct View {
    /// The row and column of the image that land in the first row and column: −1 … 1.
    var shift = 0
    var isMirrored = false
    var weight: Float
  }

  var views: [View] {
    func both(shift: Int, _ weight: Float) -> [View] {
      [false, true].map { View(shift: shift, isMirrored: $0, weight: weight) }
    }
    switch self {
    case .one: return [View(weight: 1)]
    case .two: return both(shift: 0, 0.5)
    case .six: return both(shift: 0, 0.25) + both(shift: -1, 0.125) + both(shift: 1, 0.125)
    }
  }

  /// - Throws: `OctNetError.configuration` where a border has nothing to reflect.
  func check(fits shape: MapShape) throws(OctNetError) {
    guard self != .six || min(shape.height, shape.width) > 1 else {
      throw .configuration(
        key: "views", "six views shift images by a pixel, found images of \(shape)")
    }
  }
}

extension TestViews.View {
  /// - Parameters:
  ///   - images: count × `shape`.
  ///   - target: as many.
  func write(
    _ images: UnsafePointer<Float>, count: Int, shape: MapShape, to target: UnsafeMutablePointer<Float>,
    threads: Int
  ) {
    let (height, width, channels) = (shape.height, shape.width, shape.channels)
    /// Where a pixel beside the image is reflected to: −1 is 1.
    func inside(_ index: Int, _ size: Int) -> Int {
      index < 0 ? -index : index >= size ? 2 * (size - 1) - index : index
    }
    parallel(count * height, threads: threads) { rows in
      for row in rows {
        let image = images + (row / height) * shape.count
        let source = image + inside(row % height + shift, height) * width * channels
        var output = target + row * width * channels
        for x in 0..<width {
          // Shifted first, then mirrored.
          let column = inside((isMirrored ? width - 1 - x : x) + shift, width)
          output.update(from: source + column * channels, count: channels)
          output += channels
        }
      }
    }
  }
}
