import OctNetCheckpoint
import OctNetData
import OctNetModels
import OctNetSupport

/// Everything that determines a run, saved as `config.json` in its directory. Same configuration, same bits, whatever
/// `threads` is.
public struct TrainingConfiguration: Codable, Equatable, Sendable {
  /// `nil` where the caller brings a network of its own.
  public var model: ModelConfiguration?
  /// The checkpoint whose weights the run began with; `nil` where they were random.
  public var initialWeights: String?
  /// `synthetic`, `cifar10:DIR`, …
  public var data: String
  /// Passes over the training images.
  public var epochs: Int
  /// Images of a step.
  public var batchSize: Int
  /// The update rule.
  public var optimizer: OptimizerConfiguration
  /// The learning rate over the epochs.
  public var schedule: LearningRateSchedule
  /// In the gradient for sgd and adam, direct for adamw.
  public var weightDecay: Float
  /// Weight decay for the weights of convolutions and linear layers only.
  public var excludeNormsAndBiases: Bool
  /// Share of the target that is spread over all classes, 0 ..< 1.
  public var labelSmoothing: Float
  /// Largest allowed norm of all gradients together.
  public var clipGradientNorm: Double?
  /// Batches whose gradients make one update together; `batchSize` images are in memory at a time.
  public var accumulationSteps: Int
  /// Parts of a batch, a power of two, each with gradients and norm statistics of its own and added up in a fixed tree, one
  /// in memory at a time; `nil` and 1 leave batches whole.
  public var shards: Int?
  /// Numbers in which gradients of shards are added up; `nil` is float32.
  public var reduceDtype: ReduceDtype?
  /// Decay of the moving average of the weights that is evaluated and saved in their place; `nil` keeps none.
  public var emaDecay: Double?
  /// Of training images.
  public var augmentation: Augmentation
  /// α of the Beta distribution that mixup draws from; `nil` mixes nothing.
  public var mixupAlpha: Double?
  /// α of the Beta distribution that CutMix draws from; `nil` exchanges nothing.
  public var cutmixAlpha: Double?
  /// Of a batch to be mixed; `nil` is 1.
  public var mixupProbability: Double?
  /// Of CutMix where there is mixup too; `nil` is 0.5.
  public var mixupSwitchProbability: Double?
  /// Weights of the classes in the loss; `nil` weighs all alike.
  public var classWeights: ClassWeights?
  /// Draws as many images of each class; `nil` is no, each image once.
  public var balancedSampler: Bool?
  /// Of all images.
  public var normalization: Normalization
  /// Everything random follows from it.
  public var seed: UInt64
  /// No result depends on it.
  public var threads: Int
  /// Use only the first so many images.
  public var trainLimit: Int?
  /// Use only the first so many test images.
  public var testLimit: Int?
  /// Of images in folders: go on without damaged ones; `nil` is no.
  public var skipDamaged: Bool?
  /// Keeps decoded images of folders in memory, in place of reading them each time; `nil` is no. No result depends on it.
  public var inMemory: Bool?
  /// Threads that read, decode and change photographs; `nil` is as many as `threads`. No result depends on it.
  public var workers: Int?
  /// Turns images as EXIF says; `nil` is no.
  public var exifOrientation: Bool?
  /// Share of every class that is taken from the training images for tests, where the data has no images for them; `nil`
  /// takes none.
  public var testShare: Double?
  /// Images in turn that an epoch's order mixes, of data in shards; `nil` is as `ImageFolder.Options` says.
  public var shuffleBuffer: Int?
  /// How images in folders come to the network's size; `nil` as by default.
  public var evaluation: EvaluationSettings?
  /// Training images held back to choose the best epoch and to stop early, so that the test images are seen once, at the
  /// end: how many, or below 1 which share. `nil` holds back none; then the data's own validation images choose, or the
  /// test images where it has none.
  public var validation: Double?
  /// Epochs from one evaluation on the test images to the next; the last epoch is always evaluated.
  public var evaluateEvery: Int
  /// Which weights are the best.
  public var bestMetric: BestMetric
  /// The run ends when the best evaluation is so many epochs old; `nil` trains all epochs.
  public var earlyStoppingEpochs: Int?
  /// Updates from one written state to the next, besides the one after every epoch.
  public var checkpointEverySteps: Int?
  /// Parameters that stay as they are, by their names or what is above them (`Network.freeze`); `nil` for none.
  public var frozen: [String]?
  /// Parameters with a rate, a weight decay or an optimizer of their own; `nil` for none.
  public var parameterGroups: [ParameterGroup]?
  /// Whether rates are for gradients of the batch's sum of losses; `nil` is the mean.
  public var lossReduction: LossReduction?
  /// Share of the last epoch that is trained, with which the schedule ends, too; `nil` is all of it.
  public var lastEpochShare: Double?
  /// Views of each test image in the run's last evaluation; `nil` is one.
  public var testViews: TestViews?
  /// Sizes of the training images from epoch to epoch, of which the last is the network's and that of evaluations; `nil` is
  /// one size.
  public var imageSizes: [ImageSizeStage]?

  /// 10 epochs in batches of 100; the other defaults are those of `octcli train`, but for normalization and threads. `validate` says what does not fit.
  public init(
    model: ModelConfiguration?, data: String = "synthetic", epochs: Int = 10, batchSize: Int = 100,
    optimizer: OptimizerConfiguration = .sgd,
    schedule: LearningRateSchedule = LearningRateSchedule(base: 0.1, shape: .cosine),
    weightDecay: Float = 5e-4,
    excludeNormsAndBiases: Bool = false, labelSmoothing: Float = 0, clipGradientNorm: Double? = nil,
    accumulationSteps: Int = 1, emaDecay: Double? = nil, augmentation: Augmentation = .none,
    mixupAlpha: Double? = nil, normalization: Normalization, seed: UInt64 = 1, threads: Int,
    trainLimit: Int? = nil, testLimit: Int? = nil, evaluateEvery: Int = 1, bestMetric: BestMetric = .top1,
    earlyStoppingEpochs: Int? = nil, checkpointEverySteps: Int? = nil, initialWeights: String? = nil,
    skipDamaged: Bool? = nil, exifOrientation: Bool? = nil, validation: Double? = nil,
    frozen: [String]? = nil, parameterGroups: [ParameterGroup]? = nil, cutmixAlpha: Double? = nil,
    mixupProbability: Double? = nil, mixupSwitchProbability: Double? = nil,
    classWeights: ClassWeights? = nil, balancedSampler: Bool? = nil, lossReduction: LossReduction? = nil,
    lastEpochShare: Double? = nil, testViews: TestViews? = nil,
    evaluation: EvaluationSettings? = nil, shards: Int? = nil, inMemory: Bool? = nil,
    workers: Int? = nil, imageSizes: [ImageSizeStage]? = nil, testShare: Double? = nil,
    shuffleBuffer: Int? = nil, reduceDtype: ReduceDtype? = nil
  ) {
    self.model = model
    self.initialWeights = initialWeights
    self.data = data
    self.epochs = epochs
    self.batchSize = batchSize
    self.optimizer = optimizer
    self.schedule = schedule
    self.weightDecay = weightDecay
    self.excludeNormsAndBiases = excludeNormsAndBiases
    self.labelSmoothing = labelSmoothing
    self.clipGradientNorm = clipGradientNorm
    self.accumulationSteps = accumulationSteps
    self.emaDecay = emaDecay
    self.augmentation = augmentation
    self.mixupAlpha = mixupAlpha
    self.cutmixAlpha = cutmixAlpha
    self.mixupProbability = mixupProbability
    self.mixupSwitchProbability = mixupSwitchProbability
    self.classWeights = classWeights
    self.balancedSampler = balancedSampler
    self.evaluation = evaluation
    self.normalization = normalization
    self.seed = seed
    self.threads = threads
    self.trainLimit = trainLimit
    self.testLimit = testLimit
    self.skipDamaged = skipDamaged
    self.inMemory = inMemory
    self.workers = workers
    self.exifOrientation = exifOrientation
    self.validation = validation
    self.evaluateEvery = evaluateEvery
    self.bestMetric = bestMetric
    self.earlyStoppingEpochs = earlyStoppingEpochs
    self.checkpointEverySteps = checkpointEverySteps
    self.frozen = frozen
    self.parameterGroups = parameterGroups
    self.lossReduction = lossReduction
    self.lastEpochShare = lastEpochShare
    self.testViews = testViews
    self.shards = shards
    self.imageSizes = imageSizes
    self.testShare = testShare
    self.shuffleBuffer = shuffleBuffer
    self.reduceDtype = reduceDtype
  }

  /// - Throws: `OctNetError.configuration` for the first setting out of its range.
  public func validate() throws(OctNetError) {
    for (key, value, bounds) in [
      ("epochs", epochs, SettingBounds.epochs), ("batchSize", batchSize, SettingBounds.batchSize),
      ("threads", threads, SettingBounds.threads), ("workers", workers, SettingBounds.threads),
      ("trainLimit", trainLimit, SettingBounds.images),
      ("shuffleBuffer", shuffleBuffer, SettingBounds.images),
      ("testLimit", testLimit, SettingBounds.images),
      ("accumulationSteps", accumulationSteps, SettingBounds.accumulationSteps),
      ("evaluateEvery", evaluateEvery, SettingBounds.epochs),
      ("earlyStoppingEpochs", earlyStoppingEpochs, SettingBounds.epochs),
      ("checkpointEverySteps", checkpointEverySteps, SettingBounds.steps),
    ] as [(String, Int?, ClosedRange<Int>)] {
      try SettingBounds.check(value, in: bounds, key)
    }
    try augmentation.validate()
    try validateMixing()
    try validateShards()
    try validateImageSizes()
    try evaluation?.validate()
    guard evaluation?.views == nil else {
      throw OctNetError.configuration(
        key: "evaluation.views", "belongs to eval and predict; training evaluates the middle of an image")
    }
    try TrainingImages.checkValidation(validation)
    try TrainingImages.checkTestShare(testShare)
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
    if let decay = emaDecay, !(decay > 0 && decay < 1) {
      throw OctNetError.configuration(key: "emaDecay", "expected more than 0 and less than 1, found \(decay)")
    }
    try normalization.validate(channels: normalization.mean.count)
    try optimizer.validate()
    try schedule.validate()
    for group in parameterGroups ?? [] { try group.validate() }
    if let share = lastEpochShare, !(share > 0 && share <= 1) {
      throw OctNetError.configuration(
        key: "lastEpochShare", "expected more than 0 and at most 1, found \(share)")
    }
    guard schedule.warmupEpochs <= epochs else {
      throw OctNetError.configuration(
        key: "warmupEpochs", "expected at most \(counted(epochs, "epoch")), found \(schedule.warmupEpochs)")
    }
  }

  /// How batches are mixed; `nil` where they are not.
  package var mixing: BatchMixing? {
    guard mixupAlpha != nil || cutmixAlpha != nil else { return nil }
    return BatchMixing(
      mixupAlpha: mixupAlpha, cutmixAlpha: cutmixAlpha, probability: mixupProbability ?? 1,
      switchProbability: mixupSwitchProbability ?? 0.5)
  }

  private func validateMixing() throws(OctNetError) {
    for (key, alpha) in [("mixupAlpha", mixupAlpha), ("cutmixAlpha", cutmixAlpha)] {
      if let alpha, !(alpha > 0 && alpha.isFinite) {
        throw OctNetError.configuration(key: key, "expected a number above 0, found \(alpha)")
      }
    }
    for (key, value, isUsed, owner) in [
      ("mixupProbability", mixupProbability, mixing != nil, "mixupAlpha or cutmixAlpha"),
      (
        "mixupSwitchProbability", mixupSwitchProbability, mixupAlpha != nil && cutmixAlpha != nil,
        "mixupAlpha and cutmixAlpha together"
      ),
    ] {
      guard let value else { continue }
      guard value >= 0, value <= 1 else {
        throw OctNetError.configuration(key: key, "expected 0 to 1, found \(value)")
      }
      guard isUsed else {
        throw OctNetError.configuration(key: key, "belongs to \(owner), which the settings do not have")
      }
    }
  }

  /// What a checkpoint says of the images that these settings leave to learn from.
  package var trainingImages: TrainingImages {
    TrainingImages(
      limit: trainLimit, validation: validation, seed: validation.map { _ in seed },
      exifOrientation: exifOrientation == true ? true : nil, cropRatio: evaluation?.cropRatio,
      interpolation: evaluation?.interpolation?.rawValue, cropMode: evaluation?.cropMode?.rawValue,
      scaledDecoding: evaluation?.scaledDecoding,
      testShare: testShare)
  }

  // MARK: Files

  /// Reads a `config.json`.
  /// - Throws: `OctNetError.file` for an unreadable file, a missing, unknown or mistyped key.
  public init(path: String) throws(OctNetError) { self = try StrictJSON.read(Self.self, path: path) }

  /// The same from text that was read from `path`.
  public init(json: [UInt8], path: String) throws(OctNetError) {
    self = try StrictJSON.read(Self.self, from: json, path: path)
  }

  /// - Throws: `OctNetError.file` for a path that cannot be written; an earlier file stays.
  public func write(to path: String) throws(OctNetError) { try StrictJSON.write(self, to: path) }
}
