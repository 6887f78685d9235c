import Foundation
import OctNet

/// Shows a run on standard error: a bar that moves on a terminal, lines that stay everywhere.
final class TrainingReporter {
  private let bar = ProgressBar()
  private let clock = ContinuousClock()
  private var lastLine: ContinuousClock.Instant?
  private var imagesPerStep = 1

  func handle(_ event: TrainingEvent) {
    switch event {
    case .runStarted(let report): start(report)
    case .step(let report): step(report)
    case .evaluating(let done, let total):
      bar.update(label: "evaluating", done: done, total: total, fields: ["\(done)/\(total)"])
    case .epochFinished(let report): bar.note(Self.line(report))
    case .checkpointWritten, .finished: break
    }
  }

  func erase() { bar.erase() }

  func warn(_ problem: String) { bar.note("octcli: warning: " + problem) }

  private func start(_ report: RunReport) {
    lastLine = clock.now
    let settings = report.configuration
    imagesPerStep = settings.batchSize * settings.accumulationSteps
    if let model = settings.model {
      bar.note(
        "\(model.name), α = \(model.alpha), \(model.stem) stem, \(TextTable.grouped(report.parameters)) "
          + "parameters")
    }
    bar.note(
      "\(settings.data): \(TextTable.grouped(report.trainImages)) training and "
        + "\(TextTable.grouped(report.testImages)) test images, batches of \(settings.batchSize), "
        + "epochs: \(settings.epochs), threads: \(settings.threads)")
    if let directory = report.directory { bar.note("run: \(directory)") }
    if report.position.step > 0 {
      let epoch = report.position.epoch + 1
      let steps = report.position.step - report.position.epoch * report.stepsPerEpoch
      bar.note(
        steps == report.stepsPerEpoch
          ? "resumed after the training of epoch \(epoch)" : "resumed at epoch \(epoch), step \(steps + 1)")
    }
  }

  private func step(_ report: StepReport) {
    let label = "epoch \(report.epoch)/\(report.epochs)"
    let fields = [
      String(format: "%.0f img/s", report.imagesPerSecond),
      "ETA " + ProgressBar.duration(secondsLeft(report)),
      String(format: "loss %.4f", report.meanLoss), String(format: "acc %.1f%%", 100 * report.accuracy),
      String(format: "lr %.2g", report.learningRate),
    ]
    bar.update(label: label, done: report.step, total: report.stepsPerEpoch, fields: fields)
    // A pipe gets a sign of life twice a minute.
    let now = clock.now
    guard !bar.isInteractive, let last = lastLine, now - last >= .seconds(30) else { return }
    lastLine = now
    bar.note("\(label) step \(report.step)/\(report.stepsPerEpoch)  " + fields.joined(separator: "  "))
  }

  /// Until the last epoch's last step, evaluations not counted.
  private func secondsLeft(_ report: StepReport) -> Double {
    let steps = (report.epochs - report.epoch + 1) * report.stepsPerEpoch - report.step
    return Double(steps) * Double(imagesPerStep) / report.imagesPerSecond
  }

  private static func line(_ report: EpochReport) -> String {
    var fields = [
      "epoch \(report.epoch)/\(report.epochs)",
      String(format: "train loss %.4f acc %.1f%%", report.trainLoss, 100 * report.trainAccuracy),
      report.test.map { String(format: "test loss %.4f acc %.1f%%", $0.loss, 100 * $0.top1) },
      String(format: "lr %.2g", report.learningRate), String(format: "%.0f img/s", report.imagesPerSecond),
      ProgressBar.duration(report.seconds),
    ].compactMap { $0 }
    if report.isBest { fields.append("best") }
    return fields.joined(separator: "  ")
  }

  /// What the run came to, for standard output.
  static func result(_ summary: TrainingSummary, directory: RunDirectory) -> String {
    let results = summary.results
    guard let best = results.best, let last = results.last else {
      return "no evaluation yet\n" + directory.path
    }
    func accuracy(_ score: RunResults.Score) -> String {
      String(
        format: "top-1 %.2f%%, top-5 %.2f%%, loss %.4f", 100 * score.evaluation.top1,
        100 * score.evaluation.top5, score.evaluation.loss)
    }
    let end = results.outcome == .stoppedEarly ? ", stopped early: no better evaluation since" : ""
    return """
      best  epoch \(best.epoch): \(accuracy(best))
      last  epoch \(last.epoch): \(accuracy(last))
      \(results.epochs) epochs, \(TextTable.grouped(summary.steps)) steps, \
      \(ProgressBar.duration(summary.seconds)) of training\(end)
      \(directory.bestPath)
      """
  }
}
