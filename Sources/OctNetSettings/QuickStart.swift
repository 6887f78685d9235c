import OctNet

/// What `octcli train` does without any flag: small enough for three minutes on two cores in a debug build, and above
/// 90 % on the embedded data set's test images.
package enum QuickStart {
  package static let model = "resnet20"
  package static let alpha = 0.25
  package static let epochs = 3
  package static let batchSize = 50
  package static let learningRate = 0.1
  package static let muonLearningRate = 0.02

  package static var network: ModelConfiguration { ModelConfiguration(name: model, alpha: alpha) }

  package static func configuration(data: String, normalization: Normalization, threads: Int)
    -> TrainingConfiguration
  {
    TrainingConfiguration(
      model: network, data: data, epochs: epochs, batchSize: batchSize, optimizer: .sgd,
      schedule: LearningRateSchedule(base: learningRate, shape: .cosine), normalization: normalization,
      threads: threads)
  }
}
