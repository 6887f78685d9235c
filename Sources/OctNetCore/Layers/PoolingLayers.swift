/// The windows of a pooling layer.
///
/// On an octave feature both maps are pooled, which keeps the low map at half the resolution for stride 2 in
/// ceil mode.
private struct PoolWindow {
  let kernelSize, stride, padding: Int
  let ceilMode: Bool

  func apply(_ operation: (PoolGeometry) -> any Operation, to x: OctFeature) throws -> OctFeature {
    guard kernelSize > 0, stride > 0, padding >= 0, 2 * padding <= kernelSize else {
      throw x.builder.error(
        "pooling needs kernel and stride ≥ 1 and padding ≤ kernel / 2, found kernel \(kernelSize), stride "
          + "\(stride), padding \(padding)")
    }
    let full = geometry(MapShape(height: x.height, width: x.width, channels: 1)).output
    let result = try x.mapParts(height: full.height, width: full.width) { map in
      let geometry = geometry(map.shape)
      guard geometry.output.pixels > 0 else {
        throw x.builder.error("a \(kernelSize)×\(kernelSize) window does not fit on a map of \(map.shape)")
      }
      return try map.builder.record(operation(geometry), [map])
    }
    if let low = result.low?.shape,
      low.height != (full.height + 1) / 2 || low.width != (full.width + 1) / 2
    {
      throw x.builder.error(
        "pooling \(x) gives a low map of \(low) beside a full size of \(full.height)×\(full.width); the rule "
          + "is half of it, rounded up: use ceilMode")
    }
    return result
  }

  private func geometry(_ shape: MapShape) -> PoolGeometry {
    PoolGeometry(
      input: shape, kernelSize: kernelSize, stride: stride, padding: padding, ceilMode: ceilMode)
  }
}

/// Average over windows; border windows divide by the pixels that are really inside.
public struct AvgPool2d: Layer {
  public let name = ""
  private let window: PoolWindow

  /// - Parameters:
  ///   - ceilMode: whether windows that reach past the end count, as in PyTorch.
  ///   - kernelSize: rows and columns of a window.
  ///   - padding: rows and columns beside the map on each side.
  ///   - stride: defaults to the kernel size.
  public init(kernelSize: Int, stride: Int? = nil, padding: Int = 0, ceilMode: Bool = false) {
    window = PoolWindow(
      kernelSize: kernelSize, stride: stride ?? kernelSize, padding: padding, ceilMode: ceilMode)
  }

  public func forward(_ x: OctFeature) throws -> OctFeature {
    try window.apply({ AveragePooling(geometry: $0) }, to: x)
  }
}

/// Maximum over windows; padding never wins.
public struct MaxPool2d: Layer {
  public let name = ""
  private let window: PoolWindow

  /// - Parameters:
  ///   - ceilMode: whether windows that reach past the end count, as in PyTorch.
  ///   - kernelSize: rows and columns of a window.
  ///   - padding: rows and columns beside the map on each side.
  ///   - stride: defaults to the kernel size.
  public init(kernelSize: Int, stride: Int? = nil, padding: Int = 0, ceilMode: Bool = false) {
    window = PoolWindow(
      kernelSize: kernelSize, stride: stride ?? kernelSize, padding: padding, ceilMode: ceilMode)
  }

  public func forward(_ x: OctFeature) throws -> OctFeature {
    try window.apply({ MaxPooling(geometry: $0) }, to: x)
  }
}

/// The mean over all pixels of an ordinary feature: [h, w, c] → [1, 1, c].
public struct GlobalAvgPool: Layer {
  public let name = ""

  /// No parameters.
  public init() {}

  /// - Throws: `OctNetError.graph` where the octaves have not been merged.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    let map = try x.plain(for: "global average pooling")
    return OctFeature(try map.applying(GlobalAveragePooling(input: map.shape)))
  }
}
