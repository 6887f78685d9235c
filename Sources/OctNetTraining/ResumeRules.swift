import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport

/// What becomes of a run that is resumed, with the settings it had or with some of them changed.
package enum Resumption: Equatable {
  /// - Parameter patienceFrom: the epoch from which early stopping counts anew; `nil` where it counts from the best.
  case goesOn(patienceFrom: Int?)
  /// Why not.
  case nothingToDo(String)

  /// - Parameters:
  ///   - batch: batches of the epoch that has begun.
  ///   - earlier: the settings with which the run came so far.
  /// - Throws: `OctNetError.configuration` for fewer epochs than there are.
  package init(
    _ results: RunResults, batch: Int, earlier: TrainingConfiguration, now: TrainingConfiguration
  ) throws(OctNetError) {
    let done = results.epochs
    let begun = done + (batch > 0 ? 1 : 0)
    guard now.epochs >= begun else {
      let problem = "has done \(numbered(done, "epoch"))" + (begun > done ? " and begun another" : "")
      throw OctNetError.configuration(
        key: "epochs", "the run \(problem), expected \(begun) or more, found \(now.epochs)")
    }
    guard now.epochs > done || batch > 0 else {
      self = .nothingToDo("all epochs are done (\(done)); more of them go on")
      return
    }
    let hasStopped = results.outcome == .stoppedEarly
    // Epochs that were asked for are trained, though an evaluation is old already.
    let isExtended = results.outcome != .unfinished && now.epochs > earlier.epochs
    if isExtended && results.isOld(now, after: done) {
      self = .goesOn(patienceFrom: done)
    } else if hasStopped, let best = results.best, results.isOld(now, after: done) {
      self = .nothingToDo(
        "stopped early after epoch \(done), the best was epoch \(best.epoch); more epochs go on, and so does early "
          + "stopping after more than \(now.earlyStoppingEpochs ?? 0) of them")
    } else {
      self = .goesOn(patienceFrom: results.patienceFrom)
    }
  }
}

extension Resumption {
  package var isDone: Bool {
    if case .nothingToDo = self { return true }
    return false
  }
}

extension RunResults {
  /// Whether the best evaluation is so old that the run ends early.
  func isOld(_ configuration: TrainingConfiguration, after epoch: Int) -> Bool {
    guard let best, let patience = configuration.earlyStoppingEpochs else { return false }
    return epoch - max(best.epoch, patienceFrom ?? 0) >= patience
  }
}

extension TrainingConfiguration {
  /// What may change from one session of a run to the next.
  package static let changeable =
    "data, threads, epochs, checkpointEverySteps, earlyStoppingEpochs, skipDamaged, inMemory and workers"

  /// - Throws: `OctNetError.configuration` that names the settings that differ and would make the run another one.
  func validate(continuing earlier: TrainingConfiguration) throws(OctNetError) {
    guard earlier.lastEpochShare == nil || earlier.epochs == epochs else {
      throw OctNetError.configuration(
        key: "epochs",
        "the run ends in the middle of epoch \(earlier.epochs), which is part of its schedule; it cannot be changed to \(epochs)"
      )
    }
    let comparable = earlier.changed(as: self)
    guard comparable != self else { return }
    throw OctNetError.configuration(
      key: StrictJSON.differingKeys(self, comparable).joined(separator: ", "),
      "differs from the settings of the run; only \(Self.changeable) may change")
  }

  /// These settings with everything that may change taken from `other`.
  package func changed(as other: TrainingConfiguration) -> TrainingConfiguration {
    var result = self
    result.data = other.data
    result.threads = other.threads
    result.epochs = other.epochs
    result.checkpointEverySteps = other.checkpointEverySteps
    result.earlyStoppingEpochs = other.earlyStoppingEpochs
    // Where an image is left out, the others stay where they are.
    result.skipDamaged = other.skipDamaged
    result.inMemory = other.inMemory
    result.workers = other.workers
    return result
  }

  /// What is to be said of the learning rate where another number of epochs moves it: "learning rate …", `nil` where it
  /// goes on as it would have.
  func rateChange(since earlier: TrainingConfiguration, step: Int, stepsPerEpoch: Int) -> String? {
    func rate(_ configuration: TrainingConfiguration, _ step: Int) -> Double {
      configuration.learningRate(step: step, stepsPerEpoch: stepsPerEpoch)
    }
    guard step > 0, rate(earlier, step) != rate(self, step) else { return nil }
    // From the last step to the next.
    let (before, after) = (format(rate(earlier, step - 1), digits: 3), format(rate(self, step), digits: 3))
    guard before != after else { return nil }
    return
      "learning rate: \(before) before, \(after) now, as its course ends after \(numbered(epochs, "epoch")) instead of "
      + "\(earlier.epochs)"
  }
}
