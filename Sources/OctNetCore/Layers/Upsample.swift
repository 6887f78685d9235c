import OctNetSupport

/// Upsampling by a whole factor: [h, w, c] → [h · scale, w · scale, c], of both octaves.
public struct Upsample: Layer {
  /// As PyTorch's `interpolate`, `bilinear` with `align_corners` false.
  public enum Mode: String, CaseIterable, Sendable {
    /// The pixel at (y / scale, x / scale); a mean of the four around it.
    case nearest, bilinear
  }

  public let name = ""
  /// 1 ... 64.
  public let scale: Int
  /// How numbers between pixels are found.
  public let mode: Mode

  /// A factor of 1 ... 64; `forward` refuses others.
  public init(scale: Int, mode: Mode = .nearest) {
    self.scale = scale
    self.mode = mode
  }

  /// The low map is cropped to half of the new size, rounded up, where the size was odd.
  /// - Throws: `OctNetError.graph` for a factor below 1.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    guard scale >= 1, scale <= 64 else {
      throw x.builder.error("upsampling takes a factor of 1 ... 64, found \(scale)")
    }
    let (height, width) = (x.height * scale, x.width * scale)
    return OctFeature(
      high: try x.high?.resampled(by: scale, height: height, width: width, bilinear: mode == .bilinear),
      low: try x.low?.resampled(
        by: scale, height: (height + 1) / 2, width: (width + 1) / 2, bilinear: mode == .bilinear),
      height: height, width: width, builder: x.builder)
  }
}
