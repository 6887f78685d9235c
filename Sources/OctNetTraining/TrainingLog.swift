import OctNetCheckpoint
import OctNetCore
import OctNetSupport

/// The rows of `log.csv` and `timing.csv`. The files are small and rewritten as a whole, so that they never have half a
/// row. Two of them, because only the first is the same for equal runs.
public struct TrainingLog: Codable, Equatable, Sendable {
  /// The three cells of the test set are empty after an epoch without an evaluation.
  public static let header =
    "epoch,train_loss,train_accuracy,test_loss,test_top1,test_top5,learning_rate"
  /// Of the training alone, and from its start to the epoch's score: looking at the images before the first step, all
  /// training, and the epoch's own evaluation. The last cell is empty after an epoch without one.
  public static let timingHeader = "epoch,seconds,images_per_second,seconds_to_score"

  /// A row an epoch.
  public internal(set) var rows: [String] = []
  /// The same for times.
  public internal(set) var timingRows: [String] = []

  init() {}

  /// Rows of earlier versions end before the seconds to the score, which nobody knows.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    rows = try container.decode([String].self, forKey: .rows)
    timingRows = try container.decode([String].self, forKey: .timingRows).map { row in
      row.count(where: { $0 == "," }) == 2 ? row + "," : row
    }
  }

  mutating func append(_ report: EpochReport, secondsToScore: Double) {
    let test = report.test
    let numbers: [Double?] = [
      report.trainLoss, report.trainAccuracy, test?.loss, test?.top1, test?.top5, report.learningRate,
    ]
    rows.append(Self.row(report.epoch, numbers))
    timingRows.append(
      Self.row(
        report.epoch, [report.seconds, report.imagesPerSecond, test == nil ? nil : secondsToScore]))
  }

  /// Of the latest score; `nil` where there is none, and where an earlier version wrote it.
  var secondsToScore: Double? {
    timingRows.last { !$0.hasSuffix(",") }
      .flatMap { $0.split(separator: ",").last }.flatMap { Double($0) }
  }

  /// The score after the last epoch is that on the test images.
  mutating func replaceSecondsToScore(_ seconds: Double) {
    guard let last = timingRows.popLast(), let comma = last.lastIndex(of: ",") else { return }
    timingRows.append("\(last[...comma])\(format(seconds, digits: 6))")
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
