/// Everything that determines a run, saved as `config.json` in its directory. Same configuration, same bits, whatever
/// `threads` is.
public struct TrainingConfiguration: Codable, Equatable, Sendable {
  /// `nil` where the caller brings a network of its own.
  public var model: ModelConfiguration?
  /// `synthetic`, `cifar10:DIR`, …
  public var data: String
  public var epochs: Int
  public var batchSize: Int
  public var optimizer: OptimizerConfiguration
  public var schedule: LearningRateSchedule
  public var weightDecay: Float
  /// Weight decay for the weights of convolutions and linear layers only.
  public var excludeNormsAndBiases: Bool
  public var labelSmoothing: Float
  /// Largest allowed norm of all gradients together.
  public var clipGradientNorm: Double?
  public var augmentation: Augmentation
  public var normalization: Normalization
  public var seed: UInt64
  public var threads: Int
  /// Use only the first so many images.
  public var trainLimit: Int?
  public var testLimit: Int?
  /// Besides the one after every epoch.
  public var checkpointEverySteps: Int?

  public init(
    model: ModelConfiguration?, data: String = "synthetic", epochs: Int = 10, batchSize: Int = 100,
    optimizer: OptimizerConfiguration = .sgd,
    schedule: LearningRateSchedule = LearningRateSchedule(base: 0.1, shape: .cosine),
    weightDecay: Float = 5e-4,
    excludeNormsAndBiases: Bool = false, labelSmoothing: Float = 0, clipGradientNorm: Double? = nil,
    augmentation: Augmentation = .none, normalization: Normalization, seed: UInt64 = 1, threads: Int,
    trainLimit: Int? = nil, testLimit: Int? = nil, checkpointEverySteps: Int? = nil
  ) {
    self.model = model
    self.data = data
    self.epochs = epochs
    self.batchSize = batchSize
    self.optimizer = optimizer
    self.schedule = schedule
    self.weightDecay = weightDecay
    self.excludeNormsAndBiases = excludeNormsAndBiases
    self.labelSmoothing = labelSmoothing
    self.clipGradientNorm = clipGradientNorm
    self.augmentation = augmentation
    self.normalization = normalization
    self.seed = seed
    self.threads = threads
    self.trainLimit = trainLimit
    self.testLimit = testLimit
    self.checkpointEverySteps = checkpointEverySteps
  }

  /// The names `recipe(named:data:threads:)` takes.
  public static let recipeNames = ["seed"]

  /// A published recipe, `nil` for an unknown name.
  ///
  /// `seed`: the CIFAR-10 notebook this package began with. Oct-ResNet-50 (α = 0.125) with its ImageNet stem on 32×32
  /// images, Adam at 1e-3, weight decay 5e-4, batches of 100, crop 4 and flip, 50 epochs.
  public static func recipe(named name: String, data: String, threads: Int) -> TrainingConfiguration? {
    guard name == "seed" else { return nil }
    return TrainingConfiguration(
      model: ModelConfiguration(name: "resnet50", alpha: 0.125, stem: .imagenet, variant: .seed),
      data: data, epochs: 50, batchSize: 100, optimizer: .adam,
      schedule: LearningRateSchedule(base: 1e-3), weightDecay: 5e-4,
      augmentation: Augmentation(cropPadding: 4, horizontalFlip: true),
      normalization: Normalization(mean: [0.507, 0.487, 0.441], std: [0.267, 0.256, 0.276]), threads: threads)
  }

  /// - Throws: `OctNetError.configuration` for the first setting out of its range.
  public func validate() throws(OctNetError) {
    func atLeastOne(_ value: Int?, _ key: String) throws(OctNetError) {
      guard let value, value < 1 else { return }
      throw OctNetError.configuration(key: key, "expected 1 or more, found \(value)")
    }
    try atLeastOne(epochs, "epochs")
    try atLeastOne(batchSize, "batchSize")
    try atLeastOne(threads, "threads")
    try atLeastOne(trainLimit, "trainLimit")
    try atLeastOne(testLimit, "testLimit")
    try atLeastOne(checkpointEverySteps, "checkpointEverySteps")
    guard weightDecay >= 0, weightDecay.isFinite else {
      throw OctNetError.configuration(key: "weightDecay", "expected 0 or more, found \(weightDecay)")
    }
    guard labelSmoothing >= 0, labelSmoothing < 1 else {
      throw OctNetError.configuration(
        key: "labelSmoothing", "expected 0 or more and less than 1, found \(labelSmoothing)")
    }
    if let norm = clipGradientNorm, !(norm > 0 && norm.isFinite) {
      throw OctNetError.configuration(key: "clipGradientNorm", "expected a number above 0, found \(norm)")
    }
    guard augmentation.cropPadding >= 0 else {
      throw OctNetError.configuration(
        key: "augmentation.cropPadding", "expected 0 or more, found \(augmentation.cropPadding)")
    }
    try normalization.validate(channels: normalization.mean.count)
    try optimizer.validate()
    try schedule.validate()
    guard schedule.warmupEpochs <= epochs else {
      throw OctNetError.configuration(
        key: "warmupEpochs", "expected at most the \(epochs) epochs, found \(schedule.warmupEpochs)")
    }
  }

  /// - Throws: `OctNetError.configuration` that names the settings that differ and would make the run another one.
  func validate(continuing earlier: TrainingConfiguration) throws(OctNetError) {
    var comparable = earlier
    comparable.data = data
    comparable.threads = threads
    comparable.epochs = epochs
    comparable.checkpointEverySteps = checkpointEverySteps
    guard comparable != self else { return }
    throw OctNetError.configuration(
      key: StrictJSON.differingKeys(self, comparable).joined(separator: ", "),
      "differs from the settings of the run; only data, threads, epochs and checkpointEverySteps may change")
  }

  // MARK: Files

  /// Reads a `config.json`.
  /// - Throws: `OctNetError.file` for an unreadable file, a missing, unknown or mistyped key.
  public init(path: String) throws(OctNetError) {
    let bytes = try FileReader.bytes(of: path)
    do throws(StrictJSON.Failure) {
      self = try StrictJSON.decode(Self.self, from: bytes)
    } catch { throw OctNetError.file(path: path, error.problem) }
  }

  public func write(to path: String) throws(OctNetError) {
    let text: String
    do throws(StrictJSON.Failure) {
      text = try StrictJSON.encode(self, pretty: true)
    } catch { throw OctNetError.file(path: path, error.problem) }
    try AtomicFile.write(text + "\n", to: path)
  }
}
