import Foundation
import OctNetSupport

/// Wipes out a rectangle of the normalised image (Zhong et al., "Random Erasing Data Augmentation", 2020), as torchvision's
/// `RandomErasing`.
public struct RandomErasing: Codable, Equatable, Sendable {
  /// What is written, by timm's names.
  public enum Mode: String, Codable, Sendable, CaseIterable {
    /// Zeros: the mean colour, as the image is normalised.
    case const
    /// Another normal number for every value.
    case pixel
  }

  /// Of an image to be changed, 0 to 1.
  public var probability: Double
  /// Smallest and largest share of the area, uniform between them.
  public var scale: [Double]
  /// Smallest and largest height ÷ width, its logarithm uniform between them.
  public var ratio: [Double]
  /// What is written.
  public var mode: Mode

  private static let attempts = 10

  /// torchvision's own ranges.
  public init(
    probability: Double, scale: ClosedRange<Double> = 0.02...0.33, ratio: ClosedRange<Double> = 0.3...3.3,
    mode: Mode = .const
  ) {
    self.probability = probability
    self.scale = [scale.lowerBound, scale.upperBound]
    self.ratio = [ratio.lowerBound, ratio.upperBound]
    self.mode = mode
  }

  /// What is left out is as by default, but for the probability.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    self.init(probability: try values.decode(Double.self, forKey: .probability))
    scale = try values.decodeIfPresent([Double].self, forKey: .scale) ?? scale
    ratio = try values.decodeIfPresent([Double].self, forKey: .ratio) ?? ratio
    mode = try values.decodeIfPresent(Mode.self, forKey: .mode) ?? mode
  }

  func validate() throws(OctNetError) {
    guard probability >= 0, probability <= 1 else {
      throw OctNetError.configuration(
        key: "augmentation.randomErasing.probability", "expected 0 to 1, found \(probability)")
    }
    try checkRange(scale, "augmentation.randomErasing.scale", within: 0...1)
    try checkRange(ratio, "augmentation.randomErasing.ratio", within: 0.01...100)
  }

  /// nil where the image stays as it is.
  func box(_ random: inout RandomStream, width: Int, height: Int) -> PixelBox? {
    guard random.uniform(0, 1) < probability else { return nil }
    for _ in 0..<Self.attempts {
      let area = Double(width * height) * random.uniform(scale[0], scale[1])
      let aspect = exp(random.uniform(log(ratio[0]), log(ratio[1])))
      let h = Int((area * aspect).squareRoot().rounded(.toNearestOrEven))
      let w = Int((area / aspect).squareRoot().rounded(.toNearestOrEven))
      guard h < height, w < width else { continue }
      let top = random.index(below: height - h + 1)
      return PixelBox(left: random.index(below: width - w + 1), top: top, width: w, height: h)
    }
    return nil
  }

  func apply(
    _ draw: ImageDraw, height: Int, width: Int, channels: Int, to values: UnsafeMutablePointer<Float>
  ) {
    var random = draw.stream("random erasing")
    guard let box = box(&random, width: width, height: height) else { return }
    for y in box.top..<box.top + box.height {
      let row = values + (y * width + box.left) * channels
      for x in 0..<box.width * channels { row[x] = mode == .const ? 0 : random.normal() }
    }
  }
}
