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
  public private(set) var position: TrainingPosition

  /// Under the run's class names and numbers; with `validation` the images held back for it.
  public let data: DataSplit
  /// `nil` writes nothing.
  public let directory: RunDirectory?
  /// Why the run that was resumed is done already, `nil` where there is something to train.
  public let nothingToDo: String?

  private let onEvent: (TrainingEvent) -> Void
  private let loss: any Loss
  private let hooks: TrainerHooks
  private let updater: WeightUpdater
  private let loader: BatchLoader
  private let plan: EpochPlan
  private let images: RunImages
  /// Of the directory, from here to the end of `run`.
  private let lock: RunLock?
  /// What looking at the images before the first step took, and the latest evaluation.
  private let preparationSeconds: Double
  private var scoringSeconds = 0.0
  private var notes: [String] = []
  private var log: TrainingLog
  private var results: RunResults
  /// After the last update of the weights: behind `position` where batches are being accumulated.
  private var updatedPosition = TrainingPosition()
  /// Of the last update.
  private var learningRate = 0.0
  /// What the state's file holds.
  private var savedPosition: TrainingPosition?
  /// Without a directory, the weights that will be scored on the test images.
  private var bestNetwork: Network?

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
    self.hooks = hooks
    images = try RunImages(data, configuration, continuing: state, classesByNumber: classesByNumber)
    let data = images.data
    let loss = try configuration.loss(loss, training: data.train)
    self.loss = loss
    try configuration.augmentation.validate(for: data.train)
    for part in [data.train, data.validation, data.test].compactMap({ $0 }) {
      try network.check(fits: part, normalization: configuration.normalization)
      try loss.requireTargets(of: part, network: network)
    }
    try network.setFrozen(true, configuration.frozen ?? [])
    preparationSeconds =
      state == nil && configuration.initialWeights == nil
      ? Self.whiten(network, data.train, configuration) : 0
    self.configuration = configuration
    self.network = network
    self.data = data
    self.directory = directory
    self.onEvent = onEvent
    let trainImages = min(data.train.count, configuration.trainLimit ?? data.train.count)
    let testImages = min(data.test.count, configuration.testLimit ?? data.test.count)
    let headroom = MemoryDemand.headroom()
    updater = try WeightUpdater(network: network, configuration: configuration, loss: loss) { batch in
      // Batches in preparation are those of training or of an evaluation.
      headroom
        + max(
          BatchLoader.bytes(of: data.train, batchSize: batch, sampleCount: trainImages),
          Evaluator.bytes(network: network, dataset: data.test, batchSize: batch, sampleCount: testImages))
    }
    let trainingGraph = network.graph.freezingNorms(network.demand())
    let leavesOutSingleImage = trainingGraph.onePixelNorm != nil
    loader = configuration.loader(for: data.train, leavesOutSingleImage: leavesOutSingleImage)
    var plan = EpochPlan(
      images: loader.sampleCount, batchSize: configuration.batchSize,
      accumulationSteps: configuration.accumulationSteps, leavesOutSingleImage: leavesOutSingleImage)
    if configuration.lastEpochShare != nil {
      plan.lastStep = configuration.totalSteps(stepsPerEpoch: plan.steps)
    }
    self.plan = plan
    lock = directory.map { $0.lock ?? RunLock(path: $0.path) }
    position = state?.position ?? TrainingPosition()
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
      try configuration.validateBatches(of: trainingGraph, images: imageCount)
      if plan.leftOut > 0 {
        notes.append(
          "1 of \(numbered(imageCount, "training image")), another one each epoch, is left out: a batch of one has no statistics "
            + "where maps are one pixel")
      }
    }
    if let state, position.step > 0 {
      let earlier = state.configuration
      learningRate = earlier.learningRate(step: position.step - 1, stepsPerEpoch: stepsPerEpoch)
      notes += [
        configuration.rateChange(since: earlier, step: position.step, stepsPerEpoch: stepsPerEpoch)
      ].compactMap { $0 }
    }
    try lock?.acquire()
    try restoreFiles()
  }

  /// Trains up to the last epoch, or until the run stops early. Where there is nothing to do, `.finished` is all it tells.
  ///
  /// - Parameter shouldStop: asked after every batch of training and of evaluation; when it says so, the state is written
  ///   and the run is interrupted. An evaluation that was cut short begins again when the run goes on, and so does an
  ///   update of which some batches were accumulated.
  /// - Throws: `OctNetError.training` for a loss that is not a number, `OctNetError.file` for a checkpoint that cannot
  ///   be written; earlier files stay as they were.
  @discardableResult
  public func run(shouldStop: () throws -> Bool = { false }) throws -> TrainingSummary {
    try lock?.acquire()
    defer { lock?.release() }
    if nothingToDo == nil { onEvent(.runStarted(report)) }
    var isInterrupted = false
    do {
      while !isDone {
        try trainEpoch(shouldStop: shouldStop)
        try finishEpoch(shouldStop: shouldStop)
        if !isDone { try stopIfAsked(shouldStop) }
      }
      try scoreOnTest(shouldStop: shouldStop)
    } catch is StopRequest {
      isInterrupted = true
      if savedPosition != position { try writeState() }
    }
    let summary = TrainingSummary(
      steps: position.step, results: results, seconds: position.earlierSeconds + position.seconds,
      secondsToScore: preparationSeconds + position.earlierSeconds + position.seconds + scoringSeconds,
      isInterrupted: isInterrupted)
    onEvent(.finished(summary))
    return summary
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
  private struct StopRequest: Error {}

  private func stopIfAsked(_ shouldStop: () throws -> Bool) throws {
    if try shouldStop() { throw StopRequest() }
  }

  /// Whose weights are evaluated and saved: `network`, or their moving average.
  public var evaluatedNetwork: Network { updater.result }

  // MARK: An epoch

  /// Updates of the weights; the last one of an epoch may see fewer batches.
  private var stepsPerEpoch: Int { plan.steps }

  /// What is left of the epoch's training: nothing where only its evaluation is due.
  private func trainEpoch(shouldStop: () throws -> Bool) throws {
    let clock = ContinuousClock()
    let start = clock.now
    let secondsBefore = position.seconds
    var stepLoss = (sum: 0.0, images: 0)
    let end = batchesOfThisEpoch
    try loader.forEachBatch(epoch: position.epoch, startingAt: position.batch, upTo: end) { batch in
      let isLast =
        (batch.index + 1) % configuration.accumulationSteps == 0 || batch.index + 1 == end
      learningRate = configuration.learningRate(step: position.step, stepsPerEpoch: stepsPerEpoch)
      updater.courses = configuration.courses(step: position.step, stepsPerEpoch: stepsPerEpoch)
      let place = TrainerHooks.Place(epoch: position.epoch, step: position.step, batch: batch.index)
      learningRate = try hooks.apply(to: batch, at: place, scheduled: learningRate)
      let result = try process(batch, isLast: isLast, learningRate: learningRate)
      stepLoss.sum += Double(result.loss) * Double(batch.count)
      stepLoss.images += batch.count
      if isLast {
        position.step += 1
        position.seconds = secondsBefore + (clock.now - start).inSeconds
        updatedPosition = position
        onEvent(.step(stepReport(loss: stepLoss.sum / Double(stepLoss.images), learningRate: learningRate)))
        stepLoss = (0, 0)
        if isCheckpointDue { try writeState() }
      }
      if try shouldStop() {
        // No state holds the gradients between two updates.
        if !isLast { takeBackAccumulatedBatches() }
        throw StopRequest()
      }
    }
  }

  /// Fewer in the last epoch of a training that ends in its middle.
  private var batchesOfThisEpoch: Int {
    guard let last = plan.lastStep else { return loader.batchesPerEpoch }
    return min(
      loader.batchesPerEpoch, (last - position.epoch * stepsPerEpoch) * configuration.accumulationSteps)
  }

  private var isCheckpointDue: Bool {
    // An epoch's end has a checkpoint of its own.
    guard let interval = configuration.checkpointEverySteps, position.batch < batchesOfThisEpoch else {
      return false
    }
    return position.step % interval == 0
  }

  private func takeBackAccumulatedBatches() {
    updater.takeBackAccumulatedBatches()
    position = updatedPosition
  }

  /// Passes over one batch, the update where it is due, and the position after it.
  private func process(_ batch: Batch, isLast: Bool, learningRate: Double) throws -> StepResult {
    var random = RandomStream(
      seed: configuration.seed, "dropout", position.epoch * loader.batchesPerEpoch + batch.index)
    let result: StepResult
    do throws(OctNetError) {
      result = try updater.process(
        batch, isLast: isLast, learningRate: learningRate, dropoutSeed: random.next())
    } catch {
      guard case .training(let problem) = error else { throw error }
      throw OctNetError.training(
        "epoch \(position.epoch + 1), step \(position.step % stepsPerEpoch + 1): \(problem); "
          + "try a lower learning rate, a warm-up or gradient clipping")
    }
    position.batch += 1
    position.lossSum += Double(result.loss) * Double(batch.count)
    position.correct += result.correct
    position.images += batch.count
    return result
  }

  private func stepReport(loss: Double, learningRate: Double) -> StepReport {
    StepReport(
      epoch: position.epoch + 1, epochs: configuration.epochs,
      step: position.step - position.epoch * stepsPerEpoch,
      stepsPerEpoch: plan.lastStep.map { min(stepsPerEpoch, $0 - position.epoch * stepsPerEpoch) }
        ?? stepsPerEpoch,
      totalSteps: position.step, loss: loss, meanLoss: position.lossSum / Double(position.images),
      accuracy: Double(position.correct) / Double(position.images), learningRate: learningRate,
      imagesPerSecond: imagesPerSecond)
  }

  private var imagesPerSecond: Double { Double(position.images) / max(position.seconds, 1e-9) }

  /// The evaluation and what follows from it. Where it is cut short, the position stays behind the epoch's last batch.
  private func finishEpoch(shouldStop: () throws -> Bool) throws {
    let epoch = position.epoch + 1
    let isDue = epoch % configuration.evaluateEvery == 0 || epoch == configuration.epochs
    var test =
      isDue ? try evaluate(evaluatedNetwork, on: images.chosenOn, shouldStop: shouldStop) : nil
    if let found = test { test?.metric = try hooks.metric?(evaluatedNetwork, found) }
    let isBest = keepScore(test, epoch: epoch)
    let report = EpochReport(
      epoch: epoch, epochs: configuration.epochs, trainLoss: position.lossSum / Double(position.images),
      trainAccuracy: Double(position.correct) / Double(position.images), test: test,
      evaluatedOn: images.chosenOn, learningRate: learningRate, seconds: position.seconds,
      imagesPerSecond: imagesPerSecond, isBest: isBest)
    if try hooks.epochEnd?(report, evaluatedNetwork) == true, results.outcome == .unfinished {
      results.outcome = .stoppedEarly
    }

    var next = position
    next.epoch += 1
    next.batch = 0
    next.earlierSeconds += next.seconds
    (next.lossSum, next.correct, next.images, next.seconds) = (0, 0, 0, 0)
    position = next
    updatedPosition = next
    log.append(report)
    onEvent(.epochFinished(report))
    try writeCheckpoints(isBest: isBest)
  }

  private func evaluate(
    _ network: Network, on part: EvaluationImages, shouldStop: () throws -> Bool
  ) throws -> EvaluationResult {
    let dataset = part == .validation ? data.validation ?? data.test : data.test
    let limit = part == .test ? configuration.testLimit : nil
    let clock = ContinuousClock()
    let start = clock.now
    // Of the last one alone; a training may end with it.
    defer { scoringSeconds = (clock.now - start).inSeconds }
    var evaluator = Evaluator(
      network: network, normalization: configuration.normalization,
      batchSize: configuration.batchSize, threads: configuration.threads)
    evaluator.leavesHeadroom = false
    evaluator.loss = loss
    if position.step == plan.updates(epochs: configuration.epochs, batches: 0) {
      evaluator.views = configuration.testViews ?? .one
    }
    return try evaluator.evaluate(dataset, limit: limit) { done, total in
      onEvent(.evaluating(done: done, total: total))
      // After the last batch the result is there.
      if done < total { try stopIfAsked(shouldStop) }
    }
  }

  /// Enters an epoch into the results.
  /// - Returns: whether its evaluation is the best so far.
  private func keepScore(_ test: EvaluationResult?, epoch: Int) -> Bool {
    results.epochs = epoch
    if epoch >= configuration.epochs { results.outcome = .finished }
    guard let test else { return false }
    let score = RunResults.Score(epoch: epoch, evaluation: test)
    results.last = score
    if let best = results.best, !configuration.bestMetric.prefers(test, to: best.evaluation) {
      if epoch < configuration.epochs && results.isOld(configuration, after: epoch) {
        results.outcome = .stoppedEarly
      }
      return false
    }
    results.best = score
    if directory == nil && images.chosenOn == .validation { bestNetwork = Network(copying: evaluatedNetwork) }
    return true
  }

  /// The last of a run with validation images: the weights that those chose, on the test images. Where it is cut short,
  /// it begins again when the run goes on.
  private func scoreOnTest(shouldStop: () throws -> Bool) throws {
    guard results.isTestDue, let best = results.best else { return }
    var chosen = evaluatedNetwork
    if best.epoch != position.epoch {
      chosen = bestNetwork ?? Network(copying: chosen)
      if let directory { try Checkpoint(path: directory.bestPath).load(into: chosen) }
    }
    results.test = RunResults.Score(
      epoch: best.epoch, evaluation: try evaluate(chosen, on: .test, shouldStop: shouldStop))
    guard let directory else { return }
    try writeState()
    try results.write(to: directory.resultsPath)
  }

  // MARK: Files

  /// Takes back what was written after the state; files that are as the state says are left alone. The settings come last:
  /// until they are there the run is the one it was. Where nothing is to be done they are not changed either.
  private func restoreFiles() throws {
    guard let directory else { return }
    try results.write(to: directory.resultsPath, onlyIfChanged: true)
    try log.write(to: directory, onlyIfChanged: true)
    if nothingToDo == nil {
      try StrictJSON.write(configuration, to: directory.configurationPath, onlyIfChanged: true)
    }
  }

  /// The state comes after the files it stands for: a run killed before it goes on from the previous one and writes them
  /// again. The results, which the state holds too, come last: what they call finished is complete.
  private func writeCheckpoints(isBest: Bool) throws {
    guard let directory else { return }
    try log.write(to: directory)
    let checkpoint = Checkpoint(
      model: configuration.model, dataName: configuration.data, classNames: data.train.classNames,
      labelFingerprint: images.labels.fingerprint, normalization: configuration.normalization,
      trainingImages: configuration.trainingImages, state: evaluatedNetwork.stateDictionary())
    for path in isBest ? [directory.lastPath, directory.bestPath] : [directory.lastPath] {
      try checkpoint.write(to: path)
      onEvent(.checkpointWritten(path: path))
    }
    try writeState()
    try results.write(to: directory.resultsPath)
  }

  private func writeState() throws {
    guard let directory else { return }
    let state = TrainingState(
      configuration: configuration, position: position, log: log, results: results,
      labels: images.labels, network: network, optimizer: updater.optimizer, average: updater.average?.network
    )
    try state.write(to: directory.statePath)
    savedPosition = position
    onEvent(.checkpointWritten(path: directory.statePath))
  }
}
