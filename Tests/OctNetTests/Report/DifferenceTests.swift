import Foundation
import Testing

import OctNet
@testable import OctNetReport

/// Intervals against SciPy's, and what is said with them.
struct DifferenceTests {
  /// scipy.stats.t.ppf(0.975, n).
  @Test(arguments: [
    (1, 12.706204736174694), (2, 4.302652729749462), (3, 3.1824463052837078), (4, 2.7764451051977934),
    (9, 2.262157162798205), (30, 2.0422724563012378), (1000, 1.9623390808264083),
  ])
  func quantiles(degrees: Int, expected: Double) {
    let found = StudentT.quantile(central: 0.95, degrees: degrees)
    #expect(abs(found - expected) < 1e-10 * expected, "\(found)")
  }

  /// 1 − 2 · scipy.stats.t.sf(1.5, n); for one degree of freedom 2 atan(1.5) / π.
  @Test(arguments: [
    (1, 2 * atan(1.5) / .pi), (2, 0.7276068751089989), (4, 0.792), (1000, 0.8660699611779137),
  ])
  func probabilities(degrees: Int, expected: Double) {
    #expect(abs(StudentT.central(1.5, degrees: degrees) - expected) < 1e-12)
    #expect(StudentT.central(0, degrees: degrees) == 0)
  }

  /// scipy.stats.ttest_1samp(a − b, 0).confidence_interval(0.95).
  @Test func interval() throws {
    let own: [UInt64: Double] = [1: 0.912, 2: 0.905, 3: 0.921, 4: 0.915, 5: 0.908, 9: 0.1]
    let other: [UInt64: Double] = [1: 0.901, 2: 0.899, 3: 0.913, 4: 0.911, 5: 0.909, 8: 0.9]
    let difference = try #require(PairedDifference(own, minus: other))
    #expect(difference.count == 5)
    #expect(abs(difference.mean - 0.0056) < 1e-12)
    let interval = try #require(difference.interval)
    #expect(abs(interval.lowerBound - 5.618127617873503e-06) < 1e-9)
    #expect(abs(interval.upperBound - 0.011194381872382137) < 1e-9)
    #expect(difference.verdict == .above)
    #expect(try #require(PairedDifference(other, minus: own)).verdict == .below)
    #expect(PairedDifference([1: 0.5], minus: [2: 0.5]) == nil)
    #expect(try #require(PairedDifference([1: 0.5, 2: 0.1], minus: [2: 0.5])).verdict == .single)
    // Equal differences: an interval without width.
    #expect(try #require(PairedDifference([1: 0.75, 2: 0.5], minus: [1: 0.5, 2: 0.25])).verdict == .open)
  }

  /// Deviations 0.1 (two values) and 0.2 (three): √((0.01 + 2 · 0.04) / 3).
  @Test func deviationOverSettings() throws {
    let a = try #require(Spread([0.5 - 0.005.squareRoot(), 0.5 + 0.005.squareRoot()]))
    let b = try #require(Spread([0.3, 0.5, 0.7]))
    let single = try #require(Spread([0.9]))
    let pooled = try #require(RunDeviation([a, single, b]))
    #expect(abs(pooled.deviation - 0.03.squareRoot()) < 1e-12)
    #expect((pooled.runs, pooled.settings) == (5, 2))
    #expect(RunDeviation([single]) == nil)
  }

  private func study(_ maker: RunMaker, seeds: Int) throws {
    for seed in 1...seeds {
      let x = 0.01 * Double(seed)
      for (name, alpha, average, top1) in [
        ("strided", 0.0, false, 0.5 + x), ("pooled", 0, true, 0.6 + x), ("eighth", 0.125, true, 0.6 + 2 * x),
        ("half", 0.5, true, seed == 1 ? 0.5 : 0.8),
      ] {
        try maker.run(
          "\(name)\(seed)",
          RunMaker.configuration(alpha: alpha, seed: UInt64(seed)) {
            $0.model?.downsampling = average ? .average : .strided
          }, top1: [0.1, top1])
      }
    }
  }

  /// Differences of α = 0.125 to α = 0, average: 1 and 2 points, so 1.5 ± 12.706 · 0.5.
  @Test func settingsAreComparedWithBothNetworksAtAlphaZero() throws {
    let maker = try RunMaker()
    try study(maker, seeds: 2)
    let report = try maker.report()
    let lines = try #require(report.file("differences.md")).split(separator: "\n").map(String.init)
    #expect(
      lines[..<6] == [
        "| setting | n | top-1 (%) | to α = 0 average (points) | 95 % interval | pairs "
          + "| to α = 0 strided (points) | 95 % interval | pairs |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| α = 0, strided | 2 | 51.50 ± 0.71 | −10.00 | −10.00 to −10.00 | 2 | – | – | – |",
        "| α = 0, average | 2 | 61.50 ± 0.71 | – | – | – | +10.00 | +10.00 to +10.00 | 2 |",
        "| α = 0.125 | 2 | 63.00 ± 1.41 | +1.50 | −4.85 to +7.85 | 2 | +11.50 | +5.15 to +17.85 | 2 |",
        "| α = 0.5 | 2 | 65.00 ± 21.21 | +3.50 | −180.74 to +187.74 | 2 | +13.50 | −170.74 to +197.74 | 2 |",
      ])
    #expect(
      report.comparisons[0].verdicts == [
        "Against α = 0, average, by 95 % intervals in points: not told apart: α = 0, strided (−10.00 with "
          + "every seed, which gives no interval), "
          + "α = 0.125 (−4.85 to +7.85), α = 0.5 (−180.74 to +187.74).",
        "Against α = 0, strided, by 95 % intervals in points: better: α = 0.125 (+5.15 to +17.85); not told apart: "
          + "α = 0, average (+10.00 with every seed, which gives no interval), α = 0.5 (−170.74 to +197.74).",
      ])
  }

  /// The headline says no more than the table.
  @Test func headline() throws {
    let maker = try RunMaker()
    for (name, alpha, top1) in [
      ("a", 0.0, [0.5, 0.51]), ("b", 0.25, [0.5, 0.53]), ("c", 0.5, [0.52, 0.4]),
    ] {
      for seed in [1, 2] {
        try maker.run(
          "\(name)\(seed)",
          RunMaker.configuration(alpha: alpha, seed: UInt64(seed)) { $0.model?.downsampling = .average },
          top1: [0.1, top1[seed - 1]])
      }
    }
    let all = Headline(try maker.report().comparisons[0]).sentence
    #expect(
      all.contains(
        "It is not told apart from α = 0 (50.50 ± 0.71\u{A0}%): the difference is +1.00 points (95\u{A0}% interval "
          + "−11.71 to +13.71, 2 seeds; too narrow for a row chosen as the highest of 3)."), "\(all)")
    let single = Headline(try maker.report("a1", "b2").comparisons[0]).sentence
    #expect(
      single.contains(
        "α = 0 (50.00\u{A0}%) is 3.00 points below it. From one run of a setting nothing"),
      "\(single)")
  }

  /// Where α = 0 is the highest, it is compared with the next one.
  @Test func headlineOfThePlainNetwork() throws {
    let maker = try RunMaker()
    for seed in [1, 2] as [UInt64] {
      let x = 0.01 * Double(seed)
      for (name, alpha, top1) in [("a", 0.0, 0.8 + x), ("b", 0.25, 0.7 + 2 * x), ("c", 0.5, 0.6)] {
        try maker.run(name + "\(seed)", RunMaker.configuration(alpha: alpha, seed: seed), top1: [0.1, top1])
      }
    }
    let sentence = Headline(try maker.report().comparisons[0]).sentence
    #expect(
      sentence.contains(
        "That is 8.50 points (95\u{A0}% interval +2.15 to +14.85, 2 seeds; too narrow for a row chosen as the highest "
          + "of 3) above α = 0.25 (73.00 ± 1.41\u{A0}%)."), "\(sentence)")
  }

  /// One seed in both: the table's difference, not that of the means.
  @Test func headlineOfOnePair() throws {
    let maker = try RunMaker()
    for (name, alpha, seed, top1) in [
      ("a1", 0.0, 1, 0.5), ("a2", 0, 2, 0.6), ("b2", 0.25, 2, 0.7), ("c3", 0.5, 3, 0.4),
    ] as [(String, Double, UInt64, Double)] {
      try maker.run(
        name, RunMaker.configuration(alpha: alpha, seed: seed) { $0.model?.downsampling = .average },
        top1: [0.1, top1])
    }
    let comparison = try maker.report().comparisons[0]
    let sentence = Headline(comparison).sentence
    #expect(
      sentence.contains("is 10.00 points below it with 1 seed that both have. From one run"), "\(sentence)")
    #expect(
      comparison.verdicts.contains("No seed in common with α = 0, average, and so not compared: α = 0.5."))
  }

  /// Two runs each, but one seed in both: no interval, and yet no single runs.
  @Test func oneSeedInCommon() throws {
    let maker = try RunMaker()
    for (name, alpha, seeds) in [("a", 0.0, [1, 2]), ("b", 0.25, [2, 3])] as [(String, Double, [UInt64])] {
      for seed in seeds {
        try maker.run(
          "\(name)\(seed)",
          RunMaker.configuration(alpha: alpha, seed: seed) { $0.model?.downsampling = .average },
          top1: [0.1, 0.5 + alpha + 0.01 * Double(seed)])
      }
    }
    let comparison = try maker.report().comparisons[0]
    #expect(
      comparison.verdicts == ["Too few seeds in common with α = 0, average, for an interval: α = 0.25."])
    #expect(Headline(comparison).sentence.contains("Too few seeds are in both for an interval."))
  }

  /// Test images that chose an epoch flatter it.
  @Test func onlyRunsThatWereChosenAlikeAreCompared() throws {
    let maker = try RunMaker()
    for seed in [1, 2] as [UInt64] {
      let x = 0.01 * Double(seed)
      try maker.run("a\(seed)", RunMaker.configuration(alpha: 0.5, seed: seed), top1: [0.1, 0.8 + 2 * x])
      try maker.run(
        "b\(seed)", RunMaker.configuration(alpha: 0.25, seed: seed) { $0.validation = 0.2 }, test: 0.7 + x)
    }
    let apart = Headline(try maker.report().comparisons[0]).sentence
    #expect(apart.hasSuffix("best epochs on other images and are not compared with it."))
    #expect(!apart.contains("interval"), "\(apart)")
    // The next best of those that were chosen alike.
    for seed in [1, 2] as [UInt64] {
      try maker.run("c\(seed)", RunMaker.configuration(alpha: 0.125, seed: seed), top1: [0.1, 0.6])
    }
    let alike = Headline(try maker.report().comparisons[0]).sentence
    #expect(alike.contains("α = 0.125") && !alike.contains("71.50"), "\(alike)")
  }

  @Test func theClosingTableHasItsNote() throws {
    let maker = try RunMaker()
    try study(maker, seeds: 2)
    try maker.run("more", RunMaker.configuration(alpha: 0.75), top1: [0.5])
    let closing = try #require(try maker.report().closings.first)
    #expect(closing.note.contains("each for its row alone: of twenty such intervals one misses"))
    #expect(closing.rows.contains { $0[0] == "α = 0.75 *" })
    #expect(closing.note.hasSuffix("* No run of this setting is complete; it is not compared."))
  }

  @Test func runsThatGoOnAreNotCompared() throws {
    let maker = try RunMaker()
    for seed in [1, 2] as [UInt64] {
      try maker.run(
        "a\(seed)", RunMaker.configuration(alpha: 0, seed: seed), top1: [0.5, 0.8 + 0.01 * Double(seed)])
      try maker.run("b\(seed)", RunMaker.configuration(alpha: 0.25, seed: seed), top1: [0.4])
    }
    let report = try maker.report()
    #expect(report.comparisons[0].verdicts.isEmpty)
    let table = try #require(report.file("differences.md"))
    #expect(table.contains("| α = 0.25 \\* | 2 | 40.00 ± 0.00 | – | – | – |"), "\(table)")
    #expect(
      Headline(report.comparisons[0]).sentence.contains(
        "points below it with 2 seeds that both have. Runs that go on"))
  }

  @Test func oneRunTellsNothing() throws {
    let maker = try RunMaker()
    try study(maker, seeds: 1)
    let alone = try maker.report().comparisons[0].verdicts
    #expect(
      alone == [
        "From one run of a setting nothing can be told of differences below the deviation from run to run, which is not "
          + "known here: no setting has runs of two seeds."
      ])
    // The deviation of another setting: 0.01 / √2.
    for seed in [1, 2] {
      try maker.run(
        "quarter\(seed)", RunMaker.configuration(alpha: 0.25, seed: UInt64(seed)),
        top1: [0.1, 0.5 + 0.01 * Double(seed)])
    }
    #expect(
      try maker.report().comparisons[0].verdicts == [
        "From one run of a setting nothing can be told of differences below the deviation from run to run: 0.71 points "
          + "over 2 runs of 1 setting, and √2 times that for a difference of two."
      ])
  }
}
