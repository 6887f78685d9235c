#if Images
  import CImages

  extension RGBImage {
    /// As Pillow's `Image.resize(…, BILINEAR)`: a triangle filter that grows with the reduction, rounded to 8 bits after
    /// the rows and after the columns.
    /// - Precondition: both sizes are positive.
    public func resized(width newWidth: Int, height newHeight: Int) -> RGBImage {
      resized(
        oct_image_window(
          new_width: newWidth, new_height: newHeight, left: 0, top: 0, width: newWidth, height: newHeight))
    }

    private func resized(_ window: oct_image_window) -> RGBImage {
      precondition(window.new_width > 0 && window.new_height > 0)
      let count = window.width * window.height * 3
      let result = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        let isDone = withUnsafePointer(to: window) {
          oct_image_resize(pixels, width, height, $0, buffer.baseAddress)
        }
        precondition(isDone, "no memory for an image of \(window.width)×\(window.height)")
        initialized = count
      }
      return RGBImage(width: window.width, height: window.height, pixels: result)
    }

    /// Where a window of `size` begins that lies in the middle of `whole` (torchvision's `CenterCrop`): half a pixel goes
    /// to the even side, as Python rounds.
    private static func middle(of whole: Int, size: Int) -> Int {
      Int((Double(whole - size) / 2).rounded(.toNearestOrEven))
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
      let newWidth = width == shorter ? target : target * width / shorter
      let newHeight = height == shorter ? target : target * height / shorter
      // No more than the middle is ever computed: a file may be a million times as wide as high.
      return resized(
        oct_image_window(
          new_width: newWidth, new_height: newHeight, left: Self.middle(of: newWidth, size: size),
          top: Self.middle(of: newHeight, size: size), width: size, height: size))
    }
  }
#endif
