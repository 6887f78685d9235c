/// The shape of one image's feature map; the batch is not part of it. Memory order is height, width, channels.
public struct MapShape: Hashable, Codable, Sendable {
  /// Pixels in rows and columns, floats of a pixel.
  public var height, width, channels: Int

  /// Any numbers: whether a network can have such maps is checked where one is built.
  public init(height: Int, width: Int, channels: Int) {
    self.height = height
    self.width = width
    self.channels = channels
  }

  /// Of one image: height · width.
  public var pixels: Int { height * width }
  /// Floats of one image.
  public var count: Int { height * width * channels }
}

extension MapShape: CustomStringConvertible {
  public var description: String { "\(height)×\(width)×\(channels)" }
}
