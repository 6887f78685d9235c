/// What a run tells those who watch it. The library itself prints nothing.
public enum TrainingEvent: Sendable {
  case runStarted(RunReport)
  /// After every step.
  case step(StepReport)
  /// Images of the set that is evaluated done so far.
  case evaluating(done: Int, total: Int)
  case epochFinished(EpochReport)
  case checkpointWritten(path: String)
  /// The last epoch is done, the run has stopped early, or `shouldStop` has interrupted it.
  case finished(TrainingSummary)
}

/// A run as it begins or goes on.
public struct RunReport: Sendable {
  public var configuration: TrainingConfiguration
  /// Trainable parameters.
  public var parameters: Int
  public var trainImages: Int
  public var testImages: Int
  /// That choose the best epoch; `nil` where the test images do.
  public var validationImages: Int?
  public var stepsPerEpoch: Int
  /// Not at zero where the run is resumed.
  public var position: TrainingPosition
  public var directory: String?
  /// What one should know of this session: images that are left out, a rate that jumps. A line each.
  public var notes: [String] = []
  /// What may go wrong: such as a directory that cannot be locked.
  public var warnings: [String] = []
}

/// Epochs and steps are counted from 1 here, as people do.
public struct StepReport: Sendable {
  public var epoch: Int
  public var epochs: Int
  /// Update of the weights within the epoch.
  public var step: Int
  public var stepsPerEpoch: Int
  /// Updates since the run began.
  public var totalSteps: Int
  /// Loss of this step.
  public var loss: Double
  /// Means over the epoch so far.
  public var meanLoss: Double
  public var accuracy: Double
  public var learningRate: Double
  /// Mean over the epoch so far.
  public var imagesPerSecond: Double
}

public struct EpochReport: Sendable {
  public var epoch: Int
  public var epochs: Int
  /// Mean over the images, each with the weights of its step.
  public var trainLoss: Double
  public var trainAccuracy: Double
  /// On `evaluatedOn`; `nil` after an epoch without an evaluation.
  public var test: EvaluationResult?
  public var evaluatedOn = EvaluationImages.test
  /// Of the epoch's last step.
  public var learningRate: Double
  /// Training only, without the evaluation.
  public var seconds: Double
  public var imagesPerSecond: Double
  /// The best evaluation so far.
  public var isBest: Bool
}

public struct TrainingSummary: Sendable {
  /// Updates of the weights since the run began.
  public var steps: Int
  public var results: RunResults
  /// Of training in all epochs so far, evaluations not counted.
  public var seconds: Double
  /// `shouldStop` ended the run before it was done.
  public var isInterrupted: Bool
}
