import OctNet

/// Runs a trainer as the commands do: shown on standard error, stopped by Ctrl-C.
enum TrainingProgress {
  /// - Parameter makeTrainer: gets what the trainer is to tell its events.
  static func run(
    _ makeTrainer: (@escaping (TrainingEvent) -> Void) throws -> Trainer
  ) throws -> TrainingSummary {
    let reporter = TrainingReporter()
    let trainer = try makeTrainer(reporter.handle)
    do {
      return try trainer.run { InterruptFlag.isSet }
    } catch {
      reporter.erase()
      throw error
    }
  }
}
