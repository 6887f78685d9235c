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
    try validate()
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

/// Every image and its mirror image, one after the other, for `Evaluator.viewsPerImage`.
package struct MirroredImages: Dataset {
  private let base: any Dataset

  package init(_ base: any Dataset) { self.base = base }

  package var name: String { base.name }
  package var count: Int { 2 * base.count }
  package var height: Int { base.height }
  package var width: Int { base.width }
  package var channels: Int { base.channels }
  package var classNames: [String] { base.classNames }
  package var hasFloatValues: Bool { base.hasFloatValues }
  package var targetSize: Int { base.targetSize }

  package func label(at index: Int) -> Int { base.label(at: index / 2) }

  package func copyTarget(at index: Int, to destination: UnsafeMutablePointer<Float>) {
    base.copyTarget(at: index / 2, to: destination)
  }

  package func copyPixels(at index: Int, to destination: UnsafeMutablePointer<UInt8>) {
    base.copyPixels(at: index / 2, to: destination)
    if index % 2 == 1 { mirror(destination) }
  }

  package func copyValues(at index: Int, to destination: UnsafeMutablePointer<Float>) {
    base.copyValues(at: index / 2, to: destination)
    if index % 2 == 1 { mirror(destination) }
  }

  private func mirror<Value>(_ image: UnsafeMutablePointer<Value>) {
    for y in 0..<height {
      let row = image + y * width * channels
      for x in 0..<width / 2 {
        for channel in 0..<channels {
          let (a, b) = (x * channels + channel, (width - 1 - x) * channels + channel)
          (row[a], row[b]) = (row[b], row[a])
        }
      }
    }
  }
}
