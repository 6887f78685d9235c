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
    let mapping = try naming(byNumber) {
      try ClassMapping(of: labels, to: classLabels, owner: "the checkpoint", byNumber: byNumber)
    }
    return (images.mapped(by: mapping), mapping.note.map(named))
  }

  /// Those of a part of the data as the checkpoint's run saw them, and what had to be done, where something had.
  ///
  /// - Throws: `OctNetError.file` for classes that the checkpoint does not have, and where nothing says which images they are.
  func images(
    of part: DataPart, in split: DataSplit, byNumber: Bool
  ) throws -> (images: any Dataset, note: String?) {
    let found = try naming(byNumber) { try split.part(part, asIn: self, byNumber: byNumber) }
    return (found.images, found.note.map(named))
  }

  private func named(_ note: String) -> String { "\(path ?? "checkpoint"): \(note)" }

  /// Lets errors name the file, and those about class names say how to do without.
  private func naming<Result>(_ byNumber: Bool, _ body: () throws -> Result) throws -> Result {
    do {
      return try ClassNames.advising(byNumber: byNumber, body)
    } catch let error as OctNetError {
      guard case .configuration(let key, let problem) = error, let path else { throw error }
      throw OctNetError.file(path: path, "\(key): \(problem)")
    }
  }
}
