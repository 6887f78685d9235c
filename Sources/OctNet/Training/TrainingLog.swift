/// The rows of `log.csv`. The file is small and rewritten as a whole, so that it never has half a row.
public struct TrainingLog: Equatable, Sendable {
  public static let header =
    "epoch,train_loss,train_accuracy,test_loss,test_top1,test_top5,learning_rate,seconds,images_per_second"

  public internal(set) var rows: [String] = []

  mutating func append(_ report: EpochReport) {
    let numbers: [Double] = [
      report.trainLoss, report.trainAccuracy, report.test.loss, report.test.top1, report.test.top5,
      report.learningRate, report.seconds, report.imagesPerSecond,
    ]
    rows.append(([String(report.epoch)] + numbers.map { format($0, digits: 6) }).joined(separator: ","))
  }

  func write(to path: String) throws(OctNetError) {
    try AtomicFile.write(([Self.header] + rows).map { $0 + "\n" }.joined(), to: path)
  }
}
