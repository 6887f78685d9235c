import CTransforms
import Foundation
import OctNetSupport

/// Random operations on images in place of chosen ones, as torchvision defines them: RandAugment (Cubuk et al. 2020), and
/// TrivialAugmentWide (Müller, Hutter 2021).
public struct AutoAugment: Codable, Equatable, Sendable {
  /// By torchvision's names.
  public enum Policy: String, Codable, Sendable, CaseIterable {
    /// RandAugment: `ops` operations one after the other, each at `magnitude`.
    case ra
    /// TrivialAugmentWide: one operation, at any magnitude, from wider ranges.
    case taWide = "ta_wide"
  }

  /// Which of both.
  public var policy: Policy
  /// Of RandAugment, 0 to 30; nil is 9.
  public var magnitude: Int?
  /// Of RandAugment, operations an image; nil is 2.
  public var ops: Int?
  /// Of shears, translations and rotations; nil is `nearest`.
  public var interpolation: Interpolation?

  /// torchvision's own defaults.
  public init(_ policy: Policy, magnitude: Int? = nil, ops: Int? = nil, interpolation: Interpolation? = nil) {
    self.policy = policy
    self.magnitude = magnitude
    self.ops = ops
    self.interpolation = interpolation
  }

  /// Magnitudes are 0 ..< 31.
  static let bins = 31

  func validate() throws(OctNetError) {
    try SettingBounds.check(magnitude, in: 0...Self.bins - 1, "augmentation.autoAugment.magnitude")
    try SettingBounds.check(ops, in: 0...16, "augmentation.autoAugment.ops")
    guard policy == .ra || (magnitude == nil && ops == nil) else {
      throw OctNetError.configuration(
        key: "augmentation.autoAugment", "magnitude and ops belong to the policy ra, found ta_wide")
    }
    guard interpolation != .bicubic else {
      throw OctNetError.configuration(
        key: "augmentation.autoAugment.interpolation", "expected nearest or bilinear, found bicubic")
    }
  }

  /// An operation and how much of it.
  struct Step: Equatable {
    var operation: Operation
    /// In the operation's own unit, with its sign.
    var magnitude: Double
  }

  /// In torchvision's order.
  enum Operation: Int, CaseIterable {
    case identity, shearX, shearY, translateX, translateY, rotate, brightness, color, contrast, sharpness,
      posterize
    case solarize, autoContrast, equalize

    /// Whether there is a magnitude, and whether it goes either way.
    var isSigned: Bool {
      switch self {
      case .identity, .posterize, .solarize, .autoContrast, .equalize: false
      default: true
      }
    }
  }

  func steps(_ random: inout RandomStream, width: Int, height: Int) -> [Step] {
    (0..<(policy == .ra ? ops ?? 2 : 1)).map { _ in
      let operation = Operation.allCases[random.index(below: Operation.allCases.count)]
      let bin = policy == .ra ? magnitude ?? 9 : random.index(below: Self.bins)
      let amount = Self.magnitude(of: operation, policy, bin: bin, width: width, height: height)
      let isNegative = operation.isSigned && random.next() & 1 == 1
      return Step(operation: operation, magnitude: isNegative ? -amount : amount)
    }
  }

  func apply(_ draw: ImageDraw, to work: inout PixelWork) {
    var random = draw.stream("auto augment")
    for step in steps(&random, width: work.width, height: work.height) {
      step.apply(to: &work, interpolation ?? .nearest)
    }
  }

  // MARK: Magnitudes

  static func magnitude(of operation: Operation, _ policy: Policy, bin: Int, width: Int, height: Int)
    -> Double
  {
    let isWide = policy == .taWide
    switch operation {
    case .identity, .autoContrast, .equalize: return 0
    case .shearX, .shearY: return linear(0, isWide ? 0.99 : 0.3, bin)
    case .translateX: return linear(0, isWide ? 32 : 150.0 / 331 * Double(width), bin)
    case .translateY: return linear(0, isWide ? 32 : 150.0 / 331 * Double(height), bin)
    case .rotate: return linear(0, isWide ? 135 : 30, bin)
    case .brightness, .color, .contrast, .sharpness: return linear(0, isWide ? 0.99 : 0.9, bin)
    case .posterize:
      let steps = Float(bin) / (Float(bins - 1) / (isWide ? 6 : 4))
      return 8 - Double(steps.rounded(.toNearestOrEven))
    case .solarize: return linear(255, 0, bin)
    }
  }

  /// An element of `torch.linspace(start, end, bins)`, in float and with one rounding, as there: a factor that is less by the
  /// last bit makes a third of all values less by one.
  private static func linear(_ start: Double, _ end: Double, _ bin: Int) -> Double {
    let (start, end) = (Float(start), Float(end))
    let step = (end - start) / Float(bins - 1)
    return Double(
      bin < bins / 2
        ? start.addingProduct(step, Float(bin)) : end.addingProduct(-step, Float(bins - 1 - bin)))
  }
}

// MARK: - Operations

extension AutoAugment.Step {
  func apply(to work: inout PixelWork, _ interpolation: Interpolation) {
    let (count, channels) = (work.count, Int32(work.channels))
    let factor = Float(1 + magnitude)
    switch operation {
    case .identity: break
    case .shearX, .shearY, .translateX, .translateY, .rotate:
      let matrix = Self.matrix(of: operation, magnitude, width: work.width, height: work.height)
      work.replace { image, result in
        withUnsafePointer(to: image.c) { oct_pixels_affine($0, matrix, interpolation.filter, result) }
      }
    case .brightness: oct_pixels_brightness(count, channels, factor, work.pixels)
    case .color: oct_pixels_color(count, channels, factor, work.pixels)
    case .contrast: oct_pixels_contrast(count, channels, factor, work.pixels)
    case .sharpness:
      work.replace { image, result in
        oct_pixels_sharpness(image.width, image.height, channels, factor, image.base, result)
      }
    case .posterize: oct_pixels_posterize(count, channels, Int32(magnitude), work.pixels)
    case .solarize: oct_pixels_solarize(count, channels, magnitude, work.pixels)
    case .autoContrast: oct_pixels_autocontrast(count, channels, work.pixels)
    case .equalize: oct_pixels_equalize(count, channels, work.pixels)
    }
  }

  /// From places in the result to places in the image, as `oct_pixels_affine` takes it.
  static func matrix(
    of operation: AutoAugment.Operation, _ magnitude: Double, width: Int, height: Int
  ) -> [Double] {
    switch operation {
    // By way of the angle, as torchvision: its tangent has the last bit of its own.
    case .shearX: return [1, tan(radians(degrees(atan(magnitude)))), 0, 0, 1, 0]
    case .shearY: return [1, 0, 0, tan(radians(degrees(atan(magnitude)))), 1, 0]
    case .translateX: return [1, 0, -magnitude.rounded(.towardZero), 0, 1, 0]
    case .translateY: return [1, 0, 0, 0, 1, -magnitude.rounded(.towardZero)]
    default: break
    }
    // Pillow's `Image.rotate` about the middle, counterclockwise.
    let turn = magnitude.truncatingRemainder(dividingBy: 360)
    let angle = -radians(turn < 0 ? turn + 360 : turn)
    let (c, s) = (rounded(cos(angle)), rounded(sin(angle)))
    let (x, y) = (Double(width) / 2, Double(height) / 2)
    return [c, s, c * -x + s * -y + x, -s, c, -s * -x + c * -y + y]
  }

  private static func radians(_ degrees: Double) -> Double { degrees * (.pi / 180) }
  private static func degrees(_ radians: Double) -> Double { radians * (180 / .pi) }
  /// To 15 digits behind the point.
  private static func rounded(_ value: Double) -> Double { (value * 1e15).rounded() / 1e15 }
}
