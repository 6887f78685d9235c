#if Images
  import CImages
  import OctNet

  /// An image of 8-bit RGB pixels, [height, width, 3].
  public struct RGBImage: Equatable, Sendable {
    public let width, height: Int
    public let pixels: [UInt8]

    /// - Precondition: `pixels` has width × height × 3 bytes, at least one pixel.
    public init(width: Int, height: Int, pixels: [UInt8]) {
      precondition(width > 0 && height > 0 && pixels.count == width * height * 3)
      self.width = width
      self.height = height
      self.pixels = pixels
    }

    /// Files beyond this are refused unread.
    static let largestFile = 32 << 20

    /// Decodes a PNG or JPEG file of at most 16 million pixels and 32 MiB, told by its first bytes, not its name.
    ///
    /// Gray becomes RGB, alpha is dropped, 16 bits keep their upper 8. An orientation in the file's metadata is ignored,
    /// as torchvision's loader ignores it.
    /// - Throws: `OctNetError.file` for a file that cannot be read, is damaged or truncated, or too large.
    public init(path: String) throws(OctNetError) {
      let file = try FileReader(path: path)
      guard file.size <= Self.largestFile else {
        throw OctNetError.file(
          path: path, "found \(file.size) bytes, expected at most \(Self.largestFile)")
      }
      let bytes = try file.bytes(at: 0, count: file.size)
      var image = oct_image()
      var message = [CChar](repeating: 0, count: OCT_IMAGE_MESSAGE)
      guard oct_image_decode(bytes, bytes.count, &image, &message) else {
        let text = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        throw OctNetError.file(path: path, String(decoding: text, as: UTF8.self))
      }
      defer { oct_image_free(&image) }
      self.init(
        width: image.width, height: image.height,
        pixels: Array(UnsafeBufferPointer(start: image.pixels, count: image.width * image.height * 3)))
    }
  }
#endif
