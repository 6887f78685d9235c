import OctNetData
import OctNetSupport

/// The training of an epoch: batches, updates and where the run is after them.
extension Trainer {
  /// Updates of the weights; the last one of an epoch may see fewer batches.
  var stepsPerEpoch: Int { plan.steps }

  /// What is left of the epoch's training: nothing where only its evaluation is due.
  /// - Parameter shouldStop: of this rank. Ranks ask each other when the next batch is there or is known not to be.
  func trainEpoch(shouldStop: () throws -> Bool) throws {
    try enterStage()
    let clock = ContinuousClock()
    let start = clock.now
    let secondsBefore = position.seconds
    var stepLoss = (sum: 0.0, images: 0)
    let end = batchesOfThisEpoch
    // Else an error is one of the step, or of whoever is told of it.
    var isReading = true
    // There was a batch before, after which nobody has asked yet.
    var isStopDue = false
    func goOn(_ problem: OctNetError?) throws {
      // An error of whoever is asked is no image's.
      isReading = false
      let isAskedToStop = try isStopDue && shouldStop()
      (isReading, isStopDue) = (true, false)
      if let ranks = hooks.ranks {
        try ranks.goOn(isAskedToStop: isAskedToStop, problem)
      } else if isAskedToStop {
        throw StopRequest()
      } else if let problem {
        throw problem
      }
    }
    do {
      try loader.forEachBatch(
        epoch: position.epoch, startingAt: position.batch, upTo: end, onSkipped: tell, onReady: goOn
      ) { batch in
        isReading = false
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
          position.learningRate = learningRate
          position.seconds = secondsBefore + (clock.now - start).inSeconds
          updatedPosition = position
          onEvent(.step(stepReport(loss: stepLoss.sum / Double(stepLoss.images), learningRate: learningRate)))
          stepLoss = (0, 0)
          if isCheckpointDue { try writeState() }
        }
        (isReading, isStopDue) = (true, true)
      }
      try goOn(nil)
    } catch let error as StopRequest {
      // No state holds the gradients between two updates.
      if position != updatedPosition { takeBackAccumulatedBatches() }
      throw error
    } catch let error as OctNetError where isReading && hooks.ranks == nil {
      if position != updatedPosition { takeBackAccumulatedBatches() }
      throw try keepingState(error)
    } catch let error as SharedRankError {
      if position != updatedPosition { takeBackAccumulatedBatches() }
      throw SharedRankError(error: try keepingState(error.error))
    }
  }

  /// Images of another size, and passes for them, where the epoch begins with one.
  private func enterStage() throws {
    let next = stages.index(at: position.epoch)
    guard next != stage else { return }
    try updater.use(stages[next].graph)
    let graph = stages[next].graph.freezingNorms(network.demand())
    loader = configuration.loader(
      for: stages[next].images, leavesOutSingleImage: plan.leavesOutSingleImage,
      needed: hooks.neededImages(configuration.shardPlan(of: graph)))
    stage = next
  }

  /// Writes the state before an image that cannot be read ends the run, which goes on from there once it can be, or without
  /// it. All ranks together.
  /// - Returns: the error with that in it.
  func keepingState(_ error: OctNetError) throws -> OctNetError {
    guard directory != nil || hooks.ranks != nil else { return error }
    if savedPosition != position { try writeState() }
    // None ends before the first one has written.
    _ = hooks.ranks?.largest(0)
    guard directory != nil, case .file(let path, let problem) = error else { return error }
    return .file(
      path: path,
      "\(problem) (the run's state is written: it goes on with the image mended, or with --skip-damaged)")
  }

  /// Tells of each image that is left out once.
  func tell(_ image: SkippedImage) {
    guard skipped.insert("\(image.problem)").inserted else { return }
    onEvent(.imageSkipped(image.problem))
  }

  /// Fewer in the last epoch of a training that ends in its middle.
  var batchesOfThisEpoch: Int {
    guard let last = plan.lastStep else { return loader.batchesPerEpoch }
    return min(
      loader.batchesPerEpoch, (last - position.epoch * stepsPerEpoch) * configuration.accumulationSteps)
  }

  var isCheckpointDue: Bool {
    // An epoch's end has a checkpoint of its own.
    guard let interval = configuration.checkpointEverySteps, position.batch < batchesOfThisEpoch else {
      return false
    }
    return position.step % interval == 0
  }

  func takeBackAccumulatedBatches() {
    updater.takeBackAccumulatedBatches()
    position = updatedPosition
  }

  /// Passes over one batch, the update where it is due, and the position after it.
  func process(_ batch: Batch, isLast: Bool, learningRate: Double) throws -> StepResult {
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
    position.predictions = (position.predictions ?? position.images) + result.predictions
    position.images += batch.count
    return result
  }

  func stepReport(loss: Double, learningRate: Double) -> StepReport {
    StepReport(
      epoch: position.epoch + 1, epochs: configuration.epochs,
      step: position.step - position.epoch * stepsPerEpoch,
      stepsPerEpoch: plan.lastStep.map { min(stepsPerEpoch, $0 - position.epoch * stepsPerEpoch) }
        ?? stepsPerEpoch,
      totalSteps: position.step, loss: loss, meanLoss: position.lossSum / Double(position.images),
      accuracy: position.accuracy, learningRate: learningRate,
      imagesPerSecond: imagesPerSecond)
  }

  var imagesPerSecond: Double { Double(position.images) / max(position.seconds, 1e-9) }
}
