import OctNetSupport

/// What a run tells those who watch it. The library itself prints nothing.
public enum TrainingEvent: Sendable {
  /// Before the first step.
  case runStarted(RunReport)
  /// After every step.
  case step(StepReport)
  /// Images of the set that is evaluated done so far.
  case evaluating(done: Int, total: Int)
  /// With its evaluation, where one was due.
  case epochFinished(EpochReport)
  /// It cannot be read, and the run goes on without it: each image is told once a session.
  case imageSkipped(OctNetError)
  /// The file is whole.
  case checkpointWritten(path: String)
  /// The last epoch is done, the run has stopped early, or `shouldStop` has interrupted it.
  case finished(TrainingSummary)
}

/// A run as it begins or goes on.
public struct RunReport: Sendable {
  /// As the run has it.
  public var configuration: TrainingConfiguration
  /// Trainable parameters.
  public var parameters: Int
  /// Of an epoch.
  public var trainImages: Int
  /// Of the test part.
  public var testImages: Int
  /// That choose the best epoch; `nil` where the test images do.
  public var validationImages: Int?
  /// Updates of the weights.
  public var stepsPerEpoch: Int
  /// Not at zero where the run is resumed.
  public var position: TrainingPosition
  /// `nil` where nothing is written.
  public var directory: String?
  /// What one should know of this session: images that are left out, a rate that jumps. A line each.
  public var notes: [String] = []
  /// What may go wrong: such as a directory that cannot be locked.
  public var warnings: [String] = []
}

/// Epochs and steps are counted from 1 here, as people do.
public struct StepReport: Sendable {
  /// Counted from 1.
  public var epoch: Int
  /// Of the run.
  public var epochs: Int
  /// Update of the weights within the epoch.
  public var step: Int
  /// Updates of an epoch.
  public var stepsPerEpoch: Int
  /// Updates since the run began.
  public var totalSteps: Int
  /// Loss of this step.
  public var loss: Double
  /// Means over the epoch so far.
  public var meanLoss: Double
  /// Fraction of the images.
  public var accuracy: Double
  /// Of this step.
  public var learningRate: Double
  /// Mean over the epoch so far.
  public var imagesPerSecond: Double
}

/// An epoch that is done.
public struct EpochReport: Sendable {
  /// Counted from 1.
  public var epoch: Int
  /// Of the run.
  public var epochs: Int
  /// Mean over the images, each with the weights of its step.
  public var trainLoss: Double
  /// Fraction of the images, each with the weights of its step.
  public var trainAccuracy: Double
  /// On `evaluatedOn`; `nil` after an epoch without an evaluation.
  public var test: EvaluationResult?
  /// Which images `test` is about.
  public var evaluatedOn = EvaluationImages.test
  /// Of the epoch's last step.
  public var learningRate: Double
  /// Training only, without the evaluation.
  public var seconds: Double
  /// Mean over the epoch's training.
  public var imagesPerSecond: Double
  /// The best evaluation so far.
  public var isBest: Bool
  /// With other ranks, since the epoch began or the run went on in it; `nil` without them.
  public var exchange: ExchangeReport?
}

/// A run as it ends.
public struct TrainingSummary: Sendable {
  /// Updates of the weights since the run began.
  public var steps: Int
  /// Outcome and scores.
  public var results: RunResults
  /// Of training in all epochs so far, evaluations not counted.
  public var seconds: Double
  /// What the score took: looking at the images before the first step, all training, and the last evaluation; those
  /// between epochs, which the training does not need, are not counted.
  public var secondsToScore: Double
  /// `shouldStop` ended the run before it was done.
  public var isInterrupted: Bool
}
