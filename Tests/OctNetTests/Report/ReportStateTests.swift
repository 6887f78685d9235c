import Testing

import OctNet
@testable import OctNetReport
@testable import OctNetTraining

/// Runs that have not come to their ends.
struct ReportStateTests {
  /// All epochs are done, the test at the end is not.
  @Test func aTestThatIsDueIsNotComplete() throws {
    let maker = try RunMaker()
    let path = try maker.run("a", RunMaker.configuration { $0.validation = 0.2 }, test: 0.5)
    let whole = try maker.report()
    #expect(whole.comparisons[0].runs[0].isComplete)
    var results = try RunResults(path: path + "/results.json")
    results.test = nil
    try results.write(to: path + "/results.json")
    let report = try maker.report()
    #expect(!report.comparisons[0].runs[0].isComplete)
    let headline = Headline(report.comparisons[0])
    let state = Headline.Number(name: "Run", value: "test due", remark: "epoch 2 of 2")
    #expect(headline.numbers.last == state)
    #expect(headline.notes.contains("This run is unfinished."))
    #expect(try #require(report.file("runs.csv")).contains(",testDue,2,2,,,"))
  }

  /// Early epochs beside finished runs have a star, or are left out of a chart.
  @Test func numbersOfRunsThatGoOnAreMarked() throws {
    let maker = try RunMaker()
    try maker.run("whole", top1: [0.5, 0.75])
    try maker.run("cut", RunMaker.configuration { $0.model?.highToLow = false }, top1: [0.8])
    let report = try maker.report()
    for name in ["accuracy", "ablation", "classes"] {
      let table = try #require(report.file(name + ".md"))
      #expect(table.contains(" α = 0.25, no H→L \\* |"), "\(table)")
      #expect(table.contains("\\* No run of this setting is complete."), "\(table)")
      let csv = try #require(report.file(name + ".csv"))
      #expect(!csv.contains("*"), "\(csv)")
    }
    #expect(report.file("accuracy-by-macs.svg") == nil && report.file("accuracy-by-time.svg") == nil)
    #expect(report.file("time-by-macs.svg") == nil)
    #expect(report.comparisons[0].bestRun?.run.name == "whole")
  }

  @Test func theAblationSaysBestOnlyWhereThereAreSeveralTests() throws {
    let maker = try RunMaker()
    for (name, highToLow) in [("whole", true), ("cut", false)] {
      try maker.run(
        name,
        RunMaker.configuration {
          $0.validation = 0.2
          $0.model?.highToLow = highToLow
        }, test: 0.5)
    }
    #expect(
      try #require(maker.report().file("ablation.md"))
        .hasPrefix("| setting | L→H | H→L | down-sampling | n | top-1 (%) |"))
  }

  /// A mean of the runs that came through says so.
  @Test func runsThatFailedAreCounted() throws {
    let maker = try RunMaker()
    for seed in 1...3 {
      for alpha in [0, 0.25] {
        let path = try maker.run(
          "\(alpha)-\(seed)",
          RunMaker.configuration {
            $0.seed = UInt64(seed)
            $0.model?.alpha = alpha
          }, top1: [0.5, 0.5 + 0.01 * Double(seed)])
        guard alpha > 0, seed == 3 else { continue }
        var results = try RunResults(path: path + "/results.json")
        (results.outcome, results.failure) = (.unfinished, "loss: not finite")
        try results.write(to: path + "/results.json")
      }
    }
    let report = try maker.report()
    let comparison = report.comparisons[0]
    #expect(comparison.verdicts.contains("Runs that failed and are in no mean: α = 0.25 (1 of 3)."))
    let headline = Headline(comparison)
    #expect(headline.numbers.last == Headline.Number(name: "Runs", value: "6", remark: "1 failed"))
    #expect(headline.notes.contains { $0.hasPrefix("One run failed (loss: not finite): ") })
    #expect(try #require(report.file("runs.csv")).contains(",failed,2,2,"))
  }
}
