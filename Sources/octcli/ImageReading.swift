import OctNet

/// Everything that says which images of a data set are read, and how.
struct ImageReading {
  /// Height and width, for folders of images of any size.
  var size: Int?
  /// That of training images, where the run has images of several sizes.
  var largestSize: Int?
  var channels = 3
  var trainLimit, testLimit: Int?
  var skipsDamaged = false
  var appliesOrientation = false
  var evaluation = EvaluationSettings()
  /// Whether somebody asked for `evaluation`, and not the settings of the run that goes on.
  var isEvaluationGiven = false
  /// Keeps decoded images; as they are, where crops are cut out of them or several sizes are made of them.
  var inMemory = false, keepsPhotographs = false
  var workers: Int?
  /// Of data without test images, and of shards.
  var testShare: Double?, shuffleBuffer: Int?
  /// Where indices of shards lie that are not beside them.
  var indexDirectory: String?
  /// Known already; else it is measured.
  var normalization: Normalization?

  init() {}

  /// - Throws: `OctNetError.configuration` for numbers that no flag would have, but a settings file may.
  func validate() throws(OctNetError) {
    try SettingBounds.check(trainLimit, in: SettingBounds.images, "trainLimit")
    try SettingBounds.check(testLimit, in: SettingBounds.images, "testLimit")
    try SettingBounds.check(workers, in: SettingBounds.threads, "workers")
  }

  /// As a checkpoint's own images were brought to the network, with what was given in place of that.
  ///
  /// - Parameters:
  ///   - path: of the checkpoint.
  ///   - isForeign: whether the network was named, and not by the checkpoint.
  init(
    _ source: String, as checkpoint: Checkpoint, path: String, size: Int?, isForeign: Bool,
    exifOrientation: Bool?, crop: CropOptions, crops: EvaluationSettings.Views?
  ) throws {
    let isFiles = DataOptions.isFiles(source)
    self.size = size ?? checkpoint.model.flatMap { $0.inputHeight == $0.inputWidth ? $0.inputHeight : nil }
    if !isForeign { channels = checkpoint.model?.inputChannels ?? 3 }
    indexDirectory = RunDirectory.of(checkpoint: path).shardIndexPath
    appliesOrientation = exifOrientation ?? (isFiles && checkpoint.trainingImages.exifOrientation == true)
    evaluation = try EvaluationSettings(checkpoint.trainingImages)
    if isFiles || DataOptions.isPrepared(source) {
      // Mirror images are made of what is loaded.
      evaluation.views = crops == .flip ? nil : crops
    } else {
      evaluation.views = nil
      evaluation.scaledDecoding = nil
    }
    evaluation = crop.applied(to: evaluation)
    isEvaluationGiven = !crop.isEmpty
  }

  /// What a run that goes on, or one with these settings, reads.
  init(_ configuration: TrainingConfiguration) {
    if let model = configuration.model, model.inputHeight == model.inputWidth { size = model.inputHeight }
    largestSize = configuration.imageSizes.map { ImageSizePlan(stages: $0).largest }
    channels = configuration.model?.inputChannels ?? 3
    (trainLimit, testLimit) = (configuration.trainLimit, configuration.testLimit)
    skipsDamaged = configuration.skipDamaged ?? false
    appliesOrientation = configuration.exifOrientation ?? false
    evaluation = configuration.evaluation ?? EvaluationSettings()
    inMemory = configuration.inMemory ?? false
    keepsPhotographs = configuration.augmentation.randomResizedCrop != nil || configuration.imageSizes != nil
    workers = configuration.workers ?? configuration.threads
    normalization = configuration.normalization
    (testShare, shuffleBuffer) = (configuration.testShare, configuration.shuffleBuffer)
  }
}
