import Testing

import OctNet

/// Noisy 6×6 images whose class shows in the colour.
struct TinyImages: Dataset {
  let name = "tiny"
  let count: Int
  let height = 6
  let width = 6
  let channels = 3
  let classNames = ["red", "green", "blue", "grey"]
  var seed: UInt64 = 1

  func label(at index: Int) -> Int { (index * 7 + Int(seed)) % classNames.count }

  func copyPixels(at index: Int, to pixels: UnsafeMutablePointer<UInt8>) {
    var stream = RandomStream(seed: seed, "tiny", index)
    let label = label(at: index)
    for pixel in 0..<height * width * channels {
      pixels[pixel] = UInt8(stream.index(below: 150)) + (pixel % 3 == label ? 100 : 20)
    }
  }
}

/// What the tests of training share: seconds of work for a whole run in a debug build would be too many.
enum TinyRun {
  static let normalization = Normalization(mean: [0.4, 0.5, 0.6], std: [0.2, 0.25, 0.3])
  static let data = split(TinyImages(count: 22), TinyImages(count: 9, seed: 2))

  static func split(_ train: any Dataset, _ test: any Dataset) -> DataSplit {
    DataSplit(train: train, test: test, normalization: normalization)
  }

  static func network(seed: UInt64 = 1) throws -> Network {
    try Network(inputShape: MapShape(height: 6, width: 6, channels: 3), seed: seed) { image in
      let enter = OctConv2d(
        "enter", inputChannels: 3, outputChannels: 6, kernelSize: 3, padding: 1, alphaIn: 0, alphaOut: 0.5)
      let leave = OctConv2d(
        "leave", inputChannels: 6, outputChannels: 5, kernelSize: 3, stride: 2, padding: 1, alphaIn: 0.5,
        alphaOut: 0)
      var x = try ReLU()(BatchNorm2d("norm1", channels: 6, alpha: 0.5)(enter(image)))
      x = try ReLU()(BatchNorm2d("norm2", channels: 5)(leave(x)))
      x = try Dropout(0.1)(GlobalAvgPool()(x))
      return try Linear("classes", inputChannels: 5, outputChannels: 4)(x)
    }
  }

  static func configuration(threads: Int = 1, epochs: Int = 3) -> TrainingConfiguration {
    TrainingConfiguration(
      model: nil, data: "tiny", epochs: epochs, batchSize: 5,
      schedule: LearningRateSchedule(base: 0.05, shape: .cosine, warmupEpochs: 1), weightDecay: 1e-3,
      excludeNormsAndBiases: true, labelSmoothing: 0.1,
      augmentation: Augmentation(cropPadding: 1, horizontalFlip: true),
      normalization: normalization, seed: 5, threads: threads)
  }
}

extension TinyRun {
  /// A run that has ended: its network, every step's loss, and what `Trainer.run` said.
  struct Ended {
    let network: Network
    let losses: [UInt64]
    let directory: RunDirectory
    let summary: TrainingSummary
  }

  /// Trains in sessions that end after the given steps of the whole run; each starts from the files alone.
  static func train(
    _ path: String, _ configuration: TrainingConfiguration, stoppingAfter stops: [Int], threads: [Int],
    network makeNetwork: (_ seed: UInt64) throws -> Network
  ) throws -> Ended {
    var losses: [UInt64] = []
    let run = try RunDirectory.create(path)
    for part in 0...stops.count {
      var configuration = configuration
      if part < threads.count { configuration.threads = threads[part] }
      // Another seed: what counts must come from the file.
      let network = try makeNetwork(UInt64(part + 1))
      let state = part == 0 ? nil : try TrainingState(path: RunDirectory.open(run.path).statePath)
      let trainer = try Trainer(
        network: network, configuration: configuration, data: data, directory: run, resuming: state
      ) { event in
        if case .step(let report) = event { losses.append(report.loss.bitPattern) }
      }
      let summary = try trainer.run { part < stops.count && trainer.position.step >= stops[part] }
      #expect(summary.isInterrupted == (part < stops.count))
      if part == stops.count {
        return Ended(network: network, losses: losses, directory: run, summary: summary)
      }
    }
    throw OctNetError.training("the loop above returns")
  }
}

extension Network {
  /// Bits of everything that training changes.
  var bits: [String: [UInt64]] {
    var bits: [String: [UInt64]] = [:]
    for (name, value) in stateDictionary() {
      switch value {
      case .tensor(let tensor): bits[name] = tensor.values.map { UInt64($0.bitPattern) }
      case .counter(let count): bits[name] = [UInt64(bitPattern: count)]
      }
    }
    return bits
  }
}

/// The error `body` throws.
func error(of body: () throws -> some Any) -> OctNetError? {
  do {
    _ = try body()
    return nil
  } catch { return error as? OctNetError }
}
