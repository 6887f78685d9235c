import OctNet
import OctNetTensorBoard

/// A run of five steps an epoch whose every bit is determined, with a network that costs nothing.
enum TinyRun {
  static let stepsPerEpoch = 5
  static let normalization = Normalization(mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25])
  static let data = DataSplit(train: images(30), test: images(9), normalization: normalization)

  /// Two classes, four images of the first, then four of the second, and so on; bright and dark.
  private static func images(_ count: Int) -> ImageSet {
    let labels = (0..<count).map { $0 / 4 % 2 }
    return ImageSet(
      name: "tiny", height: 6, width: 6, channels: 3, classNames: ["dark", "bright|light"],
      pixels: labels.enumerated().flatMap { index, label in
        (0..<6 * 6 * 3).map { UInt8((index * 31 + $0 * 17) % 100 + 100 * label) }
      }, labels: labels)
  }

  static func network() throws -> Network {
    try Network(inputShape: MapShape(height: 6, width: 6, channels: 3), seed: 1) { image in
      let conv = OctConv2d(
        "conv", inputChannels: 3, outputChannels: 4, kernelSize: 3, padding: 1, alphaIn: 0, alphaOut: 0)
      let x = try ReLU()(BatchNorm2d("norm", channels: 4)(conv(image)))
      return try Linear("classes", inputChannels: 4, outputChannels: 2)(GlobalAvgPool()(x))
    }
  }

  static func configuration(epochs: Int, threads: Int = 1) -> TrainingConfiguration {
    TrainingConfiguration(
      model: nil, data: "tiny", epochs: epochs, batchSize: 6,
      schedule: LearningRateSchedule(base: 0.05, shape: .cosine), normalization: normalization,
      threads: threads,
      checkpointEverySteps: 3)
  }

  struct Killed: Error {}

  /// Trains with a writer, and ends by an error after `step` steps of this call, where it is given.
  /// - Returns: all events of the trainer.
  @discardableResult
  static func train(
    into directory: RunDirectory, epochs: Int = 3, resuming: Bool = false, killedAfter step: Int? = nil,
    writer: (TestPredictions) -> TensorBoardWriter
  ) throws -> [TrainingEvent] {
    let network = try network()
    let writer = writer(
      TestPredictions(network: network, dataset: data.test, normalization: normalization, threads: 1))
    var events: [TrainingEvent] = []
    let trainer = try Trainer(
      network: network, configuration: configuration(epochs: epochs), data: data, directory: directory,
      resuming: resuming ? TrainingState(path: directory.statePath) : nil,
      onEvent: { event in
        events.append(event)
        writer.handle(event)
      })
    var steps = 0
    do {
      try trainer.run {
        steps += 1
        if steps == step { throw Killed() }
        return false
      }
    } catch is Killed { writer.flush() }
    return events
  }
}
