import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport

/// What follows an epoch's training: evaluations, and what they decide.
extension Trainer {
  /// The evaluation and what follows from it. Where it is cut short, the position stays behind the epoch's last batch.
  func finishEpoch(shouldStop: () throws -> Bool) throws {
    let epoch = position.epoch + 1
    let isDue = epoch % configuration.evaluateEvery == 0 || epoch == configuration.epochs
    var test =
      isDue ? try evaluate(evaluatedNetwork, on: images.chosenOn, shouldStop: shouldStop) : nil
    if let found = test { test?.metric = try hooks.metric?(evaluatedNetwork, found) }
    let isBest = keepScore(test, epoch: epoch)
    let report = EpochReport(
      epoch: epoch, epochs: configuration.epochs, trainLoss: position.lossSum / Double(position.images),
      trainAccuracy: position.accuracy, test: test,
      evaluatedOn: images.chosenOn, learningRate: learningRate, seconds: position.seconds,
      imagesPerSecond: imagesPerSecond, isBest: isBest, exchange: updater.meter.take())
    if try hooks.epochEnd?(report, evaluatedNetwork) == true, results.outcome == .unfinished {
      results.outcome = .stoppedEarly
    }

    log.append(report, secondsToScore: secondsToScore)
    var next = position
    next.epoch += 1
    next.batch = 0
    next.earlierSeconds += next.seconds
    (next.lossSum, next.correct, next.predictions, next.images, next.seconds) = (0, 0, 0, 0, 0)
    position = next
    updatedPosition = next
    onEvent(.epochFinished(report))
    try writeCheckpoints(isBest: isBest)
  }

  func evaluate(
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
    evaluator.workers = configuration.workers
    evaluator.loss = loss
    evaluator.ranks = hooks.ranks.flatMap { $0.ranks > 1 ? $0 : nil }
    // With images held back, those on which the run is scored in the end; all others choose an epoch, and so are alike.
    let isLast =
      images.chosenOn == .validation
      ? part == .test : position.step == plan.updates(epochs: configuration.epochs, batches: 0)
    if isLast {
      evaluator.views = configuration.testViews ?? .one
    }
    evaluator.onSkipped = tell
    do {
      return try evaluator.evaluate(dataset, limit: limit) { done, total in
        onEvent(.evaluating(done: done, total: total))
        // After the last batch the result is there.
        if done < total { try stopIfAsked(shouldStop) }
      }
    } catch let error as OctNetError where hooks.ranks == nil {
      throw try keepingState(error)
    } catch let error as SharedRankError {
      throw SharedRankError(error: try keepingState(error.error))
    }
  }

  /// Enters an epoch into the results.
  /// - Returns: whether its evaluation is the best so far.
  func keepScore(_ test: EvaluationResult?, epoch: Int) -> Bool {
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
    if directory == nil && hooks.ranks?.rank ?? 0 == 0 && images.chosenOn == .validation {
      bestNetwork = Network(copying: evaluatedNetwork)
    }
    return true
  }

  /// The last of a run with validation images: the weights that those chose, on the test images. Where it is cut short,
  /// it begins again when the run goes on.
  func scoreOnTest(shouldStop: () throws -> Bool) throws {
    guard results.isTestDue, let best = results.best else { return }
    var chosen = evaluatedNetwork
    if best.epoch != position.epoch {
      let isGone = directory == nil && bestNetwork == nil && hooks.ranks?.rank ?? 0 == 0
      guard hooks.ranks?.largest(isGone ? 1 : 0) ?? (isGone ? 1 : 0) == 0 else {
        throw OctNetError.configuration(
          key: "directory",
          "the images held back chose epoch \(best.epoch), whose weights are in the run's directory, and none was given"
        )
      }
      chosen = bestNetwork ?? Network(copying: chosen)
      if let directory { try Checkpoint(path: directory.bestPath).load(into: chosen) }
      hooks.ranks?.broadcast(chosen)
    }
    results.test = RunResults.Score(
      epoch: best.epoch, evaluation: try evaluate(chosen, on: .test, shouldStop: shouldStop))
    log.replaceSecondsToScore(secondsToScore)
    if let directory { try log.write(to: directory) }
    try writeState()
    if let directory { try results.write(to: directory.resultsPath) }
  }
}
