/// Per-channel scaling of pixels: `(byte / 255 − mean) / std`, the arithmetic of torchvision's `ToTensor` and
/// `Normalize`, to the bit.
public struct Normalization: Codable, Equatable, Sendable {
  /// One value a channel, of pixels in 0 … 1.
  public var mean: [Float]
  /// One value a channel, above 0.
  public var std: [Float]

  /// `validate` says what does not fit.
  public init(mean: [Float], std: [Float]) {
    self.mean = mean
    self.std = std
  }

  /// Of CIFAR-10's training images.
  public static let cifar10 = Normalization(
    mean: [0.4914, 0.4822, 0.4465], std: [0.2470, 0.2435, 0.2616])
  /// Of CIFAR-100's training images.
  public static let cifar100 = Normalization(
    mean: [0.5071, 0.4865, 0.4409], std: [0.2673, 0.2564, 0.2762])

  /// - Throws: `OctNetError.configuration` unless there is one finite mean and one positive std per channel.
  public func validate(channels: Int) throws(OctNetError) {
    for (key, values) in [("mean", mean), ("std", std)] where values.count != channels {
      throw OctNetError.configuration(
        key: key,
        "found \(counted(values.count, "value")), expected one for each of \(counted(channels, "channel"))")
    }
    for value in mean where !value.isFinite {
      throw OctNetError.configuration(key: "mean", "found \(value), expected a finite number")
    }
    for value in std where !(value.isFinite && value > 0) {
      throw OctNetError.configuration(key: "std", "found \(value), expected a number above 0")
    }
  }

  /// Bytes of images, channels innermost, as numbers for a network.
  /// - Precondition: there is a mean and a std for each channel, and the bytes are whole pixels.
  public func callAsFunction(_ pixels: [UInt8]) -> [Float] {
    let (channels, table) = (mean.count, table())
    precondition(
      std.count == channels && pixels.count.isMultiple(of: max(1, channels)),
      "not pixels of \(numbered(channels, "channel"))"
    )
    return [Float](unsafeUninitializedCapacity: pixels.count) { values, count in
      for (index, pixel) in pixels.enumerated() {
        values.initializeElement(at: index, to: table[((index % channels) << 8) + Int(pixel)])
      }
      count = pixels.count
    }
  }

  /// channels × 256: what each byte becomes. A look-up is faster than the conversion and cannot differ from it.
  package func table() -> [Float] {
    zip(mean, std).flatMap { mean, std in (0..<256).map { (Float($0) / 255 - mean) / std } }
  }
}
