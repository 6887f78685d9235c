import CTransforms
import OctNetCore
import OctNetSupport

/// How images come to a network's size for evaluation, by timm's and torchvision's names.
public struct EvaluationSettings: Codable, Equatable, Sendable {
  /// What becomes of an image that is no square.
  public enum Mode: String, Codable, Sendable, CaseIterable {
    /// The shorter side is resized, the middle kept.
    case center
    /// Both sides are resized, whatever becomes of the shapes.
    case squash
  }

  /// Which parts of an image are shown to the network, whose answers are averaged.
  public enum Views: String, Codable, Sendable, CaseIterable {
    /// The middle.
    case one
    /// The middle, and its mirror image.
    case flip
    /// Along the longer side its beginning, middle and end, and their mirror images.
    case six
    /// torchvision's `TenCrop`: four corners, the middle, and their mirror images.
    case ten
  }

  /// The part of the shorter side that the middle keeps, 0 to 1: it is resized to ⌊size / ratio⌋. nil: 224/256 from 64
  /// pixels on, and all below.
  public var cropRatio: Double?
  /// `bilinear` where nil.
  public var interpolation: Interpolation?
  /// `center` where nil.
  public var cropMode: Mode?
  /// `one` where nil.
  public var views: Views?
  /// Whether JPEGs are decoded at a half, a quarter or an eighth of their size where what is shown of them has at least the
  /// network's size then, which is faster and changes pixels; nil is no. Random crops, too.
  public var scaledDecoding: Bool?

  /// The middle of an image, as torchvision evaluates.
  public init(
    cropRatio: Double? = nil, interpolation: Interpolation? = nil, cropMode: Mode? = nil, views: Views? = nil,
    scaledDecoding: Bool? = nil
  ) {
    self.scaledDecoding = scaledDecoding
    self.cropRatio = cropRatio
    self.interpolation = interpolation
    self.cropMode = cropMode
    self.views = views
  }

  /// - Throws: `OctNetError.configuration` for a ratio that is none.
  public func validate() throws(OctNetError) {
    if let ratio = cropRatio, !(ratio >= 0.05 && ratio <= 1) {
      throw OctNetError.configuration(key: "cropRatio", "expected 0.05 to 1, found \(ratio)")
    }
    if interpolation == .nearest {
      throw OctNetError.configuration(
        key: "interpolation", "expected bilinear or bicubic for evaluation, found nearest")
    }
  }
}

/// What evaluation makes of a decoded image of any size: torchvision's `Resize` and `CenterCrop`, then `Normalization`.
public struct EvaluationTransform: Sendable {
  /// As given.
  public let settings: EvaluationSettings
  /// Rows and columns afterwards, numbers of a pixel before and afterwards.
  public let height, width, channels: Int
  private let table: [Float]

  /// - Precondition: `settings` are valid, and `normalization` is of one or three channels.
  public init(_ settings: EvaluationSettings, height: Int, width: Int, normalization: Normalization) {
    precondition(height > 0 && width > 0, "an image of \(width)×\(height)")
    self.settings = settings
    self.height = height
    self.width = width
    channels = normalization.mean.count
    table = normalization.table()
  }

  /// Images that one makes: 1, 2, 6 or 10.
  public var viewCount: Int {
    switch settings.views ?? .one {
    case .one: 1
    case .flip: 2
    case .six: 6
    case .ten: 10
    }
  }

  /// Writes viewCount × height × width × channels floats. May be called by many threads at once.
  public func callAsFunction(_ image: PixelView, to destination: UnsafeMutablePointer<Float>) {
    let count = height * width * channels
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: count) { bytes in
      guard let base = bytes.baseAddress else { return }
      table.withUnsafeBufferPointer {
        guard let table = $0.baseAddress else { return }
        for (index, view) in views(width: image.width, height: image.height).enumerated() {
          place(image, view, to: base)
          oct_pixels_to_floats(height * width, Int32(channels), base, table, destination + index * count)
        }
      }
    }
  }

  /// Writes viewCount × height × width × channels bytes, before normalisation.
  public func pixels(_ image: PixelView, to destination: UnsafeMutablePointer<UInt8>) {
    for (index, view) in views(width: image.width, height: image.height).enumerated() {
      place(image, view, to: destination + index * height * width * channels)
    }
  }

  /// The middle, without normalisation: height × width × channels bytes.
  public func place(_ image: PixelView, to destination: UnsafeMutablePointer<UInt8>) {
    place(
      image, View(window: middle(width: image.width, height: image.height), mirrors: false), to: destination)
  }

  // MARK: Windows

  struct View {
    /// nil: the image as it is.
    var window: oct_resize_window?
    var mirrors: Bool
  }

  private func place(_ image: PixelView, _ view: View, to destination: UnsafeMutablePointer<UInt8>) {
    precondition(image.channels == channels, "\(image.channels) channels, expected \(channels)")
    if let window = view.window {
      image.resize(window, settings.interpolation ?? .bilinear, mirrors: view.mirrors, to: destination)
      return
    }
    for row in 0..<height {
      (destination + row * width * channels).update(
        from: image.base + row * image.rowBytes, count: width * channels)
    }
    if view.mirrors { oct_pixels_mirror(width, height, Int32(channels), destination) }
  }

  func views(width: Int, height: Int) -> [View] {
    let window = middle(width: width, height: height)
    let single = View(window: window, mirrors: false), mirrored = View(window: window, mirrors: true)
    switch settings.views ?? .one {
    case .one: return [single]
    case .flip: return [single, mirrored]
    case .six, .ten: break
    }
    let whole =
      window
      ?? oct_resize_window(
        new_width: width, new_height: height, left: 0, top: 0, width: width, height: height)
    let (right, bottom) = (whole.new_width - self.width, whole.new_height - self.height)
    var corners: [(left: Int, top: Int)]
    if settings.views == .ten {
      corners = [(0, 0), (right, 0), (0, bottom), (right, bottom), (whole.left, whole.top)]
    } else if right >= bottom {
      corners = [(0, whole.top), (whole.left, whole.top), (right, whole.top)]
    } else {
      corners = [(whole.left, 0), (whole.left, whole.top), (whole.left, bottom)]
    }
    return [false, true].flatMap { mirrors in
      corners.map { corner in
        var part = whole
        // Corners are those of the mirrored image, as in torchvision.
        (part.left, part.top) = (mirrors ? right - corner.left : corner.left, corner.top)
        return View(window: part, mirrors: mirrors)
      }
    }
  }

  /// nil for an image that stays as it is.
  package func middle(width imageWidth: Int, height imageHeight: Int) -> oct_resize_window? {
    let isRight = imageWidth == width && imageHeight == height
    if isRight && settings.cropRatio == nil { return nil }
    if settings.cropMode == .squash {
      let (newWidth, newHeight) = (resized(width), resized(height))
      return window(newWidth, newHeight)
    }
    // What of the image has the result's shape; the other side is cut down to a whole number, as torchvision does.
    if imageWidth * height <= imageHeight * width {
      let newWidth = resized(width)
      return window(newWidth, max(height, newWidth * imageHeight / imageWidth))
    }
    let newHeight = resized(height)
    return window(max(width, newHeight * imageWidth / imageHeight), newHeight)
  }

  /// The part of a shorter side that is shown where the image does not have the right size already.
  package var shownRatio: Double { settings.cropRatio ?? (min(height, width) < 64 ? 1 : 224.0 / 256) }

  /// Of a side before the middle is cut out.
  private func resized(_ side: Int) -> Int {
    guard let ratio = settings.cropRatio else {
      return side < 64 ? side : Int((Double(side) * 256 / 224).rounded())
    }
    return Int((Double(side) / ratio).rounded(.down))
  }

  private func window(_ newWidth: Int, _ newHeight: Int) -> oct_resize_window {
    // Half a pixel goes to the even side, as Python rounds.
    func middle(_ whole: Int, _ side: Int) -> Int {
      Int((Double(whole - side) / 2).rounded(.toNearestOrEven))
    }
    return oct_resize_window(
      new_width: newWidth, new_height: newHeight, left: middle(newWidth, width),
      top: middle(newHeight, height), width: width, height: height)
  }
}
