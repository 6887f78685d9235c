import Testing

import OctNet
@testable import OctNetReport
@testable import OctNetTraining

/// Networks whose predictions are not right or wrong.
struct ReportLossTests {
  /// As a run with targets in place of classes writes it: all accuracies are 0 or, of a loss that counts right
  /// predictions, their share.
  private func run(
    _ maker: RunMaker, _ name: String, alpha: Double, loss: Double, accuracy: Double = 0
  ) throws {
    let log =
      "epoch,train_loss,train_accuracy,test_loss,test_top1,test_top5,learning_rate\n"
      + "1,2,\(accuracy),\(loss),\(accuracy),\(accuracy),0.1\n"
    let path = try maker.run(
      name, RunMaker.configuration(alpha: alpha, epochs: 1), top1: [0], results: false, log: log)
    let score = RunResults.Score(
      epoch: 1,
      evaluation: EvaluationResult(
        images: 8, top1: accuracy, top5: accuracy, loss: loss, classNames: [], perClassAccuracy: [],
        confusion: []))
    try RunResults(outcome: .finished, epochs: 1, best: score, last: score)
      .write(to: path + "/results.json")
  }

  @Test func theLossIsTold() throws {
    let maker = try RunMaker()
    try run(maker, "a", alpha: 0, loss: 0.5)
    try run(maker, "b", alpha: 0.25, loss: 0.25)
    let report = try maker.report()
    let headline = Headline(report.comparisons[0])
    #expect(headline.sentence == "α = 0.25 has the lowest loss on the test images: 0.2500, after epoch 1.")
    let loss = Headline.Number(name: "Best test loss", value: "0.2500", remark: "α = 0.25")
    #expect(headline.numbers[0] == loss)
    #expect(
      report.file("losses.csv") == """
        setting,n,best_test_loss_mean,best_test_loss_deviation,last_test_loss_mean,last_test_loss_deviation
        α = 0,1,0.5,,0.5,
        α = 0.25,1,0.25,,0.25,

        """)
    #expect(
      try #require(report.file("runs.csv")).contains("\na,α = 0,1,2,finished,1,1,0.5,1,0.5,"))
    for name in ["accuracy", "differences", "classes", "confusion", "mistakes"] {
      #expect(report.file(name + ".csv") == nil, "\(name)")
    }
    #expect(report.file("confusion.svg") == nil && report.file("test-loss.svg") != nil)
    #expect(!report.page.contains("ccuracy") && !report.page.contains("0.00\u{A0}%"))
    let alone = Headline(try maker.report("a").comparisons[0]).sentence
    #expect(alone == "resnet20, α = 0 has a loss of 0.5000 on the test images, after epoch 1.")
  }

  /// Right pixels are an accuracy, but there is no matrix of classes.
  @Test func pixelsHaveAnAccuracyWithoutClasses() throws {
    let maker = try RunMaker()
    try run(maker, "a", alpha: 0.25, loss: 0.5, accuracy: 0.75)
    let report = try maker.report()
    #expect(try #require(report.file("accuracy.csv")).contains(",1,0.75,,"))
    #expect(report.file("confusion.csv") == nil && report.file("confusion.svg") == nil)
    #expect(report.file("losses.csv") == nil)
  }
}
