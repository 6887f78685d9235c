/// The windows of a pooling layer.
///
/// On an octave feature both maps are pooled. The low one comes out at half the new resolution, rounded up: windows that
/// reach past its end count where that takes them.
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
    func pooled(_ map: SymbolicMap, _ geometry: PoolGeometry) throws -> SymbolicMap {
      guard geometry.output.pixels > 0 else {
        throw x.builder.error("a \(kernelSize)×\(kernelSize) window does not fit on a map of \(map.shape)")
      }
      return try map.builder.record(operation(geometry), [map])
    }
    let result = OctFeature(
      high: try x.high.map { try pooled($0, geometry($0.shape)) },
      low: try x.low.map { try pooled($0, lowGeometry($0.shape, full: full)) }, height: full.height,
      width: full.width, builder: x.builder)
    if let low = result.low?.shape,
      low.height != (full.height + 1) / 2 || low.width != (full.width + 1) / 2
    {
      throw x.builder.error(
        "pooling \(x) gives a low map of \(low) beside a full size of \(full.height)×\(full.width); the rule "
          + "is half of it, rounded up")
    }
    return result
  }

  /// Each axis by its own mode, as the rule for low maps asks.
  private func lowGeometry(_ shape: MapShape, full: MapShape) -> PoolGeometry {
    let usual = geometry(shape)
    guard !ceilMode else { return usual }
    let ceil = PoolGeometry(
      input: shape, kernelSize: kernelSize, stride: stride, padding: padding, ceilMode: true)
    return usual.extended(
      toHeight: ceil.output.height == (full.height + 1) / 2,
      toWidth: ceil.output.width == (full.width + 1) / 2,
      of: ceil)
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
