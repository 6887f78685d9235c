import Foundation
import Testing

import OctNet
@testable import OctNetTraining

/// `timing.csv`: what a run took up to each score, in all its sessions.
struct TimingTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  /// Rows as numbers; an empty cell is `nil`.
  private func rows(_ run: RunDirectory) throws -> [[Double?]] {
    let text = String(decoding: try contents(ofFile: run.timingPath), as: UTF8.self)
    let lines = text.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
    #expect(lines.first == ["epoch", "seconds", "images_per_second", "seconds_to_score"])
    #expect(lines.allSatisfy { $0.count == 4 })
    return lines.dropFirst().map { $0.map { Double($0) } }
  }

  private func train(
    _ name: String, stoppingAfter stops: [Int] = [],
    _ change: (inout TrainingConfiguration) -> Void = { _ in }
  ) throws -> TinyRun.Ended {
    var configuration = TinyRun.configuration()
    change(&configuration)
    return try TinyRun.train(directory(name), configuration, stoppingAfter: stops, threads: []) {
      try TinyRun.network(seed: $0)
    }
  }

  /// As a cell has it.
  private func rounded(_ seconds: Double) -> Double? { Double(format(seconds, digits: 6)) }

  @Test func theLastRowHasTheSecondsToTheScore() throws {
    let run = try train("run")
    let rows = try rows(run.directory)
    // Each counts its own evaluation alone, so that a later score may have taken less than an earlier one.
    var training = 0.0
    for row in rows {
      training += try #require(row[1])
      #expect(try #require(row[3]) > training * 0.99999)
    }
    #expect(rows.count == 3 && rows.last?[3] == rounded(run.summary.secondsToScore))
  }

  @Test func epochsWithoutAScoreHaveNone() throws {
    let run = try train("run") { $0.evaluateEvery = 2 }
    #expect(try rows(run.directory).map { $0[3] == nil } == [true, false, false])
  }

  /// All sessions' training, and the first one's look at the images.
  @Test func sessionsAddUp() throws {
    let run = try train("run", stoppingAfter: [3, 7])
    var state = try TrainingState(path: run.directory.statePath)
    let rows = try rows(run.directory)
    #expect(rows.count == 3 && rows.last?[3] == rounded(run.summary.secondsToScore))
    #expect(run.summary.secondsToScore > run.summary.seconds)

    // A run that is done says the same again and changes nothing.
    let before = try contents(ofFile: run.directory.timingPath)
    let again = try Trainer(
      network: TinyRun.network(), configuration: state.configuration, data: TinyRun.data,
      directory: run.directory, resuming: state
    ).run()
    #expect(rounded(again.secondsToScore) == rows.last?[3])
    #expect(try contents(ofFile: run.directory.timingPath) == before)

    // An hour before the first step counts, and so do two of training.
    state = try earlier("hours", epochs: 1)
    state.position.preparationSeconds = 3600
    state.position.earlierSeconds += 7200
    let later = try Trainer(
      network: TinyRun.network(), configuration: state.configuration, data: TinyRun.data, resuming: state
    ).run()
    #expect(later.seconds >= 7200 && later.secondsToScore >= later.seconds + 3600)
  }

  /// The state after so many epochs, of a run of one more.
  private func earlier(_ name: String, epochs: Int) throws -> TrainingState {
    let run = try RunDirectory.create(directory(name))
    let trainer = try Trainer(
      network: TinyRun.network(), configuration: TinyRun.configuration(epochs: epochs + 1),
      data: TinyRun.data, directory: run)
    try trainer.run { trainer.position.epoch == epochs }
    return try TrainingState(path: run.statePath)
  }

  @Test func statesOfEarlierVersionsAreTaken() throws {
    var state = try earlier("run", epochs: 1)
    #expect(state.position.preparationSeconds == 0)
    state.position.preparationSeconds = nil
    state.log.timingRows = state.log.timingRows.map {
      $0.split(separator: ",").prefix(3).joined(separator: ",")
    }
    #expect(state.log.timingRows[0].split(separator: ",").count == 3)
    try state.write(to: directory("earlier"))
    let read = try TrainingState(path: directory("earlier"))
    #expect(read.position.preparationSeconds == nil && read.log.secondsToScore == nil)
    let run = try RunDirectory.create(directory("later"))
    try Trainer(
      network: TinyRun.network(), configuration: read.configuration, data: TinyRun.data, directory: run,
      resuming: read
    ).run()
    #expect(try rows(run).map { $0[3] == nil } == [true, false])
    for value in [Double.nan, .infinity, -1, 1e300] {
      state.position.preparationSeconds = value
      try state.write(to: directory("wrong"))
      let problem = error { try TrainingState(path: directory("wrong")) }
      #expect(problem?.description.contains("position.preparationSeconds") == true, "\(value)")
    }
  }

  /// The last score of a run with validation images is that on the test images.
  @Test func theTestIsTheScoreWhereOtherImagesChose() throws {
    let run = try train("run") { $0.validation = 6 }
    #expect(run.summary.results.test != nil)
    let last = try #require(try rows(run.directory).last)
    #expect(last[3] == rounded(run.summary.secondsToScore))
    let state = try TrainingState(path: run.directory.statePath)
    #expect(state.log.secondsToScore == last[3])
  }
}
