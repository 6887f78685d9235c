import OctNetCheckpoint
import OctNetData
import OctNetSupport

/// Images on which a network is evaluated.
public enum EvaluationImages: String, Codable, Sendable {
  /// Those of the data's test part; those that choose the best epoch.
  case test, validation
}

/// The images of a run as it sees them: under the class names and numbers that it began with, and with those apart that
/// choose its best epoch.
struct RunImages {
  let data: DataSplit
  /// Of all training images, those held back too.
  let labels: ClassLabels
  /// What a user should know of it, a sentence each.
  private(set) var notes: [String] = []

  /// Which images choose the best epoch and stop the run early.
  var chosenOn: EvaluationImages { data.validation == nil ? .test : .validation }

  /// - Parameter classesByNumber: takes the classes of other data for those of the run by number, whatever their names.
  /// - Throws: `OctNetError.configuration` for classes that the run does not have, images that are not there any more, and
  ///   more validation images than training has.
  init(
    _ data: DataSplit, _ configuration: TrainingConfiguration, continuing state: TrainingState? = nil,
    classesByNumber: Bool = false
  ) throws(OctNetError) {
    var data = try data.agreeing()
    if let known = state?.classLabels {
      let mapping = try ClassMapping(
        of: ClassLabels(data.train), to: known, owner: "the run", byNumber: classesByNumber)
      guard mapping.isPermutation else {
        throw OctNetError.configuration(
          key: "class names",
          "the data has \(numbered(mapping.labels.count, "class", plural: "classes")), the run \(known.names.count)"
        )
      }
      data = data.mapped(by: mapping)
      if let note = mapping.note { notes.append(note) }
    }
    labels = ClassLabels(data.train)
    if let amount = configuration.validation {
      guard data.validation == nil else {
        throw OctNetError.configuration(
          key: "validation", "the data has validation images of its own; leave this setting out")
      }
      data = try data.holdingBack(amount, seed: configuration.seed, limit: configuration.trainLimit)
    }
    if let results = state?.results, results.epochs > 0 {
      switch (results.chosenOn, data.validation) {
      case (.validation, nil):
        throw OctNetError.configuration(
          key: "data", "the run's best epoch is chosen on validation images, of which the data has none")
      case (nil, .some), (.test, .some):
        data.validation = nil
        notes.append("the best epoch was chosen on the test images so far and is so to the end of the run")
      default: break
      }
    }
    self.data = data
  }

  /// - Throws: `OctNetError.configuration` where the training images are not those the run began with.
  func check(continuing state: TrainingState) throws(OctNetError) {
    guard let expected = state.labelFingerprint, expected != labels.fingerprint else { return }
    throw OctNetError.configuration(
      key: "data", "the training labels are other ones than those the run began with")
  }
}

extension TrainingState {
  /// The classes of the run; `nil` where a state of an earlier version does not say.
  var classLabels: ClassLabels? {
    let names = classNames.isEmpty ? results.last?.evaluation.classNames ?? [] : classNames
    return names.isEmpty ? nil : ClassLabels(names: names, fingerprint: labelFingerprint)
  }
}

extension RunResults {
  /// Whether all there is to do is to score the chosen weights on the test images.
  package var isTestDue: Bool {
    chosenOn == .validation && outcome != .unfinished && best != nil && test == nil
  }

  /// What the chosen weights reach on the test images: with validation images known at the end of the run only.
  public var bestOnTest: Score? { chosenOn == .validation ? test : best }
}
