import OctNet
import OctNetTensorBoard

/// Runs a trainer as the commands do: shown on standard error, told to TensorBoard, stopped by signals.
enum TrainingProgress {
  /// - Parameters:
  ///   - threads: their number and what it follows from.
  ///   - isSilent: one of several processes, of which another one speaks.
  ///   - makeTrainer: gets what the trainer is to tell its events.
  static func run(
    tensorBoard isWanted: Bool, threads: String? = nil, isSilent: Bool = false,
    _ makeTrainer: (@escaping (TrainingEvent) -> Void) throws -> Trainer
  ) throws -> TrainingSummary {
    if isSilent { return try makeTrainer { _ in }.run { StopSignals.isRequested } }
    let reporter = TrainingReporter(threads: threads)
    // It shows predictions of the trainer's network, so the trainer comes first.
    var tensorBoard: TensorBoardWriter?
    let trainer = try makeTrainer { event in
      reporter.handle(event)
      tensorBoard?.handle(event)
    }
    if let reason = trainer.nothingToDo { reporter.say("nothing to do: " + reason) }
    if isWanted && trainer.nothingToDo == nil { tensorBoard = writer(for: trainer, reporter) }
    defer { tensorBoard?.flush() }
    do {
      return try trainer.run { StopSignals.isRequested }
    } catch {
      reporter.erase()
      throw error
    }
  }

  private static func writer(for trainer: Trainer, _ reporter: TrainingReporter) -> TensorBoardWriter? {
    guard let directory = trainer.directory else { return nil }
    let settings = trainer.configuration
    let chosen = trainer.data.validation
    let predictions = TestPredictions(
      network: trainer.evaluatedNetwork, dataset: chosen ?? trainer.data.test,
      limit: chosen == nil ? settings.testLimit : nil,
      normalization: settings.normalization, threads: settings.threads)
    return TensorBoardWriter(directory: directory.path, predictions: predictions) {
      reporter.warn("\($0); no more events for TensorBoard, the run goes on")
    }
  }
}
