import OctNetBenchmark
import OctNetData
import OctNetSupport
import OctNetTraining

/// How long a study takes on this machine, from a few timed steps of each of its networks.
public struct StudyEstimate {
  private let data: DataSplit
  /// Of networks that were timed already, by everything but their seed.
  private var secondsOfEpoch: [(configuration: TrainingConfiguration, seconds: Double)] = []

  /// - Parameter data: what all runs train on.
  public init(data: DataSplit) { self.data = data }

  /// Seconds of one epoch with its evaluation, and with its part of the test at the run's end where there is one; files and
  /// the preparation of images are not counted.
  ///
  /// - Throws: `OctNetError` for a network that cannot be built, and for more validation images than there can be.
  public mutating func secondsOfEpoch(_ configuration: TrainingConfiguration) throws -> Double {
    var key = configuration
    key.seed = 0
    if let known = secondsOfEpoch.first(where: { $0.configuration == key }) { return known.seconds }
    guard let model = configuration.model else {
      throw OctNetError.configuration(key: "model", "missing: expected one of the package's models")
    }
    func seconds(_ work: NetworkBenchmark.Work) throws -> Double {
      try NetworkBenchmark(
        model: model, work: work, batchSize: configuration.batchSize, threads: configuration.threads,
        repetitions: 3
      ).run().medianMilliseconds * 1e-3
    }
    let batches = try batchesOfEpoch(configuration)
    let result =
      try batches.training * seconds(.training(configuration.optimizer))
      + batches.evaluation * seconds(.inference)
    secondsOfEpoch.append((key, result))
    return result
  }

  /// Batches of one epoch in the mean over a run. Validation images, held back or the data's own, are evaluated in place of
  /// the test images, which are then seen once, at the end.
  ///
  /// - Throws: `OctNetError.configuration` for more validation images than there can be.
  package func batchesOfEpoch(
    _ configuration: TrainingConfiguration
  ) throws(OctNetError) -> (training: Double, evaluation: Double) {
    var data = data
    if let amount = configuration.validation {
      data = try data.holdingBack(amount, seed: configuration.seed, limit: configuration.trainLimit)
    }
    func batches(_ images: Int, _ limit: Int?) -> Double {
      (Double(min(images, limit ?? images)) / Double(configuration.batchSize)).rounded(.up)
    }
    let training = batches(data.train.count, configuration.trainLimit)
    let test = batches(data.test.count, configuration.testLimit)
    let epochs = Double(max(1, configuration.epochs))
    // The last epoch is evaluated in any case.
    let evaluations = (epochs / Double(configuration.evaluateEvery)).rounded(.up)
    guard let validation = data.validation else { return (training, test * evaluations / epochs) }
    return (training, (batches(validation.count, nil) * evaluations + test) / epochs)
  }
}
