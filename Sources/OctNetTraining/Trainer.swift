import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport

/// Trains a network: epochs of steps, evaluations and checkpoints between them.
///
/// Seeded and exact: the same configuration gives the same bits for any number of threads, and a run that was stopped
/// and resumed, even in the middle of an epoch, those of one that was not. Call it from one thread.
public final class Trainer {
  /// As given.
  public let configuration: TrainingConfiguration
  /// In training; `evaluatedNetwork` may be its average.
  public let network: Network
  /// After the last batch.
  public internal(set) var position: TrainingPosition

  /// Under the run's class names and numbers; with `validation` the images held back for it.
  public let data: DataSplit
  /// `nil` writes nothing.
  public let directory: RunDirectory?
  /// Why the run that was resumed is done already, `nil` where there is something to train.
  public let nothingToDo: String?

  let onEvent: (TrainingEvent) -> Void
  let loss: any Loss
  let hooks: TrainerHooks
  let updater: WeightUpdater
  /// Sizes of the images from epoch to epoch; where there is one only, one.
  let stages: [TrainingStage]
  /// Of `stages`, the one that `loader` and `updater` are for.
  var stage: Int
  var loader: BatchLoader
  let plan: EpochPlan
  let images: RunImages
  /// Of the directory, from here to the end of `run`.
  private let lock: RunLock?
  /// What this session's latest evaluation took; `nil` before the first.
  var scoringSeconds: Double?
  private var notes: [String] = []
  var log: TrainingLog
  var results: RunResults
  /// After the last update of the weights: behind `position` where batches are being accumulated.
  var updatedPosition = TrainingPosition()
  /// Of the last update.
  var learningRate = 0.0
  /// What the state's file holds.
  var savedPosition: TrainingPosition?
  /// Images that were left out in this session, so that each is told once.
  var skipped: Set<String> = []
  /// Without a directory, the weights that will be scored on the test images.
  var bestNetwork: Network?

  /// - Parameters:
  ///   - configuration: everything that determines the run.
  ///   - data: the images of the run.
  ///   - network: usually `configuration.model`'s `makeNetwork(seed:)`; trained in place.
  ///   - directory: where to write; `nil` writes nothing. It is locked until `run` returns or the trainer is gone.
  ///   - state: goes on where this state was written; its weights replace the network's.
  ///   - classesByNumber: where a resumed run gets data with other class names, takes its classes by number.
  ///   - loss: `nil` for cross-entropy with the configuration's label smoothing. For data with targets in place of classes,
  ///     such as `BinaryCrossEntropy` or `MeanSquaredError`.
  ///   - hooks: what the run does beside its settings.
  ///   - onEvent: called on the caller's thread.
  /// - Throws: `OctNetError` for settings, data and state that do not fit each other, before anything is written; for a
  ///   directory in which another process is at work, and for a `config.json` that cannot be written.
  public init(
    network: Network, configuration: TrainingConfiguration, data: DataSplit, directory: RunDirectory? = nil,
    resuming state: TrainingState? = nil, classesByNumber: Bool = false,
    loss: (any Loss)? = nil, hooks: TrainerHooks = TrainerHooks(),
    onEvent: @escaping (TrainingEvent) -> Void = { _ in }
  ) throws {
    try configuration.validate()
    try configuration.validate(ranks: hooks.ranks?.ranks ?? 1)
    self.hooks = hooks
    images = try RunImages(data, configuration, continuing: state, classesByNumber: classesByNumber)
    var data = images.data
    stages = try TrainingStage.all(network, data.train, configuration)
    // All else is for the last size.
    if configuration.imageSizes != nil { data = try data.scaled(to: network.inputShape.height) }
    let loss = try configuration.loss(loss, training: data.train)
    self.loss = loss
    try configuration.augmentation.validate(for: data.train)
    for part in [data.train, data.validation, data.test].compactMap({ $0 }) {
      try network.check(fits: part, normalization: configuration.normalization)
      try loss.requireTargets(of: part, network: network)
    }
    try network.setFrozen(true, configuration.frozen ?? [])
    let preparationSeconds =
      state == nil && configuration.initialWeights == nil
      ? try Self.whiten(network, data.train, configuration) : 0
    self.configuration = configuration
    self.network = network
    self.data = data
    self.directory = directory
    self.onEvent = onEvent
    let trainImages = min(data.train.count, configuration.trainLimit ?? data.train.count)
    let testImages = min(data.test.count, configuration.testLimit ?? data.test.count)
    let headroom = MemoryDemand.headroom()
    stage = stages.index(at: state?.position.epoch ?? 0)
    let largest = stages.map(\.images).max { $0.imageSize < $1.imageSize } ?? data.train
    let (test, graphs) = (data.test, [stages[stage].graph] + stages.map(\.graph))
    updater = try WeightUpdater(
      network: network, graphs: stages.count == 1 ? [] : graphs, configuration: configuration, loss: loss,
      ranks: hooks.ranks, bucket: hooks.bucket
    ) { batch in
      // Batches in preparation are those of training or of an evaluation.
      headroom
        + max(
          BatchLoader.bytes(of: largest, batchSize: batch, sampleCount: trainImages),
          Evaluator.bytes(network: network, dataset: test, batchSize: batch, sampleCount: testImages))
    }
    let trainingGraphs = stages.map { $0.graph.freezingNorms(network.demand()) }
    // All epochs have the same batches.
    let leavesOutSingleImage = trainingGraphs.contains { $0.onePixelNorm != nil }
    loader = configuration.loader(
      for: stages[stage].images, leavesOutSingleImage: leavesOutSingleImage,
      needed: hooks.neededImages(configuration.shardPlan(of: trainingGraphs[stage])))
    var plan = EpochPlan(
      images: loader.sampleCount, batchSize: configuration.batchSize,
      accumulationSteps: configuration.accumulationSteps, leavesOutSingleImage: leavesOutSingleImage)
    if configuration.lastEpochShare != nil {
      plan.lastStep = configuration.totalSteps(stepsPerEpoch: plan.steps)
    }
    self.plan = plan
    lock = directory.map { $0.lock ?? RunLock(path: $0.path) }
    position = state?.position ?? TrainingPosition(preparationSeconds: preparationSeconds)
    log = state?.log ?? TrainingLog()
    results = state?.results ?? RunResults()
    if images.chosenOn == .validation { results.chosenOn = .validation }
    notes += images.notes

    let imageCount = loader.sampleCount
    guard imageCount > 0 else { throw OctNetError.configuration(key: "data", "the training set is empty") }
    guard plan.updates(epochs: configuration.epochs, batches: 0) != nil else {
      throw OctNetError.configuration(
        key: "epochs",
        "found \(configuration.epochs), of \(numbered(plan.steps, "update")) each: more than can be counted")
    }
    var resumption: Resumption?
    if let state {
      try configuration.validate(continuing: state.configuration)
      guard state.position.epochImages == imageCount else {
        throw OctNetError.configuration(
          key: "data",
          "the run began with \(numbered(state.position.epochImages, "training image")), found \(imageCount)")
      }
      try images.check(continuing: state)
      resumption = try Resumption(
        results, batch: position.batch, earlier: state.configuration, now: configuration)
      try state.validate(plan, isDone: resumption?.isDone == true, path: directory?.statePath ?? "state")
      do throws(OctNetError) {
        try network.load(state.network)
        try updater.optimizer.load(state.optimizer, step: state.position.step, of: network)
        try updater.average?.network.load(state.average)
      } catch { throw error.naming(directory?.statePath) }
    }
    switch resumption {
    case .nothingToDo(let reason): nothingToDo = results.isTestDue ? nil : reason
    case .goesOn(let patienceFrom):
      nothingToDo = nil
      (results.outcome, results.patienceFrom, results.test) = (.unfinished, patienceFrom, nil)
    case nil: nothingToDo = nil
    }
    position.epochImages = imageCount
    updatedPosition = position
    if nothingToDo == nil {
      for graph in trainingGraphs { try configuration.validateBatches(of: graph, images: imageCount) }
      if plan.leftOut > 0 {
        notes.append(
          "1 of \(numbered(imageCount, "training image")), another one each epoch, is left out: a batch of one has no statistics "
            + "where maps are one pixel")
      }
    }
    if let state, position.step > 0 {
      let earlier = state.configuration
      learningRate =
        position.learningRate ?? earlier.learningRate(step: position.step - 1, stepsPerEpoch: stepsPerEpoch)
      notes += [
        configuration.rateChange(since: earlier, step: position.step, stepsPerEpoch: stepsPerEpoch)
      ].compactMap { $0 }
    }
    if directory == nil, images.chosenOn == .validation, position.batch == 0, position.epoch > 0,
      results.best?.epoch == position.epoch
    {
      bestNetwork = Network(copying: evaluatedNetwork)
    }
    try lock?.acquire()
    try restoreFiles()
  }

  /// Trains up to the last epoch, or until the run stops early. Where there is nothing to do, `.finished` is all it tells.
  ///
  /// - Parameter shouldStop: asked after every batch of training and of evaluation; when it says so, the state is written
  ///   and the run is interrupted. An evaluation that was cut short begins again when the run goes on, and so does an
  ///   update of which some batches were accumulated.
  /// - Throws: `OctNetError.training` for a loss that is not a number; `OctNetError.file` for an image that cannot be read,
  ///   after the state was written, and for a checkpoint that cannot be written; earlier files stay as they were. Of several
  ///   ranks each throws `SharedRankError` for an image that one of them cannot read.
  @discardableResult
  public func run(shouldStop: () throws -> Bool = { false }) throws -> TrainingSummary {
    try lock?.acquire()
    defer { lock?.release() }
    // All ranks ask at the same places, and all stop where one was asked to.
    func stops() throws -> Bool {
      let own = try shouldStop()
      return hooks.ranks.map { $0.largest(own ? 1 : 0) > 0 } ?? own
    }
    if nothingToDo == nil { onEvent(.runStarted(report)) }
    var isInterrupted = false
    do {
      while !isDone {
        try trainEpoch(shouldStop: shouldStop)
        try finishEpoch(shouldStop: stops)
        if !isDone { try stopIfAsked(stops) }
      }
      try scoreOnTest(shouldStop: stops)
    } catch is StopRequest {
      isInterrupted = true
      if savedPosition != position { try writeState() }
    } catch let error as OctNetError {
      noteFailure(error)
      throw error
    }
    let summary = TrainingSummary(
      steps: position.step, results: results, seconds: position.earlierSeconds + position.seconds,
      secondsToScore: scoringSeconds == nil ? log.secondsToScore ?? secondsToScore : secondsToScore,
      isInterrupted: isInterrupted)
    onEvent(.finished(summary))
    return summary
  }

  /// As far as the run has come, see `TrainingSummary.secondsToScore`.
  var secondsToScore: Double {
    (position.preparationSeconds ?? 0) + position.earlierSeconds + position.seconds + (scoringSeconds ?? 0)
  }

  private var report: RunReport {
    RunReport(
      configuration: configuration, parameters: network.graph.parameters.reduce(0) { $0 + $1.count },
      trainImages: position.epochImages,
      testImages: min(data.test.count, configuration.testLimit ?? data.test.count),
      validationImages: data.validation?.count, stepsPerEpoch: stepsPerEpoch, position: position,
      directory: directory?.path, notes: notes,
      warnings: [lock?.warning].compactMap { $0 })
  }

  private var isDone: Bool {
    nothingToDo != nil || position.epoch >= configuration.epochs || results.outcome != .unfinished
  }

  /// Ends whatever the run is doing; `run` writes the state.
  struct StopRequest: Error {}

  func stopIfAsked(_ shouldStop: () throws -> Bool) throws {
    if try shouldStop() { throw StopRequest() }
  }

  /// Whose weights are evaluated and saved: `network`, or their moving average.
  public var evaluatedNetwork: Network { updater.result }
}
