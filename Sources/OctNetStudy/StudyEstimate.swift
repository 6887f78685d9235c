import OctNetBenchmark
import OctNetData
import OctNetSupport
import OctNetTraining

/// How long a study takes on this machine, from a few timed steps of each of its networks.
public struct StudyEstimate {
  private let data: DataSplit
  /// Of networks that were timed already, by everything but their seed.
  private var secondsOfEpoch: [(configuration: TrainingConfiguration, seconds: Double)] = []

  public init(data: DataSplit) { self.data = data }

  /// Seconds of one epoch with its evaluation; files and the preparation of images are not counted.
  ///
  /// - Throws: `OctNetError` for a network that cannot be built.
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
    func batches(_ images: Int, _ limit: Int?) -> Double {
      (Double(min(images, limit ?? images)) / Double(configuration.batchSize)).rounded(.up)
    }
    let training = batches(data.train.count, configuration.trainLimit)
    let test = batches(data.test.count, configuration.testLimit) / Double(configuration.evaluateEvery)
    let result =
      try training * seconds(.training(configuration.optimizer)) + test * seconds(.inference)
    secondsOfEpoch.append((key, result))
    return result
  }
}
