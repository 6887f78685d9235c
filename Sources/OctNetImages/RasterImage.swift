#if Images
  import CImages
  import OctNet

  /// An image of 8-bit RGB or gray pixels, [height, width, channels].
  public struct RasterImage: Equatable, Sendable {
    /// In pixels.
    public let width, height: Int
    /// 3 for RGB, 1 for gray.
    public let channels: Int
    /// Rows from the top, channels innermost.
    public let pixels: [UInt8]

    /// - Precondition: `pixels` has width × height × channels bytes, at least one pixel, and 1 or 3 channels.
    public init(width: Int, height: Int, channels: Int = 3, pixels: [UInt8]) {
      precondition(width > 0 && height > 0 && pixels.count == width * height * channels)
      precondition(channels == 1 || channels == 3, "\(channels) channels")
      self.width = width
      self.height = height
      self.channels = channels
      self.pixels = pixels
    }

    /// Decodes an image file as a whole: `ImageFile(path:)` and `decoded()` in one.
    /// - Throws: as they do.
    public init(path: String, channels: Int = 3, appliesOrientation: Bool = false) throws(OctNetError) {
      self = try ImageFile(path: path).decoded(channels: channels, appliesOrientation: appliesOrientation)
    }

    /// As Pillow's `Image.resize(…, BILINEAR)`: a triangle filter that grows with the reduction, rounded to 8 bits after
    /// the rows and after the columns.
    /// - Precondition: both sizes are positive.
    public func resized(width newWidth: Int, height newHeight: Int) -> RasterImage {
      precondition(newWidth > 0 && newHeight > 0)
      return resized(
        oct_image_window(
          new_width: newWidth, new_height: newHeight, left: 0, top: 0, width: newWidth, height: newHeight))
    }

    /// See `Preparation`.
    /// - Precondition: `shorterSide` is at least `size`.
    public func prepared(size: Int, shorterSide: Int? = nil) -> RasterImage {
      let preparation = Preparation(size: size, shorterSide: shorterSide, channels: channels)
      guard let window = preparation.window(width: width, height: height) else { return self }
      return resized(window)
    }

    /// All views of a preparation, one after the other.
    func prepared(_ preparation: Preparation) -> [UInt8] {
      var pixels: [UInt8] = []
      withView { pixels = preparation.pixels(of: $0) }
      return pixels
    }

    func withView(_ body: (PixelView) -> Void) {
      pixels.withUnsafeBufferPointer {
        guard let base = $0.baseAddress else { return }
        body(PixelView(base, width: width, height: height, channels: channels))
      }
    }

    private func resized(_ window: oct_image_window) -> RasterImage {
      let count = window.width * window.height * channels
      let result = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        let isDone = withUnsafePointer(to: window) {
          oct_image_resize(pixels, width, height, Int32(channels), $0, buffer.baseAddress)
        }
        precondition(isDone, "no memory for an image of \(window.width)×\(window.height)")
        initialized = count
      }
      return RasterImage(width: window.width, height: window.height, channels: channels, pixels: result)
    }
  }
#endif
