import Testing

import OctNet
@testable import OctNetTraining
@testable import OctNetReport
@testable import OctNetData

/// Groups are named by what differs between them.
struct GroupLabelTests {
  private func labels(_ configurations: [TrainingConfiguration]) throws -> [String] {
    let maker = try RunMaker()
    for (index, configuration) in configurations.enumerated() { try maker.run("run\(index)", configuration) }
    return try maker.report().comparisons.flatMap { $0.groups.map(\.label) }
  }

  @Test func seedThreadsAndPlaceOfDataMakeNoGroup() throws {
    let all = [1, 2, 3].map { seed in
      RunMaker.configuration(seed: seed) { ($0.threads, $0.data) = (Int(seed), "cifar10:/disk\(seed)") }
    }
    #expect(try labels(all) == ["resnet20, α = 0.25"])
  }

  /// What is spelled out but would be so anyway, and images that only some runs leave out.
  @Test func defaultsMakeNoGroup() throws {
    let maker = try RunMaker()
    try maker.run("a", RunMaker.configuration(seed: 1))
    try maker.run(
      "b",
      RunMaker.configuration(seed: 2) {
        $0.shards = 1
        $0.reduceDtype = .float32
        $0.lossReduction = .mean
        $0.testViews = .one
        $0.balancedSampler = false
        $0.exifOrientation = false
        $0.augmentation.repeats = 1
        $0.model?.widthMultiplier = 1
        $0.model?.keepsMerging = false
        $0.skipDamaged = true
      })
    let comparison = try maker.report().comparisons[0]
    #expect(comparison.groups.map(\.label) == ["resnet20, α = 0.25"])
    #expect(
      Headline(comparison).notes.contains(
        "Some runs of resnet20, α = 0.25 left damaged images out (--skip-damaged), others did not."))
  }

  /// The study of the paper's comparisons; at α = 0 strided is nothing to mention.
  @Test func study() throws {
    var all = [0.5, 0, 0.125].map { RunMaker.configuration(alpha: $0) }
    for (lowToHigh, highToLow) in [(false, false), (true, false), (false, true)] {
      all.append(
        RunMaker.configuration(alpha: 0.125) {
          $0.model?.lowToHigh = lowToHigh
          $0.model?.highToLow = highToLow
        })
    }
    all.append(RunMaker.configuration(alpha: 0.125) { $0.model?.downsampling = .strided })
    #expect(
      try labels(all) == [
        "α = 0", "α = 0.125", "α = 0.125, no L→H", "α = 0.125, no H→L", "α = 0.125, no exchange",
        "α = 0.125, strided", "α = 0.5",
      ])
  }

  /// Without paths to the high maps and out of them, only where octaves merge; and both networks at α = 0.
  @Test func rowsThatDecide() throws {
    func ablated(_ highToLow: Bool, _ keepsMerging: Bool?) -> TrainingConfiguration {
      RunMaker.configuration(alpha: 0.125) {
        $0.model?.lowToHigh = false
        $0.model?.highToLow = highToLow
        $0.model?.keepsMerging = keepsMerging
      }
    }
    let pooled = RunMaker.configuration(alpha: 0) { $0.model?.downsampling = .average }
    let rows = [
      RunMaker.configuration(alpha: 0), pooled, ablated(true, nil), ablated(false, true),
      RunMaker.configuration(alpha: 0.125),
    ]
    #expect(
      try labels(rows) == [
        "α = 0, strided", "α = 0, average", "α = 0.125", "α = 0.125, no L→H = no exchange",
        "α = 0.125, no exchange but merging",
      ])
  }

  @Test func otherSettings() throws {
    #expect(
      try labels([
        RunMaker.configuration(), RunMaker.configuration { $0.labelSmoothing = 0.1 },
        RunMaker.configuration { $0.clipGradientNorm = 2 },
      ]) == [
        "no largest gradient norm, label smoothing 0", "no largest gradient norm, label smoothing 0.1",
        "largest gradient norm 2",
      ])
    #expect(
      try labels([
        RunMaker.configuration { $0.optimizer = .adam }, RunMaker.configuration { $0.model?.variant = .seed },
      ]) == ["adam", "seed variant, sgd"])
  }

  @Test func theWholeNetworkHasANameBesideThoseThatLackSomething() throws {
    #expect(
      try labels([RunMaker.configuration(), RunMaker.configuration { $0.model?.highToLow = false }])
        == ["α = 0.25", "α = 0.25, no H→L"])
  }

  @Test func networksWithoutNameAreNeverAveraged() throws {
    let mine = RunMaker.configuration { $0.model = nil }
    #expect(try labels([mine, mine]) == ["run0", "run1"])
  }

  @Test func namesOfRuns() {
    #expect(RunSearch.names(of: ["/a/b/c", "/a/b/d/e"]) == ["c", "d/e"])
    #expect(RunSearch.names(of: ["/a/b/c"]) == ["c"])
  }
}
