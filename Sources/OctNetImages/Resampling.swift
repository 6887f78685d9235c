#if Images
  import CImages

  extension RGBImage {
    /// As Pillow's `Image.resize(…, BILINEAR)`: a triangle filter that grows with the reduction, rounded to 8 bits after
    /// the rows and after the columns.
    /// - Precondition: both sizes are positive.
    public func resized(width newWidth: Int, height newHeight: Int) -> RGBImage {
      precondition(newWidth > 0 && newHeight > 0)
      if newWidth == width && newHeight == height { return self }
      let count = newWidth * newHeight * 3
      let result = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        let isDone = oct_image_resize(pixels, width, height, buffer.baseAddress, newWidth, newHeight)
        precondition(isDone, "no memory for an image of \(newWidth)×\(newHeight)")
        initialized = count
      }
      return RGBImage(width: newWidth, height: newHeight, pixels: result)
    }

    /// The window of that size in the middle (torchvision's `CenterCrop`).
    /// - Precondition: the image is at least that large.
    public func centerCropped(width newWidth: Int, height newHeight: Int) -> RGBImage {
      precondition(newWidth <= width && newHeight <= height)
      // Half a pixel goes to the even side, as Python rounds.
      let top = Int((Double(height - newHeight) / 2).rounded(.toNearestOrEven))
      let left = Int((Double(width - newWidth) / 2).rounded(.toNearestOrEven))
      var result: [UInt8] = []
      result.reserveCapacity(newWidth * newHeight * 3)
      for y in top..<top + newHeight {
        let start = (y * width + left) * 3
        result += pixels[start..<start + newWidth * 3]
      }
      return RGBImage(width: newWidth, height: newHeight, pixels: result)
    }

    /// What a network of square inputs gets at evaluation: the shorter side resized to `shorterSide`, then the middle.
    ///
    /// An image of that very size stays as it is. Without `shorterSide`, it is size · 256 / 224 from 64 pixels on, as
    /// networks for ImageNet are evaluated, and the size itself for smaller networks.
    /// - Precondition: `shorterSide` is at least `size`.
    public func prepared(size: Int, shorterSide: Int? = nil) -> RGBImage {
      if width == size && height == size && shorterSide == nil { return self }
      let target = shorterSide ?? (size < 64 ? size : Int((Double(size) * 256 / 224).rounded()))
      precondition(target >= size)
      let shorter = min(width, height)
      // The longer side is cut down to a whole number, as torchvision does.
      let resized = resized(
        width: width == shorter ? target : target * width / shorter,
        height: height == shorter ? target : target * height / shorter)
      return resized.centerCropped(width: size, height: size)
    }
  }
#endif
