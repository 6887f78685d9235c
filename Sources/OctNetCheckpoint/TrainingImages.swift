import OctNetSupport

/// Which of a data set's training images a network learnt from, and how files of images were read: what a checkpoint says
/// of it, so that the images that were held back are found again.
public struct TrainingImages: Codable, Equatable, Sendable {
  /// The first so many only; of folders, the same share of each class. `nil` for all.
  public var limit: Int?
  /// Held back to choose the best epoch: how many, or below 1 which share of them.
  public var validation: Double?
  /// Says which ones were held back.
  public var seed: UInt64?
  /// Photographs were turned as their EXIF orientation says; `nil` is no.
  public var exifOrientation: Bool?
  /// Share of every class that was taken for tests, where the data had no images for them.
  public var testShare: Double?

  /// How files of images came to the network's size for evaluation, by the names of the settings `evaluation`; `nil` as by
  /// default.
  public var cropRatio: Double?
  /// `bilinear` or `bicubic`.
  public var interpolation: String?
  /// `center` or `squash`.
  public var cropMode: String?
  /// Whether JPEGs were decoded at a part of their size; `nil` is no.
  public var scaledDecoding: Bool?

  /// All images, as they are stored.
  public init(
    limit: Int? = nil, validation: Double? = nil, seed: UInt64? = nil, exifOrientation: Bool? = nil,
    cropRatio: Double? = nil, interpolation: String? = nil, cropMode: String? = nil,
    scaledDecoding: Bool? = nil,
    testShare: Double? = nil
  ) {
    self.testShare = testShare
    self.cropRatio = cropRatio
    self.interpolation = interpolation
    self.cropMode = cropMode
    self.scaledDecoding = scaledDecoding
    self.limit = limit
    self.validation = validation
    self.seed = seed
    self.exifOrientation = exifOrientation
  }

  /// - Throws: `OctNetError.configuration` for the first number out of its range.
  package func validate() throws(OctNetError) {
    try SettingBounds.check(limit, in: SettingBounds.images, "limit")
    try Self.checkValidation(validation)
    try Self.checkTestShare(testShare)
    guard validation == nil || seed != nil else {
      throw OctNetError.configuration(key: "seed", "missing: it says which images were held back")
    }
  }

  /// - Throws: `OctNetError.configuration` for what is no share.
  package static func checkTestShare(_ share: Double?) throws(OctNetError) {
    guard let share, !(share > 0 && share < 1) else { return }
    throw OctNetError.configuration(
      key: "testShare", "expected more than 0 and less than 1, found \(format(share, digits: 8))")
  }

  /// - Throws: `OctNetError.configuration` for what is neither a share nor a number of images.
  package static func checkValidation(_ amount: Double?) throws(OctNetError) {
    guard let amount else { return }
    guard amount > 0, amount < 1 || (amount == amount.rounded() && amount <= 1e9) else {
      throw OctNetError.configuration(
        key: "validation",
        "expected a share above 0 and below 1, or a number of images, found \(format(amount, digits: 8))")
    }
  }
}
