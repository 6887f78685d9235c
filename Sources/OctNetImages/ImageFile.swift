#if Images
  import CImages
  import OctNet

  /// The bytes of a PNG, JPEG, WebP, TIFF or BMP file, told by its first bytes and not its name.
  ///
  /// Pixels are those of Pillow: palettes are looked up, alpha is dropped, CMYK is read as Adobe writes it, and 16 bits
  /// keep their upper 8. Of a TIFF's pages the first is taken, turned as it says, as Pillow does; animations are refused.
  /// At most 178,956,970 pixels; see `CImages.h` for what a file can cost.
  public struct ImageFile: Sendable {
    /// Files beyond this are refused unread: four times an uncompressed photograph of 24 million pixels.
    static let largestFile = 256 << 20

    private let path: FilePath
    private let bytes: [UInt8]

    /// - Throws: `OctNetError.file` for a file that cannot be read or has more than 256 MiB.
    public init(path: String) throws(OctNetError) { try self.init(FilePath(path)) }

    package init(_ path: FilePath) throws(OctNetError) {
      let file = try FileReader(path)
      guard file.size <= Self.largestFile else {
        throw OctNetError.file(
          path: "\(path)", "found \(numbered(file.size, "byte")), expected at most \(Self.largestFile)")
      }
      self.path = path
      bytes = try file.bytes(at: 0, count: file.size)
    }

    /// A file, or a part of a tar.
    init(_ file: ClassListing.File) throws(OctNetError) {
      guard let entry = file.entry else {
        try self.init(file.path)
        return
      }
      let path = "\(file.path): \(entry.name) at byte \(entry.offset)"
      guard entry.size <= Self.largestFile else {
        throw OctNetError.file(
          path: path, "found \(numbered(entry.size, "byte")), expected at most \(Self.largestFile)")
      }
      self.init(bytes: try FileReader(file.path).bytes(at: entry.offset, count: entry.size), path: path)
    }

    /// Bytes that are in memory already, such as those of a request.
    ///
    /// - Parameters:
    ///   - bytes: a whole file.
    ///   - path: what errors call them.
    public init(bytes: [UInt8], path: String = "image") {
      self.path = FilePath(path)
      self.bytes = bytes
    }

    /// Width and height that the header tells.
    /// - Throws: `OctNetError.file` for a file without a sensible header.
    public func size(appliesOrientation: Bool = false) throws(OctNetError) -> (width: Int, height: Int) {
      var image = oct_image()
      var message = [CChar](repeating: 0, count: OCT_IMAGE_MESSAGE)
      guard oct_image_probe(bytes, bytes.count, &image, &message) else { throw failure(message) }
      // From 5 on the axes change places.
      return turn(appliesOrientation) >= 5 ? (image.height, image.width) : (image.width, image.height)
    }

    /// EXIF's orientation, or a TIFF's own, 1 to 8.
    public var orientation: Int { Int(oct_image_orientation(bytes, bytes.count)) }

    /// What the pixels are turned by.
    private func turn(_ appliesOrientation: Bool) -> Int32 {
      appliesOrientation || oct_image_is_always_turned(bytes, bytes.count)
        ? oct_image_orientation(bytes, bytes.count) : 1
    }

    /// The whole image.
    /// - Throws: `OctNetError.file` for a file that is damaged, truncated or too large.
    /// - Precondition: 1 or 3 channels.
    public func decoded(channels: Int = 3, appliesOrientation: Bool = false) throws(OctNetError)
      -> RasterImage
    {
      var width = 0, height = 0
      var pixels: [UInt8] = []
      try withDecoded(channels: channels, appliesOrientation: appliesOrientation) { view in
        (width, height) = (view.width, view.height)
        pixels = Array(UnsafeBufferPointer(start: view.base, count: width * height * channels))
      }
      return RasterImage(width: width, height: height, channels: channels, pixels: pixels)
    }

    /// The whole image, or a part of it, for as long as `body` takes.
    /// - Throws: as `decoded`.
    func withDecoded(
      channels: Int, appliesOrientation: Bool, part: oct_image_part? = nil, _ body: (PixelView) -> Void
    ) throws(OctNetError) {
      precondition(channels == 1 || channels == 3, "\(channels) channels")
      var image = oct_image()
      var message = [CChar](repeating: 0, count: OCT_IMAGE_MESSAGE)
      let turn = turn(appliesOrientation)
      let isDecoded =
        if var part {
          oct_image_decode(bytes, bytes.count, Int32(channels), turn, &part, &image, &message)
        } else {
          oct_image_decode(bytes, bytes.count, Int32(channels), turn, nil, &image, &message)
        }
      guard isDecoded else { throw failure(message) }
      defer { oct_image_free(&image) }
      body(PixelView(image.pixels, width: image.width, height: image.height, channels: channels))
    }

    /// The part that `box` says of an image of so many columns and rows, for as long as `body` takes. What is outside of it is
    /// not made into pixels where the file's kind allows that, but looked through for damage.
    ///
    /// - Parameters:
    ///   - least: a JPEG may be decoded at a half, a quarter or an eighth of its size as long as both of the part's sides have so
    ///     many pixels.
    ///   - box: is called once.
    /// - Throws: as `decoded`.
    package func withDecoded(
      channels: Int, appliesOrientation: Bool, least: Int?, box: (_ width: Int, _ height: Int) -> PixelBox,
      _ body: (PixelView) -> Void
    ) throws(OctNetError) {
      let (width, height) = try size(appliesOrientation: appliesOrientation)
      let box = box(width, height)
      let part = oct_image_part(
        image_width: width, image_height: height, left: box.left, top: box.top, width: box.width,
        height: box.height, least_width: least ?? 0, least_height: least ?? 0)
      try withDecoded(channels: channels, appliesOrientation: appliesOrientation, part: part, body)
    }

    /// What a network gets, resized while it is decoded: of the image itself only a few rows are ever in memory, unless
    /// it is an interlaced PNG, a progressive JPEG or a WebP, or a TIFF in one piece.
    /// - Throws: as `decoded`.
    public func prepared(_ preparation: Preparation) throws(OctNetError) -> RasterImage {
      if preparation.evaluation.interpolation == .bicubic, preparation.shorterSide == nil {
        var middle = preparation
        middle.evaluation.views = nil
        return try views(middle)[0]
      }
      let (width, height) = try size(appliesOrientation: preparation.appliesOrientation)
      guard let window = preparation.window(width: width, height: height) else {
        return try decoded(
          channels: preparation.channels, appliesOrientation: preparation.appliesOrientation)
      }
      let count = window.width * window.height * preparation.channels
      var message = [CChar](repeating: 0, count: OCT_IMAGE_MESSAGE)
      var isDecoded = false
      let pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        isDecoded = withUnsafePointer(to: window) {
          oct_image_decode_window(
            bytes, bytes.count, Int32(preparation.channels), turn(preparation.appliesOrientation),
            preparation.evaluation.scaledDecoding ?? false, $0, buffer.baseAddress, &message)
        }
        initialized = isDecoded ? count : 0
      }
      guard isDecoded else { throw failure(message) }
      return RasterImage(
        width: window.width, height: window.height, channels: preparation.channels, pixels: pixels)
    }

    /// All views of the image that a network gets, see `EvaluationSettings.Views`; it is decoded as a whole.
    /// - Throws: as `decoded`.
    /// - Precondition: the preparation has no `shorterSide`, or one view.
    public func views(_ preparation: Preparation) throws(OctNetError) -> [RasterImage] {
      let isBicubic = preparation.evaluation.interpolation == .bicubic && preparation.shorterSide == nil
      guard preparation.viewCount > 1 || isBicubic else { return [try prepared(preparation)] }
      precondition(preparation.shorterSide == nil, "the crop ratio says how large the shorter side is")
      let (size, channels) = (preparation.size, preparation.channels)
      let one = size * size * channels
      let pixels = try viewPixels(preparation)
      return (0..<preparation.viewCount).map {
        RasterImage(
          width: size, height: size, channels: channels, pixels: Array(pixels[$0 * one..<($0 + 1) * one]))
      }
    }

    /// All views, one after the other.
    private func viewPixels(_ preparation: Preparation) throws(OctNetError) -> [UInt8] {
      var part: oct_image_part?
      let appliesOrientation = preparation.appliesOrientation
      if preparation.evaluation.scaledDecoding == true {
        let (width, height) = try size(appliesOrientation: appliesOrientation)
        part = preparation.window(width: width, height: height).map {
          oct_image_part(
            image_width: width, image_height: height, left: 0, top: 0, width: width, height: height,
            least_width: $0.new_width, least_height: $0.new_height)
        }
      }
      var pixels: [UInt8] = []
      try withDecoded(channels: preparation.channels, appliesOrientation: appliesOrientation, part: part) {
        pixels = preparation.pixels(of: $0)
      }
      return pixels
    }

    private func failure(_ message: [CChar]) -> OctNetError {
      let text = message.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      return .file(path: "\(path)", String(decoding: text, as: UTF8.self))
    }
  }
#endif
