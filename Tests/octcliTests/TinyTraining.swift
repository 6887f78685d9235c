import Foundation
import Testing

extension CommandRunner {
  /// Flags of a training that takes a second: four steps an epoch.
  static let tiny = [
    "--data", "synthetic", "--model", "resnet20", "--alpha", "0.25", "--batch-size", "16", "--limit-train",
    "60",
    "--limit-test", "40", "--schedule", "constant", "--learning-rate", "0.05", "--augment", "crop,flip",
  ]

  /// Trains into the directory `name` of the scratch directory.
  @discardableResult
  func train(_ name: String, epochs: Int = 1, _ more: [String] = []) throws -> Outcome {
    let outcome = try run(["train", "--out", path(name), "--epochs", String(epochs)] + Self.tiny + more)
    try #require(outcome.status == 0, "\(outcome.errors)")
    return outcome
  }

  /// Rows of the run's log without header.
  func logRows(_ name: String) throws -> [String] {
    let lines = try text(name + "/log.csv").split(separator: "\n").map(String.init)
    #expect(lines.first == "epoch,train_loss,train_accuracy,test_loss,test_top1,test_top5,learning_rate")
    return Array(lines.dropFirst())
  }

  func data(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: path(name))) }
}
