import OctNetCheckpoint
import OctNetCore
import OctNetSupport

/// The rows of `log.csv` and `timing.csv`. The files are small and rewritten as a whole, so that they never have half a
/// row. Two of them, because only the first is the same for equal runs.
public struct TrainingLog: Codable, Equatable, Sendable {
  /// The three cells of the test set are empty after an epoch without an evaluation.
  public static let header =
    "epoch,train_loss,train_accuracy,test_loss,test_top1,test_top5,learning_rate"
  /// Of the training alone.
  public static let timingHeader = "epoch,seconds,images_per_second"

  /// A row an epoch.
  public internal(set) var rows: [String] = []
  /// The same for times.
  public internal(set) var timingRows: [String] = []

  mutating func append(_ report: EpochReport) {
    let test = report.test
    let numbers: [Double?] = [
      report.trainLoss, report.trainAccuracy, test?.loss, test?.top1, test?.top5, report.learningRate,
    ]
    rows.append(Self.row(report.epoch, numbers))
    timingRows.append(Self.row(report.epoch, [report.seconds, report.imagesPerSecond]))
  }

  private static func row(_ epoch: Int, _ numbers: [Double?]) -> String {
    let cells = numbers.map { $0.map { format($0, digits: 6) } ?? "" }
    return ([String(epoch)] + cells).joined(separator: ",")
  }

  func write(to directory: RunDirectory, onlyIfChanged: Bool = false) throws(OctNetError) {
    for (path, lines) in [
      (directory.logPath, [Self.header] + rows), (directory.timingPath, [Self.timingHeader] + timingRows),
    ] { try AtomicFile.write(lines.map { $0 + "\n" }.joined(), to: path, onlyIfChanged: onlyIfChanged) }
  }
}
