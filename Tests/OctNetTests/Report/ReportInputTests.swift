import Testing

import OctNet

/// Files that are not as they should be.
struct ReportInputTests {
  private static let header = "epoch,train_loss,train_accuracy,test_loss,test_top1,test_top5,learning_rate"

  @Test(arguments: [
    ("", "empty, expected a header and rows of numbers"),
    ("epoch,loss\n", "line 1: expected a column train_loss, found epoch,loss"),
    (header + "\n1,2,0.5\n", "line 2: expected 7 cells as in the header, found 3"),
    (header + "\n1,x,0.5,1,0.5,0.9,0.1\n", "line 2: expected a number, found \"x\""),
    (header + "\n1,,0.5,1,0.5,0.9,0.1\n", "line 2: a cell is empty"),
    (
      header + "\n1,1,0.5,1,0.5,0.9,0.1\n1,1,0.5,,,,0.1\n",
      "line 3: expected an epoch after the one before it, found 1"
    ),
    (header + "\n1,1,50,1,0.5,0.9,0.1\n", "line 2: expected accuracies as fractions from 0 to 1, found 50"),
  ])
  func log(text: String, problem: String) throws {
    let maker = try RunMaker()
    let path = try maker.run("a", log: text)
    #expect(throws: OctNetError.file(path: path + "/log.csv", problem)) { try maker.report() }
  }

  @Test func timing() throws {
    let maker = try RunMaker()
    let path = try maker.run("a")
    try AtomicFile.write("epoch,seconds\n1,0\n", to: path + "/timing.csv")
    #expect(throws: OctNetError.file(path: path + "/timing.csv", "line 2: expected seconds above 0")) {
      try maker.report()
    }
  }

  /// Earlier versions had the seconds in the log.
  @Test func secondsInTheLog() throws {
    let maker = try RunMaker()
    let log = Self.header + ",seconds,images_per_second\n1,1,0.5,1,0.5,0.9,0.1,12.5,400\n"
    try maker.run("a", RunMaker.configuration(epochs: 1), seconds: nil, log: log)
    #expect(try #require(maker.report().file("costs.csv")).contains(",12.5,12.5,12.5\n"))
    try maker.run("b", RunMaker.configuration(epochs: 1), seconds: nil)
    #expect(try #require(maker.report("b").file("costs.csv")).hasPrefix("setting,parameters,macs\n"))
  }

  @Test func results() throws {
    let maker = try RunMaker()
    let path = try maker.run("a")
    try AtomicFile.write("{\"outcome\": \"finished\"", to: path + "/results.json")
    #expect { try maker.report() } throws: { "\($0)".hasPrefix(path + "/results.json: byte 22: ") }
    var evaluation = RunMaker.evaluation(top1: 0.5)
    evaluation.confusion.removeLast()
    try RunResults(outcome: .finished, epochs: 2, best: .init(epoch: 1, evaluation: evaluation))
      .write(to: path + "/results.json")
    #expect { try maker.report() } throws: { "\($0)".contains("square confusion matrix of 3 classes") }
  }

  @Test func configuration() throws {
    let maker = try RunMaker()
    let path = try maker.run("a", RunMaker.configuration { $0.model?.name = "resnet21" })
    #expect { try maker.report() } throws: {
      "\($0)".hasPrefix(path + "/config.json: model: model: found \"resnet21\", expected one of resnet18")
    }
  }

  @Test func validation() throws {
    for amount in [1e30, .infinity, .nan, 1.5, 0] as [Double] {
      let maker = try RunMaker()
      let path = try maker.run("a", RunMaker.configuration { $0.validation = amount })
      #expect { try maker.report() } throws: {
        "\($0)".hasPrefix(path + "/config.json: validation: expected a share above 0 and below 1, or")
      }
    }
  }

  @Test func noRuns() throws {
    let maker = try RunMaker()
    try RunDirectory.makeDirectory(maker.directory("a/b"))
    try maker.run("1/2/3/4/5/too-deep")
    for name in ["a", "1"] {
      let path = maker.directory(name)
      #expect(
        throws: OctNetError.file(
          path: path, "no run found, expected config.json and log.csv in it or up to 4 levels below")
      ) { try Report(directories: [path]) }
    }
    #expect(throws: OctNetError.self) { try maker.report("missing") }
  }
}
