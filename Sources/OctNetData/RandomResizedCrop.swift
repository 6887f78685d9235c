import Foundation
import OctNetSupport

/// A part of random area and shape, resized to the network's input: torchvision's `RandomResizedCrop`.
public struct RandomResizedCrop: Codable, Equatable, Sendable {
  /// Smallest and largest share of the image's area, uniform between them.
  public var scale: [Double]
  /// Narrowest and widest width ÷ height, its logarithm uniform between them.
  public var ratio: [Double]
  /// Between pixels; bilinear or bicubic, both antialiased.
  public var interpolation: Interpolation

  /// Attempts before a part of the middle is taken.
  private static let attempts = 10

  /// torchvision's own defaults.
  public init(
    scale: ClosedRange<Double> = 0.08...1, ratio: ClosedRange<Double> = 3.0 / 4...4.0 / 3,
    interpolation: Interpolation = .bilinear
  ) {
    self.scale = [scale.lowerBound, scale.upperBound]
    self.ratio = [ratio.lowerBound, ratio.upperBound]
    self.interpolation = interpolation
  }

  /// What is left out is as by default.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init()
    scale = try values.decodeIfPresent([Double].self, forKey: .scale) ?? scale
    ratio = try values.decodeIfPresent([Double].self, forKey: .ratio) ?? ratio
    interpolation = try values.decodeIfPresent(Interpolation.self, forKey: .interpolation) ?? interpolation
  }

  func validate() throws(OctNetError) {
    try checkRange(scale, "augmentation.randomResizedCrop.scale", within: 1e-4...1)
    try checkRange(ratio, "augmentation.randomResizedCrop.ratio", within: 0.01...100)
    guard interpolation != .nearest else {
      throw OctNetError.configuration(
        key: "augmentation.randomResizedCrop.interpolation", "expected bilinear or bicubic, found nearest")
    }
  }

  func box(_ draw: ImageDraw, width: Int, height: Int) -> PixelBox {
    var random = draw.stream("random resized crop")
    return box(&random, width: width, height: height)
  }

  func box(_ random: inout RandomStream, width: Int, height: Int) -> PixelBox {
    let area = Double(width * height)
    for _ in 0..<Self.attempts {
      let target = area * random.uniform(scale[0], scale[1])
      let aspect = exp(random.uniform(log(ratio[0]), log(ratio[1])))
      // Half goes to the even number, as Python rounds.
      let w = Int((target * aspect).squareRoot().rounded(.toNearestOrEven))
      let h = Int((target / aspect).squareRoot().rounded(.toNearestOrEven))
      guard w > 0, w <= width, h > 0, h <= height else { continue }
      let top = random.index(below: height - h + 1)
      return PixelBox(left: random.index(below: width - w + 1), top: top, width: w, height: h)
    }
    return middle(width: width, height: height)
  }

  /// The largest part of the middle whose shape is allowed.
  private func middle(width: Int, height: Int) -> PixelBox {
    let shape = Double(width) / Double(height)
    var (w, h) = (width, height)
    if shape < ratio[0] {
      h = Int((Double(w) / ratio[0]).rounded(.toNearestOrEven))
    } else if shape > ratio[1] {
      w = Int((Double(h) * ratio[1]).rounded(.toNearestOrEven))
    }
    (w, h) = (max(1, w), max(1, h))
    return PixelBox(left: (width - w) / 2, top: (height - h) / 2, width: w, height: h)
  }
}

/// - Throws: `OctNetError.configuration` where `range` is not two numbers in order within bounds.
func checkRange(_ range: [Double], _ key: String, within bounds: ClosedRange<Double>) throws(OctNetError) {
  guard range.count == 2, range[0] <= range[1], bounds.contains(range[0]), bounds.contains(range[1]) else {
    throw OctNetError.configuration(
      key: key, "expected two numbers in order, \(bounds.lowerBound) to \(bounds.upperBound), found \(range)")
  }
}
