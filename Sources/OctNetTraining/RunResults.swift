import OctNetSupport

/// How well a run's network did so far: `results.json` in its directory.
///
/// It holds nothing that depends on the clock, so that equal runs write equal files.
public struct RunResults: Codable, Equatable, Sendable {
  /// How a run ended.
  public enum Outcome: String, Codable, Sendable {
    /// Interrupted, or still at work.
    case unfinished
    /// All epochs are done.
    case finished
    /// The best result was `earlyStopping` epochs old.
    case stoppedEarly
  }

  /// An evaluation.
  public struct Score: Codable, Equatable, Sendable {
    /// After how many epochs.
    public var epoch: Int
    /// What it reached.
    public var evaluation: EvaluationResult

    /// An evaluation after so many epochs.
    public init(epoch: Int, evaluation: EvaluationResult) {
      self.epoch = epoch
      self.evaluation = evaluation
    }
  }

  /// `unfinished` while the run may go on.
  public var outcome: Outcome
  /// Finished epochs.
  public var epochs: Int
  /// What `best.safetensors` reaches on the images that chose it, `nil` before the first evaluation.
  public var best: Score?
  /// The latest evaluation on those images.
  public var last: Score?
  /// Which images those are; `nil` means the test images.
  public var chosenOn: EvaluationImages?
  /// What `best.safetensors` reaches on the test images, where it was chosen on others; `nil` before the run's end.
  public var test: Score?
  /// The epoch from which early stopping counts anew: where a run that it had ended went on with more epochs.
  public var patienceFrom: Int?
  /// Why training ended without a result: numbers that are no longer finite would come again. A state never says so, since
  /// nobody goes on from there.
  public var failure: String?

  /// What a run has come to.
  public init(
    outcome: Outcome = .unfinished, epochs: Int = 0, best: Score? = nil, last: Score? = nil
  ) {
    self.outcome = outcome
    self.epochs = epochs
    self.best = best
    self.last = last
  }

  /// - Throws: `OctNetError.file` for a missing or malformed file, and for numbers that no run gives.
  public init(path: String) throws(OctNetError) {
    let results = try StrictJSON.read(
      Self.self, path: path, limit: FileLimit.results, maximumValues: FileLimit.resultValues)
    try StateValidation.check(path) { () throws(StateValidation.Failure) in try results.validate() }
    self = results
  }

  /// On one line: a confusion matrix would be hundreds.
  public func write(to path: String) throws(OctNetError) { try write(to: path, onlyIfChanged: false) }

  func write(to path: String, onlyIfChanged: Bool) throws(OctNetError) {
    try StrictJSON.write(self, to: path, pretty: false, onlyIfChanged: onlyIfChanged)
  }
}
