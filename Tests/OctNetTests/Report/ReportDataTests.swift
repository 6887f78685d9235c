import Testing

import OctNet
@testable import OctNetReport
@testable import OctNetTraining

/// Which runs are of the same images.
struct ReportDataTests {
  private func maker(
    _ runs: [(name: String, data: String, classes: [String], more: Int)]
  ) throws -> RunMaker {
    let maker = try RunMaker()
    for (index, run) in runs.enumerated() {
      var evaluation = RunMaker.evaluation(top1: 0.5, classNames: run.classes)
      // Other test images than those that the names make.
      evaluation.confusion[0][0] += run.more
      evaluation.images += run.more
      try maker.run(
        run.name, RunMaker.configuration(seed: UInt64(index + 1)) { $0.data = run.data },
        evaluation: evaluation)
    }
    return maker
  }

  private func sets(_ report: Report) -> [[String]] {
    report.comparisons.map { [$0.dataName] + $0.runs.map(\.name) }
  }

  @Test func otherClassesAreOtherData() throws {
    let (things, dogs) = (["tench", "church"], ["beagle", "dingo"])
    let runs = try maker([
      ("a", "tar:/d/imagenette/{train,val}-*.tar", things, 0),
      ("b", "tar:/d/imagewoof/{train,val}-*.tar", dogs, 0),
      // Moved, and mapped from folders in another order.
      ("c", "tar:/e/imagenette/{train,val}-*.tar", things.reversed(), 0),
    ])
    let report = try runs.report()
    #expect(
      sets(report) == [
        ["tar:imagenette/{train,val}-*.tar", "a", "c"], ["tar:imagewoof/{train,val}-*.tar", "b"],
      ])
    #expect(report.comparisons[0].groups.count == 1)
  }

  @Test func anotherNumberOfTestImagesIsOtherData() throws {
    let runs = try maker([
      ("a", "folder:/a/images", RunMaker.classes, 0), ("b", "folder:/b/images", RunMaker.classes, 1),
      ("c", "folder:/moved/images", RunMaker.classes, 1),
    ])
    // What has no results is of the data at its own place.
    try runs.run("d", RunMaker.configuration { $0.data = "folder:/b/images" }, results: false)
    try runs.run("e", RunMaker.configuration { $0.data = "folder:/elsewhere/images" }, results: false)
    #expect(
      try sets(runs.report()) == [["folder:a/images", "a", "e"], ["folder:b/images", "b", "c", "d"]])
  }

  /// Where the path says nothing, the images or a number do.
  @Test func dataOfOnePathHasNames() throws {
    let counts = try maker([
      ("a", "cifar10:/a", RunMaker.classes, 0), ("b", "cifar10:/a", RunMaker.classes, 1000),
    ])
    #expect(
      try sets(counts.report()) == [["cifar10, 36 test images", "a"], ["cifar10, 1,036 test images", "b"]])
    let classes = try maker([("a", "idx:/a", ["x", "y"], 0), ("b", "idx:/a", ["x", "z"], 0)])
    let report = try classes.report()
    #expect(sets(report) == [["idx:a (1)", "a"], ["idx:a (2)", "b"]])
    #expect(report.file("idx-a--1--accuracy.csv") != nil && report.file("idx-a--2--accuracy.csv") != nil)
  }

  /// Without a file of names, classes are numbers.
  @Test func numbersTellNothing() throws {
    let runs = try maker([
      ("a", "idx:/a/x", ["0", "1"], 0), ("b", "idx:/b/x", ["shirt", "shoe"], 0),
      ("c", "idx:/c/x", ["0", "1", "2"], 0),
    ])
    #expect(try sets(runs.report()) == [["idx:a/x", "a", "b"], ["idx:c/x", "c"]])
  }
}
