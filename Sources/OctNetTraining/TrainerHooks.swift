import OctNetCore
import OctNetData

/// What a run does beside its settings. All run on the trainer's thread; an error that one throws ends the run and is passed
/// on, as after an interruption the last written state is there.
///
/// A resumed run gives the same bits where the hooks depend on what they are given alone.
public struct TrainerHooks {
  /// A place in a run; epochs, steps and batches are counted from 0.
  public struct Place: Equatable, Sendable {
    /// Epochs before this one.
    public let epoch: Int
    /// Updates of the weights before this one, in all epochs.
    public let step: Int
    /// Batch of the epoch.
    public let batch: Int
  }

  /// A batch that the network is about to see.
  public struct BatchImages {
    /// count × height × width × channels, normalised and augmented; may be changed.
    public let images: UnsafeMutableBufferPointer<Float>
    /// Of the batch.
    public let count: Int
    /// Where the run is.
    public let place: Place
  }

  /// The learning rate of a step, given what the schedule says. Groups with epochs of their own keep to their course.
  public var learningRate: ((_ place: Place, _ scheduled: Double) throws -> Double)?
  /// Changes images after the augmentation, before the network sees them.
  public var batch: ((BatchImages) throws -> Void)?
  /// What decides which epoch is the best and when the run stops early, in place of `bestMetric`: the larger, the better.
  /// Gets the weights that are evaluated and what the evaluation found.
  public var metric: ((Network, EvaluationResult) throws -> Double)?
  /// After an epoch's evaluation and before its files are written. True ends the run here, as early stopping does.
  public var epochEnd: ((EpochReport, Network) throws -> Bool)?
  /// Processes that compute the shards of a batch together, each a trainer with the same settings, data and hooks; `nil` for
  /// one alone. Their number is a power of two, at most `TrainingConfiguration.shards`. The first one gets the run's
  /// directory.
  public var ranks: (any RankExchange)?
  /// Floats that ranks exchange at once; no result depends on it.
  var bucket = RankSum.usualBucket

  /// What is `nil` changes nothing.
  public init(
    learningRate: ((_ place: Place, _ scheduled: Double) throws -> Double)? = nil,
    batch: ((BatchImages) throws -> Void)? = nil,
    metric: ((Network, EvaluationResult) throws -> Double)? = nil,
    epochEnd: ((EpochReport, Network) throws -> Bool)? = nil
  ) {
    self.learningRate = learningRate
    self.batch = batch
    self.metric = metric
    self.epochEnd = epochEnd
  }
}

extension TrainerHooks {
  /// - Returns: the learning rate of the step.
  func apply(to batch: Batch, at place: Place, scheduled rate: Double) throws -> Double {
    if let change = self.batch {
      // The loader's memory is this thread's until the batch is done.
      let images = UnsafeMutableBufferPointer(
        start: UnsafeMutablePointer(mutating: batch.images), count: batch.imageFloats)
      try change(BatchImages(images: images, count: batch.count, place: place))
    }
    return try learningRate?(place, rate) ?? rate
  }
}
