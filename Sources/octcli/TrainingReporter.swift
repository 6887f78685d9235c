import Foundation
import OctNet

/// Shows a run on standard error: a bar that moves on a terminal, lines that stay everywhere.
final class TrainingReporter {
  private let bar = ProgressBar()
  private let clock = ContinuousClock()
  private var lastLine: ContinuousClock.Instant?
  private var imagesPerStep = 1
  /// What the training accuracy is one of.
  private var accuracyName = "acc"
  /// Images that are left out, of which only so many are named.
  private var skipped = 0
  private static let namedImages = 100

  /// "2 (the processors)".
  private let threads: String?

  init(threads: String? = nil) { self.threads = threads }

  func handle(_ event: TrainingEvent) {
    switch event {
    case .runStarted(let report): start(report)
    case .step(let report): step(report)
    case .evaluating(let done, let total):
      bar.update(label: "evaluating", done: done, total: total, fields: ["\(done)/\(total)"])
    case .epochFinished(let report):
      bar.note(Self.line(report, accuracyName: accuracyName, width: bar.isInteractive ? Terminal.width : nil))
      if let problem = report.test?.warning { warn(problem) }
    case .imageSkipped(let problem): skip(problem)
    case .checkpointWritten: break
    case .finished(let summary):
      bar.erase()
      if skipped > 0 { bar.note("went on without \(numbered(skipped, "image")) that cannot be read") }
      if let problem = summary.results.test?.evaluation.warning { warn("test: \(problem)") }
    }
  }

  func erase() { bar.erase() }

  func say(_ line: String) { bar.note(line) }

  func warn(_ problem: String) { bar.note("octcli: warning: " + problem) }

  private func skip(_ problem: OctNetError) {
    skipped += 1
    if skipped <= Self.namedImages { bar.note("left out: \(problem)") }
    if skipped == Self.namedImages { bar.note("left out: more of them, which are counted only") }
  }

  private func start(_ report: RunReport) {
    lastLine = clock.now
    let settings = report.configuration
    imagesPerStep = settings.batchSize * settings.accumulationSteps
    if settings.mixupAlpha != nil || settings.cutmixAlpha != nil { accuracyName = "mixed acc" }
    if let model = settings.model {
      bar.note(
        "\(model.name), α = \(model.alpha), \(model.stem) stem, "
          + counted(report.parameters, "parameter"))
    }
    bar.note(
      "\(settings.data): \(TextTable.grouped(report.trainImages)) training"
        + (report.validationImages.map { ", \(TextTable.grouped($0)) validation" } ?? "") + " and "
        + "\(counted(report.testImages, "test image")), batches of \(settings.batchSize), "
        + "epochs: \(settings.epochs), threads: \(threads ?? "\(settings.threads)")")
    if let directory = report.directory { bar.note("run: \(directory)") }
    report.notes.forEach(say)
    report.warnings.forEach(warn)
    if report.position.step > 0 {
      let epoch = report.position.epoch + 1
      let steps = report.position.step - report.position.epoch * report.stepsPerEpoch
      bar.note(
        report.position.epoch >= settings.epochs
          ? "resumed at the test"
          : steps == report.stepsPerEpoch
            ? "resumed after the training of epoch \(epoch)" : "resumed at epoch \(epoch), step \(steps + 1)")
    }
  }

  private func step(_ report: StepReport) {
    let label = "epoch \(report.epoch)/\(report.epochs)"
    let fields = [
      String(format: "%.0f img/s", report.imagesPerSecond),
      "ETA " + ProgressBar.duration(secondsLeft(report)),
      String(format: "loss %.4f", report.meanLoss),
      "\(accuracyName) " + String(format: "%.1f%%", 100 * report.accuracy),
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

  /// - Parameters:
  ///   - accuracyName: "mixed acc" where training images are mixed, so that nobody compares it with that of the test images.
  ///   - width: columns that a terminal has: what matters least is left out where it does not fit.
  static func line(_ report: EpochReport, accuracyName: String = "acc", width: Int? = nil) -> String {
    let train =
      String(format: "train loss %.4f ", report.trainLoss) + accuracyName
      + String(format: " %.1f%%", 100 * report.trainAccuracy)
    // Each with its rank.
    let fields: [(text: String?, rank: Int)] = [
      ("epoch \(report.epoch)/\(report.epochs)", 0), (train, 3),
      (
        report.test.map {
          (report.evaluatedOn == .validation ? "val" : "test")
            + String(format: " loss %.4f acc %.1f%%", $0.loss, 100 * $0.top1)
        }, 1
      ),
      (String(format: "lr %.2g", report.learningRate), 6),
      (String(format: "%.0f img/s", report.imagesPerSecond), 5),
      (ProgressBar.duration(report.seconds), 4), (report.isBest ? "best" : nil, 2),
      (
        report.exchange.map {
          String(format: "exchanged %.0f%% in backward, waited %.0f%%", 100 * $0.early, 100 * $0.waited)
        }, 7
      ),
    ]
    func joined(_ last: Int) -> String {
      fields.filter { $0.rank <= last }.compactMap(\.text).joined(separator: "  ")
    }
    guard let width else { return joined(7) }
    return (0...7).reversed().lazy.map(joined).first { $0.count <= width } ?? String(joined(0).prefix(width))
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
    let isApart = results.chosenOn == .validation
    let images = isApart ? " on the validation images" : ""
    let test = results.test.map { "\ntest  epoch \($0.epoch): \(accuracy($0)) on the test images" } ?? ""
    return """
      best  epoch \(best.epoch): \(accuracy(best))\(images)
      last  epoch \(last.epoch): \(accuracy(last))\(images)\(test)
      \(counted(results.epochs, "epoch")), \(counted(summary.steps, "step")), \
      \(ProgressBar.duration(summary.seconds)) of training\(end)
      \(String(format: "%.1f", summary.secondsToScore)) s from the start of training to the score, evaluations between \
      epochs not counted
      \(directory.bestPath)
      """
  }
}
