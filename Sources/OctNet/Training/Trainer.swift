/// Trains a network: epochs of steps, an evaluation and a checkpoint after each epoch.
///
/// Seeded and exact: the same configuration gives the same bits for any number of threads, and a run that was stopped
/// and resumed, even in the middle of an epoch, those of one that was not. Call it from one thread.
public final class Trainer {
  public let configuration: TrainingConfiguration
  public let network: Network
  public private(set) var position: TrainingPosition

  private let data: DataSplit
  private let directory: RunDirectory?
  private let onEvent: (TrainingEvent) -> Void
  private let session: TrainingSession
  private let optimizer: Optimizer
  private let loader: BatchLoader
  private var log: TrainingLog
  private var lastReport: EpochReport?

  /// - Parameters:
  ///   - network: usually `configuration.model`'s `makeNetwork(seed:)`; trained in place.
  ///   - directory: where to write; `nil` writes nothing.
  ///   - state: goes on where this state was written; its weights replace the network's.
  ///   - onEvent: called on the caller's thread.
  /// - Throws: `OctNetError` for settings, data and state that do not fit each other, and for a `config.json` that
  ///   cannot be written.
  public init(
    network: Network, configuration: TrainingConfiguration, data: DataSplit, directory: RunDirectory? = nil,
    resuming state: TrainingState? = nil, onEvent: @escaping (TrainingEvent) -> Void = { _ in }
  ) throws {
    try configuration.validate()
    try network.check(fits: data.train, normalization: configuration.normalization)
    try network.check(fits: data.test, normalization: configuration.normalization)
    self.configuration = configuration
    self.network = network
    self.data = data
    self.directory = directory
    self.onEvent = onEvent
    session = try TrainingSession(
      network: network, batchSize: configuration.batchSize, threads: configuration.threads,
      labelSmoothing: configuration.labelSmoothing)
    optimizer = Optimizer(
      parameters: network.parameters, configuration: configuration.optimizer,
      weightDecay: configuration.weightDecay, excludeNormsAndBiases: configuration.excludeNormsAndBiases,
      threads: configuration.threads)
    loader = BatchLoader(
      dataset: data.train, batchSize: configuration.batchSize, normalization: configuration.normalization,
      augmentation: configuration.augmentation, shuffleSeed: configuration.seed,
      limit: configuration.trainLimit)
    position = state?.position ?? TrainingPosition()
    log = state?.log ?? TrainingLog()

    let images = min(data.train.count, configuration.trainLimit ?? data.train.count)
    guard images > 0 else { throw OctNetError.configuration(key: "data", "the training set is empty") }
    if let state {
      try configuration.validate(continuing: state.configuration)
      guard state.position.epochImages == images else {
        throw OctNetError.configuration(
          key: "data", "the run began with \(state.position.epochImages) training images, found \(images)")
      }
      try network.load(state.network)
      try optimizer.load(state.optimizer, step: state.position.step, of: network)
    }
    position.epochImages = images
    if let directory {
      try configuration.write(to: directory.configurationPath)
      // On resume this takes back rows of epochs after the checkpoint.
      try log.write(to: directory.logPath)
    }
  }

  /// Trains up to the last epoch.
  ///
  /// - Parameter shouldStop: asked after every step; when it says so, the state is written and the run ends early.
  /// - Throws: `OctNetError.training` for a loss that is not a number, `OctNetError.file` for a checkpoint that cannot
  ///   be written; earlier files stay as they were.
  @discardableResult
  public func run(shouldStop: () throws -> Bool = { false }) throws -> TrainingSummary {
    onEvent(
      .runStarted(
        RunReport(
          configuration: configuration, parameters: network.graph.parameters.reduce(0) { $0 + $1.count },
          trainImages: position.epochImages,
          testImages: min(data.test.count, configuration.testLimit ?? data.test.count),
          stepsPerEpoch: loader.batchesPerEpoch, position: position, directory: directory?.path)))
    var stopped = false
    while position.epoch < configuration.epochs && !stopped {
      stopped = try runEpoch(shouldStop: shouldStop)
    }
    let summary = TrainingSummary(
      epochs: position.epoch, steps: position.step, bestTop1: position.bestTop1,
      bestEpoch: position.bestEpoch,
      last: lastReport, stoppedEarly: position.epoch < configuration.epochs)
    onEvent(.finished(summary))
    return summary
  }

  // MARK: An epoch

  /// Ends the loop over the batches.
  private struct StopRequest: Error {}

  /// - Returns: whether to stop.
  private func runEpoch(shouldStop: () throws -> Bool) throws -> Bool {
    let clock = ContinuousClock()
    let start = clock.now
    let secondsBefore = position.seconds
    var rate = 0.0
    var stop = false
    do {
      try loader.forEachBatch(epoch: position.epoch, startingAt: position.batch) { batch in
        rate = configuration.schedule.rate(
          step: position.step, stepsPerEpoch: loader.batchesPerEpoch, epochs: configuration.epochs)
        let loss = try step(batch, learningRate: rate)
        position.seconds = secondsBefore + (clock.now - start).inSeconds
        onEvent(.step(stepReport(loss: loss, learningRate: rate)))
        stop = try shouldStop()
        if position.batch < loader.batchesPerEpoch {
          let isDue = configuration.checkpointEverySteps.map { position.step % $0 == 0 } ?? false
          if stop || isDue { try writeState() }
          if stop { throw StopRequest() }
        }
      }
    } catch is StopRequest { return true }
    try finishEpoch(learningRate: rate)
    return stop
  }

  /// One step and the position after it.
  private func step(_ batch: Batch, learningRate: Double) throws -> Double {
    var random = RandomStream(seed: configuration.seed, "dropout", position.step)
    let seed = random.next()
    let result: StepResult
    if let maximum = configuration.clipGradientNorm {
      // The norm of all gradients comes before the first update.
      result = session.step(
        images: batch.images, labels: batch.labels, count: batch.count, dropoutSeed: seed)
      guard result.loss.isFinite else { throw diverged("the loss is \(result.loss)") }
      let scale = optimizer.clippingScale(maximum: maximum)
      guard scale.isFinite else { throw diverged("the norm of the gradients is not a number") }
      optimizer.update(learningRate: learningRate, gradientScale: scale)
    } else {
      result = session.step(
        images: batch.images, labels: batch.labels, count: batch.count, dropoutSeed: seed,
        updating: optimizer, learningRate: learningRate)
      guard result.loss.isFinite else { throw diverged("the loss is \(result.loss)") }
    }

    position.step += 1
    position.batch += 1
    position.lossSum += Double(result.loss) * Double(batch.count)
    position.correct += result.correct
    position.images += batch.count
    return Double(result.loss)
  }

  private func diverged(_ problem: String) -> OctNetError {
    OctNetError.training(
      "epoch \(position.epoch + 1), step \(position.batch + 1): \(problem); "
        + "try a lower learning rate, a warm-up or gradient clipping")
  }

  private func stepReport(loss: Double, learningRate: Double) -> StepReport {
    StepReport(
      epoch: position.epoch + 1, epochs: configuration.epochs, step: position.batch,
      stepsPerEpoch: loader.batchesPerEpoch, loss: loss, meanLoss: position.lossSum / Double(position.images),
      accuracy: Double(position.correct) / Double(position.images), learningRate: learningRate,
      imagesPerSecond: imagesPerSecond)
  }

  private var imagesPerSecond: Double { Double(position.images) / max(position.seconds, 1e-9) }

  private func finishEpoch(learningRate: Double) throws {
    let evaluator = Evaluator(
      network: network, normalization: configuration.normalization, batchSize: configuration.batchSize,
      threads: configuration.threads)
    let test = try evaluator.evaluate(data.test, limit: configuration.testLimit) { [onEvent] done, total in
      onEvent(.evaluating(done: done, total: total))
    }
    let isBest = position.bestTop1.map { test.top1 > $0 } ?? true
    let report = EpochReport(
      epoch: position.epoch + 1, epochs: configuration.epochs,
      trainLoss: position.lossSum / Double(position.images),
      trainAccuracy: Double(position.correct) / Double(position.images), test: test,
      learningRate: learningRate,
      seconds: position.seconds, imagesPerSecond: imagesPerSecond, isBest: isBest)

    var next = position
    next.epoch += 1
    next.batch = 0
    (next.lossSum, next.correct, next.images, next.seconds) = (0, 0, 0, 0)
    if isBest { (next.bestTop1, next.bestEpoch) = (test.top1, report.epoch) }
    position = next
    lastReport = report
    log.append(report)
    onEvent(.epochFinished(report))
    try writeCheckpoints(isBest: isBest)
  }

  // MARK: Files

  /// The state comes last: a run killed before it goes on from the previous one and writes the same files again.
  private func writeCheckpoints(isBest: Bool) throws {
    guard let directory else { return }
    try log.write(to: directory.logPath)
    let checkpoint = Checkpoint(
      model: configuration.model, dataName: configuration.data, classNames: data.train.classNames,
      normalization: configuration.normalization, state: network.stateDictionary())
    for path in isBest ? [directory.lastPath, directory.bestPath] : [directory.lastPath] {
      try checkpoint.write(to: path)
      onEvent(.checkpointWritten(path: path))
    }
    try writeState()
  }

  private func writeState() throws {
    guard let directory else { return }
    let state = TrainingState(
      configuration: configuration, position: position, log: log, network: network, optimizer: optimizer)
    try state.write(to: directory.statePath)
    onEvent(.checkpointWritten(path: directory.statePath))
  }
}
