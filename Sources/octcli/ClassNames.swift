import OctNet

/// What the commands do where the class names of data and network are not the same.
enum ClassNames {
  /// Adds to an error about class names how to do without them.
  static func advising<Result>(byNumber: Bool, _ body: () throws -> Result) throws -> Result {
    do { return try body() } catch let error as OctNetError {
      guard case .configuration(let key, let problem) = error, key == ClassMapping.errorKey, !byNumber else {
        throw error
      }
      throw OctNetError.configuration(
        key: key, problem + "; --classes-by-number takes them for the same, number by number")
    }
  }
}

extension Checkpoint {
  /// The images under the class names and numbers of the checkpoint, and what had to be done, where something had.
  ///
  /// - Parameter training: the images to learn from that belong to them, where they are there.
  /// - Throws: `OctNetError.file` for classes that the checkpoint does not have.
  func mapped(
    _ images: any Dataset, training: (any Dataset)?, byNumber: Bool
  ) throws -> (images: any Dataset, note: String?) {
    let labels = ClassLabels(
      names: images.classNames, fingerprint: training.flatMap { ClassLabels($0).fingerprint })
    let mapping: ClassMapping
    do {
      mapping = try ClassNames.advising(byNumber: byNumber) {
        try ClassMapping(of: labels, to: classLabels, owner: "the checkpoint", byNumber: byNumber)
      }
    } catch let error as OctNetError {
      guard case .configuration(let key, let problem) = error, let path else { throw error }
      throw OctNetError.file(path: path, "\(key): \(problem)")
    }
    return (images.mapped(by: mapping), mapping.note.map { "\(path ?? "checkpoint"): \($0)" })
  }
}
