import OctNetCheckpoint
import OctNetData
import OctNetSupport

extension EvaluationSettings {
  /// What a checkpoint says of its run.
  /// - Throws: `OctNetError.configuration` for words and numbers that mean nothing.
  public init(_ images: TrainingImages) throws(OctNetError) {
    self.init(cropRatio: images.cropRatio)
    interpolation = try Self.word(images.interpolation, "interpolation")
    cropMode = try Self.word(images.cropMode, "cropMode")
    scaledDecoding = images.scaledDecoding
    try validate()
  }

  /// What was said of them, for a checkpoint; views are no part of it.
  public func record(in images: inout TrainingImages) {
    images.cropRatio = cropRatio
    images.interpolation = interpolation?.rawValue
    images.cropMode = cropMode?.rawValue
    images.scaledDecoding = scaledDecoding
  }

  private static func word<Name: RawRepresentable & CaseIterable>(
    _ text: String?, _ key: String
  ) throws(OctNetError) -> Name? where Name.RawValue == String {
    guard let text else { return nil }
    if let name = Name(rawValue: text) { return name }
    let names = Name.allCases.map(\.rawValue).joined(separator: ", ")
    throw OctNetError.configuration(key: key, "expected one of \(names), found \"\(text)\"")
  }
}
