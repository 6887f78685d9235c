import Testing

import OctNet
@testable import OctNetReport
@testable import OctNetCheckpoint

/// Means, ratios and tables of a report, against numbers worked out by hand.
struct ReportNumberTests {
  @Test func spread() throws {
    let spread = try #require(Spread([2, 4, 4, 6]))
    #expect(spread.mean == 4)
    #expect(abs((spread.deviation ?? 0) - (8.0 / 3).squareRoot()) < 1e-12)
    #expect(spread.median == 4)
    #expect((spread.minimum, spread.maximum) == (2, 6))
    #expect(try #require(Spread([3])).deviation == nil)
    #expect(Spread([]) == nil)
  }

  @Test(arguments: [
    (0.0, 2, "0.00"), (-0.001, 2, "0.00"), (-1.5, 1, "−1.5"), (.nan, 2, "NaN"), (-.infinity, 0, "−∞"),
    (1e300, 3, "1e+300"), (999_999, 0, "999999"),
  ])
  func fixed(value: Double, decimals: Int, text: String) {
    #expect(ReportNumber.fixed(value, decimals) == text)
  }

  @Test func groupsAndPoints() {
    #expect(grouped(4_089_184_256) == "4,089,184,256")
    #expect(grouped(-999) == "−999")
    #expect(ReportNumber.points(0.0031) == "+0.31")
    #expect(ReportNumber.points(-0.0031) == "−0.31")
    #expect(ReportNumber.points(0.00001) == "0.00")
    #expect([0.1234, 1.234, 12.34, 123.4].map(ReportNumber.seconds) == ["0.123", "1.23", "12.3", "123"])
  }

  @Test func accuracyIsMeanAndSampleDeviation() throws {
    let maker = try RunMaker()
    try maker.run("a1", RunMaker.configuration(seed: 1), top1: [0.5, 0.6])
    try maker.run(
      "a2", RunMaker.configuration(seed: 2) { ($0.threads, $0.data) = (1, "cifar10:/elsewhere") },
      top1: [0.8, 0.7])
    let report = try maker.report()
    #expect(
      report.file("accuracy.csv") == """
        setting,n,best_top1_mean,best_top1_deviation,last_top1_mean,last_top1_deviation,last_test_loss_mean,\
        last_test_loss_deviation
        "resnet20, α = 0.25",2,0.7,0.14142136,0.65,0.070710678,0.75,0

        """)
    #expect(
      report.file("accuracy.md") == """
        | setting | n | best top-1 (%) | last top-1 (%) | last test loss |
        | --- | ---: | ---: | ---: | ---: |
        | resnet20, α = 0.25 | 2 | 70.00 ± 14.14 | 65.00 ± 7.07 | 0.750 ± 0.000 |

        Accuracy on the test images. 36 images. Mean ± sample deviation of n runs. Best: the evaluation that best.safetensors \
        is from.

        """)
  }

  /// Test images that were seen once have no best and no last evaluation, but where other runs have them.
  @Test func validationRunsHaveOneTest() throws {
    let maker = try RunMaker()
    let configuration = RunMaker.configuration { $0.validation = 0.2 }
    try maker.run("apart", configuration, top1: [0.5, 0.6], test: 0.55)
    let alone = try maker.report("apart")
    #expect(
      alone.file("accuracy.md") == """
        | setting | n | top-1 (%) | loss | validation top-1 (%) |
        | --- | ---: | ---: | ---: | ---: |
        | resnet20, α = 0.25 | 1 | 55.00 | 0.750 | 60.00 |

        Accuracy on the test images. 36 images. Of best.safetensors, scored once, at the run's end; epochs are evaluated on \
        the validation images, which choose it.

        """)
    #expect(
      alone.file("runs.csv")?.hasPrefix(
        "run,setting,seed,threads,state,epochs,epochs_planned,best_top1,best_epoch,seconds") == true)
    #expect(alone.page.contains(">Test accuracy, top-1<") && !alone.page.contains("Best test"))
    #expect(!alone.page.contains("best evaluation") && !alone.page.contains("flatters"))

    try maker.run("plain", RunMaker.configuration(), top1: [0.7, 0.65])
    let both = try maker.report()
    #expect(
      both.file("accuracy.csv")?.hasPrefix(
        "setting,n,best_top1_mean,best_top1_deviation,last_top1_mean,last_top1_deviation,validation_top1_mean"
      ) == true)
    #expect(both.page.contains("where validation images chose it: best.safetensors, scored once"))
    #expect(both.page.contains(">Best test accuracy, top-1<") && both.page.contains("flatters"))
  }

  /// 40,813,184 and 26,329,728 multiply–accumulates with ten classes, 64 · 7 fewer with three.
  @Test func ratiosAreToAlphaZero() throws {
    let maker = try RunMaker()
    try maker.run("plain", RunMaker.configuration(alpha: 0), seconds: 20)
    try maker.run("half", RunMaker.configuration(alpha: 0.5), seconds: 13)
    let ratio = ReportNumber.raw(Double(26_329_728 - 448) / Double(40_813_184 - 448))
    #expect(
      try maker.report().file("costs.csv") == """
        setting,parameters,macs,macs_ratio,seconds_per_epoch_median,seconds_per_epoch_min,seconds_per_epoch_max,\
        time_ratio
        α = 0,272019,40812736,1,20,20,20,1
        α = 0.5,272307,26329280,\(ratio),13,13,13,0.65

        """)
  }

  @Test func timesOfOtherThreadCountsAreNotCompared() throws {
    let maker = try RunMaker()
    try maker.run("plain", RunMaker.configuration(alpha: 0), seconds: 20)
    try maker.run("half", RunMaker.configuration(alpha: 0.5) { $0.threads = 4 }, seconds: 13)
    let report = try maker.report()
    let csv = try #require(report.file("costs.csv"))
    #expect(csv.contains("threads") && !csv.contains("time_ratio"))
    #expect(report.file("time-by-macs.svg") == nil)
    #expect(report.page.contains("different numbers of threads"))
  }

  @Test func timesOfOtherMachinesAreNotCompared() throws {
    let maker = try RunMaker()
    try maker.run("plain", RunMaker.configuration(alpha: 0), seconds: 20)
    try maker.run("half", RunMaker.configuration(alpha: 0.5), seconds: 13)
    try maker.machine(of: "plain", "Fast")
    try maker.machine(of: "half", "Slow")
    let report = try maker.report()
    let csv = try #require(report.file("costs.csv"))
    #expect(csv.hasPrefix("setting,machine,parameters") && !csv.contains("time_ratio"), "\(csv)")
    #expect(report.file("time-by-macs.svg") == nil && report.file("accuracy-by-time.svg") == nil)
    #expect(!Headline(report.comparisons[0]).sentence.contains("measured time"))
    #expect(report.page.contains("Runs were timed on different machines"))
    // On one machine they are.
    try maker.machine(of: "half", "Fast")
    let same = try maker.report()
    #expect(try #require(same.file("costs.csv")).hasSuffix(",13,13,13,0.65\n"))
    #expect(!same.page.contains("different machines"))
  }

  @Test func timesOfMachinesAreNotPooled() throws {
    let maker = try RunMaker()
    for (seed, seconds) in [(1, 10.0), (2, 30), (3, 30)] {
      try maker.run("\(seed)", RunMaker.configuration(seed: UInt64(seed)), seconds: seconds)
      try maker.machine(of: "\(seed)", seconds == 10 ? "Fast" : "Slow")
    }
    let lines = try #require(try maker.report().file("costs.csv")).split(separator: "\n").map(String.init)
    #expect(lines.count == 3)
    #expect(lines[1].contains("\"Fast, 2 processors, avx2\"") && lines[1].hasSuffix(",10,10,10"))
    #expect(lines[2].contains("\"Slow, 2 processors, avx2\"") && lines[2].hasSuffix(",30,30,30"))
  }

  @Test func ablationIsAgainstTheWholeNetwork() throws {
    let maker = try RunMaker()
    try maker.run("whole", top1: [0.5, 0.75])
    try maker.run("cut", RunMaker.configuration { $0.model?.highToLow = false }, top1: [0.5, 0.7])
    try maker.run(
      "alone",
      RunMaker.configuration {
        $0.model?.highToLow = false
        $0.model?.lowToHigh = false
      }, top1: [0.5, 0.625])
    try maker.run(
      "strided", RunMaker.configuration { $0.model?.downsampling = .strided }, top1: [0.5, 0.775])
    let lines = try #require(try maker.report().file("ablation.csv")).split(separator: "\n").map(String.init)
    #expect(lines.count == 5)
    #expect(lines[1] == "α = 0.25,yes,yes,average,1,0.75,,,,,,1,1")
    #expect(lines[2].hasPrefix("\"α = 0.25, no H→L\",yes,no,average,1,0.7,,-0.05,,,1,0.9"))
    #expect(lines[3].hasPrefix("\"α = 0.25, no L→H = no exchange\",no,no,average,1,0.625,,-0.125,,,1,0.8"))
    #expect(lines[4] == "\"α = 0.25, strided\",yes,yes,strided,1,0.775,,0.025,,,1,1,1")
  }

  /// Networks without paths are compared with the whole one of their own down-sampling, seed by seed.
  @Test func ablationIsSeedBySeed() throws {
    let maker = try RunMaker()
    for seed in [1, 2, 3] as [UInt64] {
      let x = 0.01 * Double(seed)
      try maker.run("average\(seed)", RunMaker.configuration(seed: seed), top1: [0.5, 0.9])
      try maker.run(
        "whole\(seed)", RunMaker.configuration(seed: seed) { $0.model?.downsampling = .strided },
        top1: [0.5, 0.7 + x])
      guard seed < 3 else { continue }
      try maker.run(
        "cut\(seed)",
        RunMaker.configuration(seed: seed) {
          $0.model?.downsampling = .strided
          $0.model?.highToLow = false
        }, top1: [0.5, 0.75 + 2 * x])
    }
    let lines = try #require(try maker.report().file("ablation.md")).split(separator: "\n").map(String.init)
    // 6 and 7 points, so 6.5 ± 12.706 · 0.5.
    #expect(
      lines.contains { $0.contains("no H→L") && $0.contains("| +6.50 | +0.15 to +12.85 | 2 |") }, "\(lines)")
  }

  /// A run with another number of threads has the same bits.
  @Test func aSeedCountsOnce() throws {
    let maker = try RunMaker()
    try maker.run("a", RunMaker.configuration(seed: 1), top1: [0.5, 0.75])
    try maker.run("b", RunMaker.configuration(seed: 1) { $0.threads += 1 }, top1: [0.5, 0.75])
    try maker.run("c", RunMaker.configuration(seed: 2), top1: [0.5, 0.5])
    let report = try maker.report()
    #expect(try #require(report.file("accuracy.csv")).contains(",2,0.625,0.1767767"))
    #expect(
      report.page.contains("One run has the settings and the seed of another, and counts once with it: b."))
  }

  @Test func runsThatGoOnAreNoPartOfMeans() throws {
    let maker = try RunMaker()
    try maker.run("a", RunMaker.configuration(seed: 1), top1: [0.5, 0.75])
    try maker.run("b", RunMaker.configuration(seed: 2), top1: [0.25])
    let report = try maker.report()
    #expect(try #require(report.file("accuracy.csv")).contains(",1,0.75,,0.75,,"))
    #expect(report.page.contains("One run is unfinished: b."))
    #expect(
      try #require(report.file("runs.csv")).contains(
        "b,\"resnet20, α = 0.25\",2,2,unfinished,1,2,0.25,1,0.25,10"))
  }

  @Test func otherDataIsAnotherTable() throws {
    let maker = try RunMaker()
    try maker.run("a", top1: [0.5, 0.75])
    try maker.run("b", RunMaker.configuration { $0.data = "idx:/data/mnist" }, top1: [0.5, 0.25])
    try maker.run("c", RunMaker.configuration { $0.data = "idx:/data/fashion" }, top1: [0.5, 0.5])
    let report = try maker.report()
    #expect(report.comparisons.map(\.dataName) == ["cifar10", "idx:mnist", "idx:fashion"])
    for (name, accuracy) in [("cifar10", "0.75"), ("idx-mnist", "0.5"), ("idx-fashion", "0.5")] {
      #expect(try #require(report.file("\(name)-accuracy.csv")).contains(",1,\(accuracy),,"))
    }
  }

  @Test func tablesQuoteAndEscape() {
    var table = ReportTable(
      "t", caption: "All", columns: [.init("a|b", csv: ["a,b"], isText: true), .init("c", csv: ["c", "d"])])
    table.add([.text("x \"y\"\nz"), .init("<1>", values: ["1", ""])])
    #expect(table.csv == "\"a,b\",c,d\n\"x \"\"y\"\"\nz\",1,\n")
    #expect(table.markdown == "| a\\|b | c |\n| --- | ---: |\n| x \"y\" z | \\<1\\> |\n\nAll.\n")
  }
}
