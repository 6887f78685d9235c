import Foundation
import OctNet

/// Writes what a trainer tells as an events file for TensorBoard.
///
/// ```swift
/// let tensorBoard = TensorBoardWriter(directory: run.path) { print("no more events:", $0) }
/// let trainer = try Trainer(…, onEvent: tensorBoard.handle)
/// ```
///
/// | tag | when |
/// |---|---|
/// | `run/configuration`, and the settings for the HPARAMS plugin | at the beginning; to the latter, success at the end |
/// | `train/loss`, `train/learning_rate`, `train/images_per_second` | every step |
/// | `epoch/train_loss`, `epoch/train_accuracy` | every epoch |
/// | `test/loss`, `test/top1`, `test/top5` | every evaluation; with validation images once, at the end |
/// | `validation/loss`, `validation/top1`, `validation/top5` | every evaluation, with validation images |
/// | `predictions/images`, `predictions/table` | every evaluation, with `TestPredictions` |
///
/// The horizontal axis is always the number of steps done, so that a resumed run can take back everything that came
/// after its checkpoint.
///
/// An events file is one more view of numbers that `log.csv` has, so a failure to write it does not end the run: it is
/// reported once, and no more events are written. What would follow half a record could not be read anyway.
public final class TensorBoardWriter {
  private let directory: String
  private let predictions: TestPredictions?
  private let onFailure: (OctNetError) -> Void
  private let opening: (String) -> Int32
  /// Open from the run's beginning to the first failure.
  private var file: EventFile?
  private var steps = 0

  /// - Parameters:
  ///   - predictions: shown beside the curves; `nil` for none.
  ///   - directory: that of the run; it gets one more file from every process that trains.
  ///   - onFailure: called at most once, where the file cannot be created or written.
  public convenience init(
    directory: String, predictions: TestPredictions? = nil, onFailure: @escaping (OctNetError) -> Void
  ) {
    self.init(
      directory: directory, predictions: predictions, opening: EventFile.openExclusively, onFailure: onFailure
    )
  }

  init(
    directory: String, predictions: TestPredictions?, opening: @escaping (String) -> Int32,
    onFailure: @escaping (OctNetError) -> Void
  ) {
    self.directory = directory
    self.predictions = predictions
    self.opening = opening
    self.onFailure = onFailure
  }

  /// Meant to be a trainer's `onEvent`, on its thread.
  public func handle(_ event: TrainingEvent) {
    attempt {
      switch event {
      case .runStarted(let report): try start(report)
      case .step(let report): try write(report)
      case .epochFinished(let report): try write(report)
      case .finished(let summary):
        if summary.results.chosenOn == .validation, let test = summary.results.test, let file {
          try file.append(Self.scalars(test.evaluation, of: .test, step: summary.steps))
        }
        if !summary.isInterrupted { try file?.append(.sessionSuccess(step: summary.steps)) }
        try file?.flush()
      default: try file?.flushIfDue()
      }
    }
  }

  /// Hands everything so far to the system. `.finished` does so too; a run that ends with an error needs this.
  public func flush() { attempt { try file?.flush() } }

  private func attempt(_ body: () throws -> Void) {
    do {
      try body()
    } catch {
      file = nil
      onFailure(OctNetError.wrapping(error, path: directory))
    }
  }

  // MARK: Events

  private func start(_ report: RunReport) throws {
    // A resumed run that has all its epochs adds nothing, but for a test that is due.
    guard report.position.epoch < report.configuration.epochs || report.validationImages != nil else {
      return
    }
    steps = report.position.step
    let file = try EventFile(directory: directory, opening: opening)
    let next = report.position.step + 1
    try file.append(.sessionStart(step: next))
    try file.append(.text("run/configuration", try Self.description(of: report), step: next))
    try file.append(.sessionSettings(HyperParameters.values(of: report.configuration), step: next))
    try file.flush()
    self.file = file
  }

  private func write(_ report: StepReport) throws {
    steps = report.totalSteps
    try file?.append(
      .scalars(
        [
          "train/loss": report.loss, "train/learning_rate": report.learningRate,
          "train/images_per_second": report.imagesPerSecond,
        ], step: report.totalSteps))
  }

  private func write(_ report: EpochReport) throws {
    guard let file else { return }
    let step = steps
    try file.append(
      .scalars(
        ["epoch/train_loss": report.trainLoss, "epoch/train_accuracy": report.trainAccuracy], step: step))
    if let test = report.test { try write(test, of: report.evaluatedOn, to: file, step: step) }
    try file.flush()
  }

  private static func scalars(
    _ result: EvaluationResult, of images: EvaluationImages, step: Int
  ) -> Tensorboard_Event {
    switch images {
    case .test:
      .scalars(["test/loss": result.loss, "test/top1": result.top1, "test/top5": result.top5], step: step)
    case .validation:
      .scalars(
        [
          "validation/loss": result.loss, "validation/top1": result.top1, "validation/top5": result.top5,
        ], step: step)
    }
  }

  private func write(
    _ result: EvaluationResult, of images: EvaluationImages, to file: EventFile, step: Int
  ) throws {
    try file.append(Self.scalars(result, of: images, step: step))
    if let predictions, predictions.images.count > 0 { try write(predictions, to: file, step: step) }
  }

  private func write(_ predictions: TestPredictions, to file: EventFile, step: Int) throws {
    let results = try predictions()
    try file.append(
      .image(
        "predictions/images", PredictionGrid(images: predictions.images).draw(results), step: step))
    try file.append(
      .text("predictions/table", Self.table(results, classNames: predictions.images.classNames), step: step))
  }

  // MARK: Text

  /// What `config.json` has, and what follows from it.
  static func description(of report: RunReport) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let json = String(decoding: try encoder.encode(report.configuration), as: UTF8.self)
    return """
      \(counted(report.parameters, "parameter")), \(counted(report.trainImages, "training image")), \
      \(counted(report.testImages, "test image")), \(counted(report.stepsPerEpoch, "step")) an epoch

      ```json
      \(json)
      ```
      """
  }

  /// Markdown, in the order of the grid.
  static func table(_ predictions: [Prediction], classNames: [String]) -> String {
    let names = classNames.map { $0.replacingOccurrences(of: "|", with: "\\|") }
    let rows = predictions.enumerated().map { index, prediction in
      let (row, column) = index.quotientAndRemainder(dividingBy: PredictionGrid.columns)
      let predicted = prediction.predicted.map { names[$0] } ?? "none: logits are not numbers"
      return "| \(row + 1), \(column + 1) | \(names[prediction.label]) | \(predicted) | "
        + String(format: "%.1f %%", 100 * prediction.probability) + " |"
    }
    return """
      `predictions/images`: a green frame is right, a red one wrong; the bar is the probability. Below: class, prediction.

      | row, column | label | prediction | probability |
      |---|---|---|---|
      \(rows.joined(separator: "\n"))
      """
  }
}
