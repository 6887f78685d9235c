#if Images
  import CImages
  import CTransforms
  import OctNet

  /// What a network of square inputs gets at evaluation: the shorter side resized to `shorterSide`, then the middle, as
  /// torchvision's `Resize` and `CenterCrop`. An image of that very size stays as it is, unless `shorterSide` is given.
  ///
  /// Gray is made first, as Pillow's `convert("L")` in front of them, and the image turned before that.
  public struct Preparation: Equatable, Sendable {
    /// Height and width afterwards.
    public var size: Int
    /// nil: size · 256 / 224 from 64 pixels on, as networks for ImageNet are evaluated, and the size itself below.
    public var shorterSide: Int?
    /// 3 for RGB, 1 for gray.
    public var channels: Int
    /// Turns a photograph as its EXIF orientation says; torchvision's loader does not.
    public var appliesOrientation: Bool
    /// How the middle is cut out and pixels are made. Where `shorterSide` is given, it says so, and pixels are bilinear.
    public var evaluation: EvaluationSettings

    /// - Precondition: sizes are positive, `shorterSide` is at least `size`, and there are 1 or 3 channels.
    public init(
      size: Int, shorterSide: Int? = nil, channels: Int = 3, appliesOrientation: Bool = false,
      evaluation: EvaluationSettings = EvaluationSettings()
    ) {
      precondition(size > 0 && shorterSide ?? size >= size, "\(size) of \(shorterSide ?? size) pixels")
      precondition(channels == 1 || channels == 3, "\(channels) channels")
      self.size = size
      self.shorterSide = shorterSide
      self.channels = channels
      self.appliesOrientation = appliesOrientation
      self.evaluation = evaluation
    }

    /// What of which resized image is shown; nil for an image that stays as it is.
    ///
    /// No more than the middle is ever computed: a file may be a million times as wide as high.
    func window(width: Int, height: Int) -> oct_image_window? {
      guard let target = shorterSide else {
        return transform.middle(width: width, height: height).map {
          oct_image_window(
            new_width: $0.new_width, new_height: $0.new_height, left: $0.left, top: $0.top, width: $0.width,
            height: $0.height)
        }
      }
      let shorter = min(width, height)
      // The longer side is cut down to a whole number, as torchvision does.
      let newWidth = width == shorter ? target : target * width / shorter
      let newHeight = height == shorter ? target : target * height / shorter
      return oct_image_window(
        new_width: newWidth, new_height: newHeight, left: middle(of: newWidth), top: middle(of: newHeight),
        width: size, height: size)
    }

    /// All views of a decoded image, one after the other.
    func pixels(of image: PixelView) -> [UInt8] {
      let transform = transform
      let count = transform.viewCount * size * size * channels
      return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        guard let result = buffer.baseAddress else { return }
        transform.pixels(image, to: result)
        initialized = count
      }
    }

    /// Images that one makes.
    var viewCount: Int { transform.viewCount }

    /// Without normalisation.
    var transform: EvaluationTransform {
      EvaluationTransform(
        evaluation, height: size, width: size,
        normalization: Normalization(
          mean: [Float](repeating: 0, count: channels), std: [Float](repeating: 1, count: channels)))
    }

    /// Where a window begins that lies in the middle of `whole`: half a pixel goes to the even side, as Python rounds.
    private func middle(of whole: Int) -> Int {
      Int((Double(whole - size) / 2).rounded(.toNearestOrEven))
    }
  }
#endif
