import CTransforms
import OctNetSupport

/// Random brightness, contrast, saturation and hue, in random order: torchvision's `ColorJitter` of a Pillow image.
public struct ColorJitter: Codable, Equatable, Sendable {
  /// Factors are uniform in 1 − x … 1 + x, and not below 0.
  public var brightness, contrast, saturation: Double
  /// A part of the colour circle, uniform in −x … x, at most 1/2.
  public var hue: Double

  /// Each at least 0; 0 changes nothing.
  public init(brightness: Double = 0, contrast: Double = 0, saturation: Double = 0, hue: Double = 0) {
    self.brightness = brightness
    self.contrast = contrast
    self.saturation = saturation
    self.hue = hue
  }

  /// What is left out is 0.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    func value(_ key: CodingKeys) throws -> Double {
      try values.decodeIfPresent(Double.self, forKey: key) ?? 0
    }
    self.init(
      brightness: try value(.brightness), contrast: try value(.contrast), saturation: try value(.saturation),
      hue: try value(.hue))
  }

  func validate() throws(OctNetError) {
    for (name, value, most) in [
      ("brightness", brightness, 100.0), ("contrast", contrast, 100), ("saturation", saturation, 100),
      ("hue", hue, 0.5),
    ] {
      guard value >= 0, value <= most else {
        throw OctNetError.configuration(
          key: "augmentation.colorJitter.\(name)", "expected 0 to \(most), found \(value)")
      }
    }
  }

  /// One change and how much of it.
  enum Step: Equatable {
    case brightness(Double), contrast(Double), saturation(Double), hue(Double)
  }

  func steps(_ random: inout RandomStream) -> [Step] {
    func factor(_ amount: Double) -> Double? {
      amount == 0 ? nil : random.uniform(max(0, 1 - amount), 1 + amount)
    }
    var order = [0, 1, 2, 3]
    for last in [3, 2, 1] { order.swapAt(last, random.index(below: last + 1)) }
    let steps: [Step?] = [
      factor(brightness).map(Step.brightness), factor(contrast).map(Step.contrast),
      factor(saturation).map(Step.saturation),
      hue == 0 ? nil : .hue(random.uniform(-hue, hue)),
    ]
    return order.compactMap { steps[$0] }
  }

  func apply(_ draw: ImageDraw, to work: inout PixelWork) {
    var random = draw.stream("color jitter")
    for step in steps(&random) { step.apply(to: &work) }
  }
}

extension ColorJitter.Step {
  func apply(to work: inout PixelWork) {
    let (count, channels, pixels) = (work.count, Int32(work.channels), work.pixels)
    switch self {
    case .brightness(let factor): oct_pixels_brightness(count, channels, Float(factor), pixels)
    case .contrast(let factor): oct_pixels_contrast(count, channels, Float(factor), pixels)
    case .saturation(let factor): oct_pixels_color(count, channels, Float(factor), pixels)
    // Cut towards zero, then modulo 256, as torchvision does.
    case .hue(let part): oct_pixels_hue(count, channels, UInt8(truncatingIfNeeded: Int32(part * 255)), pixels)
    }
  }
}
