import Foundation
import Testing

import OctNet
@testable import OctNetTraining
@testable import OctNetReport
@testable import OctNetCore
@testable import OctNetCheckpoint

/// States and results that no training leaves behind.
@Suite struct StateValidationTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  /// The state after the first of three epochs and two batches of the next one: 22 images in batches of 5.
  private func state(
    _ name: String = "run", _ change: (inout TrainingConfiguration) -> Void = { _ in }
  ) throws -> (state: TrainingState, run: RunDirectory) {
    let run = try RunDirectory.create(directory(name))
    var configuration = TinyRun.configuration()
    change(&configuration)
    let trainer = try Trainer(
      network: TinyRun.network(), configuration: configuration, data: TinyRun.data, directory: run)
    try trainer.run { trainer.position.epoch == 1 && trainer.position.batch == 2 }
    return (try TrainingState(path: run.statePath), run)
  }

  /// What reading and resuming the changed state says.
  private func problem(
    _ state: TrainingState, _ run: RunDirectory, _ change: (inout TrainingState) -> Void
  ) throws -> String? {
    var changed = state
    change(&changed)
    let path = directory("changed")
    try changed.write(to: path)
    return error {
      let read = try TrainingState(path: path)
      return try Trainer(
        network: TinyRun.network(), configuration: read.configuration, data: TinyRun.data, resuming: read)
    }?.description
  }

  @Test func theStateOfATrainingIsTaken() throws {
    let (state, run) = try state()
    #expect(state.position.step == 7 && state.position.images == 10)
    #expect(try problem(state, run) { _ in } == nil)
  }

  @Test(arguments: [Int.min, -1, Int.max, 1 << 40])
  func countsOfAPosition(value: Int) throws {
    let (state, run) = try state()
    let fields: [(String, WritableKeyPath<TrainingPosition, Int>)] = [
      ("epoch", \.epoch), ("batch", \.batch), ("step", \.step), ("correct", \.correct), ("images", \.images),
      ("epochImages", \.epochImages),
    ]
    for (name, field) in fields {
      let found = try problem(state, run) { $0.position[keyPath: field] = value }
      #expect(found != nil, "\(name) \(value)")
      // The images of an epoch are known from the data.
      if !(name == "epochImages" && value > 0) {
        #expect(found?.contains("position.\(name): ") == true, "\(found ?? "")")
      }
    }
  }

  /// One more or one less than the truth.
  @Test(arguments: [-1, 1])
  func countsThatDoNotFitEachOther(difference: Int) throws {
    let (state, run) = try state()
    for field in [\TrainingPosition.epoch, \.batch, \.step, \.images, \.epochImages] {
      #expect(try problem(state, run) { $0.position[keyPath: field] += difference } != nil)
    }
    #expect(try problem(state, run) { $0.results.epochs += difference } != nil)
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity, -1, 1e300])
  func timesAndSums(value: Double) throws {
    let (state, run) = try state()
    for field in [\TrainingPosition.seconds, \.earlierSeconds, \.lossSum] {
      // A sum of losses may be negative by rounding.
      if field == \.lossSum && value == -1 { continue }
      let found = try problem(state, run) { $0.position[keyPath: field] = value }
      #expect(found?.contains("position.") == true, "\(value)")
    }
  }

  @Test func accumulatedBatchesHaveNoState() throws {
    let (state, run) = try state { $0.accumulationSteps = 2 }
    #expect(state.position.step == 4)
    #expect(try problem(state, run) { _ in } == nil)
    let found = try problem(state, run) {
      ($0.position.batch, $0.position.images, $0.position.step) = (3, 15, 5)
    }
    #expect(found?.contains("position.batch: expected a multiple of 2, found 3") == true)
  }

  @Test(arguments: [
    "", "1", "2,1,0.5,1,0.5,1,0.1", "1,1,0.5,1,0.5,1", "1,,0.5,1,0.5,1,0.1", "1,nan,0.5,1,0.5,1,0.1",
    "1,1,1.5,1,0.5,1,0.1", "1,1,0.5,1,1e308,1,0.1", "1,1,0.5,1e300,0.5,1,0.1", "1,1,0.5,1,0.5,1,inf",
    "1,1,0.5,,0.5,1,0.1", "1,1,0.5,1,0.5,1,0.1\n2,1,0.5,1,0.5,1,0.1",
  ])
  func rowsOfTheLog(row: String) throws {
    let (state, run) = try state()
    #expect(try problem(state, run) { $0.log.rows = [row] }?.contains("log row 1: ") == true)
    #expect(try problem(state, run) { $0.log.rows.append(row) }?.contains("log: expected a row") == true)
  }

  @Test func rowsThatAreRight() throws {
    let (state, run) = try state()
    for row in ["1,1,0.5,inf,0.5,1,0.1", "1,1,0.5,nan,0,1,0", "1,1,0.5,,,,0.1"] {
      #expect(try problem(state, run) { $0.log.rows = [row] } == nil)
    }
    for row in ["1,nan,5", "1,-1,5", "1,1e300,5", "1,5", "1,5,-2"] {
      #expect(try problem(state, run) { $0.log.timingRows = [row] }?.contains("timing row 1: ") == true)
    }
  }

  @Test func outcomes() throws {
    let (state, run) = try state()
    for outcome in [RunResults.Outcome.finished, .stoppedEarly] {
      #expect(try problem(state, run) { $0.results.outcome = outcome }?.contains("results.outcome") == true)
    }
    #expect(
      try problem(state, run) { $0.configuration.epochs = 1 }?.contains("position.batch: expected 0 to 0")
        == true)
    #expect(try problem(state, run) { $0.configuration.epochs = .max }?.contains("epochs") == true)
    #expect(try problem(state, run) { $0.configuration.batchSize = -5 }?.contains("batchSize") == true)
  }

  /// Each number of a state in turn, replaced by each of these, is refused or trained with; nothing traps.
  @Test func everyNumberMayBeAnything() throws {
    let (_, run) = try state()
    let original = try SafetensorsFile(path: run.statePath)
    let path = directory("mutated")
    var (tried, refused) = (0, 0)
    for key in [TrainingState.Key.position, TrainingState.Key.results, TrainingState.Key.log] {
      let text = try #require(original.metadata[key])
      for range in text.ranges(of: /-?[0-9]+(\.[0-9]+)?(e-?[0-9]+)?/) {
        for value in [
          "-1", "0", "9223372036854775807", "-9223372036854775808", "18446744073709551616", "1e308", "-1e308",
          "0.5", "\"nan\"", "\"-inf\"", "null", "1e-320",
        ] {
          var file = original
          file.metadata[key] = text.replacingCharacters(in: range, with: value)
          try file.write(to: path)
          tried += 1
          let failure = error {
            try Trainer(
              network: TinyRun.network(), configuration: TinyRun.configuration(), data: TinyRun.data,
              resuming: try TrainingState(path: path)
            ).run()
          }
          if failure != nil { refused += 1 }
        }
      }
    }
    #expect(tried > 500 && refused > tried / 2, "\(tried) \(refused)")
  }

  // MARK: Evaluations

  private static let evaluation = EvaluationResult(
    images: 6, top1: 0.5, top5: 1, loss: 0.75, classNames: ["a", "b", "c"], perClassAccuracy: [0.5, 1, nil],
    confusion: [[2, 2, 0], [0, 2, 0], [0, 0, 0]])

  private static let changes: [(String, @Sendable (inout EvaluationResult) -> Void)] = [
    ("confusion", { $0.confusion[0][1] = .max }),
    ("confusion", { $0.confusion = [[.max, .max, 0], [0, 0, 0], [0, 0, 0]] }),
    ("confusion", { $0.confusion[2][2] = -1 }), ("confusion", { $0.confusion[2][2] = 1 }),
    ("confusion", { $0.images = -1 }),
    ("square", { $0.confusion[1].removeLast() }), ("square", { $0.perClassAccuracy.append(1) }),
    ("square", { $0.classNames = [] }), ("top1", { $0.top1 = 1e308 }), ("top1", { $0.top1 = .nan }),
    ("top1", { $0.top1 = -0.1 }), ("top5", { $0.top5 = 0.25 }), ("top5", { $0.top5 = .infinity }),
    ("loss", { $0.loss = 1e308 }), ("loss", { $0.loss = -1e308 }),
    ("perClassAccuracy", { $0.perClassAccuracy[0] = -1e308 }),
    ("perClassAccuracy", { $0.perClassAccuracy[0] = .nan }),
  ]

  /// Of a run's results, and so of a report and of a state.
  @Test func evaluations() throws {
    let path = directory("results.json")
    for (name, change) in Self.changes {
      var evaluation = Self.evaluation
      change(&evaluation)
      try RunResults(epochs: 1, last: .init(epoch: 1, evaluation: evaluation)).write(to: path)
      let found = error { try RunResults(path: path) }?.description
      #expect(
        found?.hasPrefix(path + ": last.evaluation") == true && found?.contains(name) == true,
        "\(found ?? name)")
    }
    for loss in [Double.nan, .infinity, 3e38, 0] {
      var evaluation = Self.evaluation
      evaluation.loss = loss
      try RunResults(epochs: 1, last: .init(epoch: 1, evaluation: evaluation)).write(to: path)
      #expect(throws: Never.self) { try RunResults(path: path) }
    }
  }

  @Test(arguments: [(Int.max, 1), (-1, 1), (0, 1), (1, 2), (2, 0), (2, -1), (2, Int.min)])
  func epochsOfResults(epochs: Int, scored: Int) throws {
    let path = directory("results.json")
    try RunResults(epochs: epochs, best: .init(epoch: scored, evaluation: Self.evaluation)).write(to: path)
    #expect(error { try RunResults(path: path) } != nil)
  }

  /// What a report read before it believed it.
  @Test func reportsOfImpossibleNumbers() throws {
    let maker = try RunMaker()
    let path = try maker.run("a")
    for (_, change) in Self.changes {
      var evaluation = Self.evaluation
      change(&evaluation)
      try RunResults(outcome: .finished, epochs: 2, best: .init(epoch: 1, evaluation: evaluation))
        .write(to: path + "/results.json")
      #expect { try maker.report() } throws: { "\($0)".hasPrefix(path + "/results.json: best.evaluation") }
    }
  }

  /// Each number of a run's files in turn: an error that names the file, or a page.
  @Test(arguments: ["results.json", "log.csv", "timing.csv"])
  func everyNumberOfAReportMayBeAnything(name: String) throws {
    let maker = try RunMaker()
    let path = try maker.run("a") + "/" + name
    let text = String(decoding: try contents(ofFile: path), as: UTF8.self)
    var (pages, refused) = (0, 0)
    for range in text.ranges(of: /[0-9]+(\.[0-9]+)?/) {
      for value in [
        "-1", "9223372036854775807", "-9223372036854775808", "1e308", "3e38", "1e-320", "nan", "\"inf\"",
      ] {
        try AtomicFile.write(text.replacingCharacters(in: range, with: value), to: path)
        let failure = error {
          // The page and the drawings of numbers that were taken.
          let page = ReportPage(try maker.report())
          #expect(!page.html.isEmpty && !page.files.isEmpty)
          pages += 1
        }
        guard let failure else { continue }
        refused += 1
        #expect(failure.description.hasPrefix(path + ": "), "\(failure)")
      }
    }
    #expect(pages > 0 && refused > 10, "\(pages) \(refused)")
  }

  @Test(arguments: ["1e308", "-1e308", "4e38"])
  func reportsOfLossesThatAreNoFloats(loss: String) throws {
    let maker = try RunMaker()
    let path = try maker.run("a", log: TrainingLog.header + "\n1,\(loss),0.5,1,0.5,0.9,0.1\n")
    #expect { try maker.report() } throws: { "\($0)".hasPrefix(path + "/log.csv: line 2: expected losses") }
  }
}
