/// The shape of one image's feature map; the batch is not part of it. Memory order is height, width, channels.
public struct MapShape: Hashable, Codable, Sendable {
  public var height, width, channels: Int

  public init(height: Int, width: Int, channels: Int) {
    self.height = height
    self.width = width
    self.channels = channels
  }

  public var pixels: Int { height * width }
  /// Floats of one image.
  public var count: Int { height * width * channels }
}

extension MapShape: CustomStringConvertible {
  public var description: String { "\(height)×\(width)×\(channels)" }
}
