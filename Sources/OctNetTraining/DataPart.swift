import OctNetCheckpoint
import OctNetData
import OctNetSupport

/// Images on which a trained network can be scored.
public enum DataPart: String, CaseIterable, Sendable {
  /// Those that measure a network at the end.
  case test
  /// Those that chose the best epoch: the data's own, or training images that the run held back.
  case validation
  /// Those that the network learnt from, without the ones that were held back.
  case train

  /// "20 validation images"; test images are just images.
  package func counted(_ count: Int) -> String {
    switch self {
    case .test: OctNetSupport.counted(count, "image")
    case .validation: OctNetSupport.counted(count, "validation image")
    case .train: OctNetSupport.counted(count, "training image")
    }
  }
}

extension DataSplit {
  /// The images of a part, as the run that wrote a checkpoint saw them: under its class names and numbers, without those
  /// beyond its limit and, of the training images, without those it held back. Folders of images are loaded with as many
  /// of them as the run had (`Checkpoint.trainingImages`).
  ///
  /// - Parameters:
  ///   - checkpoint: of the run, whose classes the images get.
  ///   - part: which images.
  ///   - byNumber: takes the classes by number, whatever their names.
  /// - Returns: the images, and what had to be done about their classes.
  /// - Throws: `OctNetError.configuration` for classes that the checkpoint does not have, and where nothing says which images
  ///   were held back: the run held none back, or its training labels are not those of this data.
  public func part(
    _ part: DataPart, asIn checkpoint: Checkpoint, byNumber: Bool = false
  ) throws(OctNetError) -> (images: any Dataset, note: String?) {
    let split = try agreeing()
    let labels = ClassLabels(split.train)
    let mapping = try ClassMapping(
      of: labels, to: checkpoint.classLabels, owner: "the checkpoint", byNumber: byNumber)
    let data = split.mapped(by: mapping)
    let known = checkpoint.trainingImages
    if part == .test { return (data.test, mapping.note) }
    if part == .validation, known.validation == nil {
      guard let own = data.validation else {
        throw OctNetError.configuration(
          key: "validation images",
          "the data has none of its own, and the checkpoint names no training images that its run held back")
      }
      return (own, mapping.note)
    }
    guard known.validation != nil || known.limit != nil else { return (data.train, mapping.note) }
    guard checkpoint.labelFingerprint == ClassLabels(data.train).fingerprint else {
      throw OctNetError.configuration(
        key: "\(part.rawValue) images",
        "the data's training labels are other ones than those the checkpoint's run had, so that nothing says which images "
          + "it \(known.validation == nil ? "learnt from" : "held back")")
    }
    guard let amount = known.validation, let seed = known.seed else {
      return (data.train.first(known.limit), mapping.note)
    }
    let apart = try data.holdingBack(amount, seed: seed, limit: known.limit)
    // What was just held back is there.
    return (part == .train ? apart.train : apart.validation ?? apart.test, mapping.note)
  }
}
