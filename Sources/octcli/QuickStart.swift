import OctNet

/// What `octcli train` does without any flag: small enough for three minutes on two cores in a debug build, and above
/// 90 % on the embedded data set's test images.
enum QuickStart {
  static let model = ResNetDepth.resnet20
  static let alpha = 0.25
  static let epochs = 3
  static let batchSize = 50
  static let learningRate = 0.1

  static var network: ModelConfiguration { ModelConfiguration(name: model.rawValue, alpha: alpha) }

  static func configuration(data: String, normalization: Normalization, threads: Int) -> TrainingConfiguration
  {
    TrainingConfiguration(
      model: network, data: data, epochs: epochs, batchSize: batchSize, optimizer: .sgd,
      schedule: LearningRateSchedule(base: learningRate, shape: .cosine), normalization: normalization,
      threads: threads)
  }
}
