import Foundation
import Testing

import OctNet

/// What resuming a run that has ended, or with other settings, does and says.
@Suite struct ResumeRulesTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  /// A learning rate so small that no evaluation is better than the first one.
  private static var stopping: TrainingConfiguration {
    var configuration = TinyRun.configuration(epochs: 9)
    configuration.schedule = LearningRateSchedule(base: 1e-12)
    configuration.augmentation = .none
    configuration.earlyStoppingEpochs = 2
    configuration.optimizer = .sgd(momentum: 0, nesterov: false)
    configuration.bestMetric = .top5
    return configuration
  }

  @discardableResult
  private func train(
    _ name: String, _ configuration: TrainingConfiguration, stoppingAfter step: Int = .max
  ) throws -> (trainer: Trainer, results: RunResults, report: RunReport?) {
    let path = directory(name)
    let isNew = !FileManager.default.fileExists(atPath: path)
    let run = try isNew ? RunDirectory.create(path) : RunDirectory.open(path)
    var report: RunReport?
    let trainer = try Trainer(
      network: TinyRun.network(), configuration: configuration, data: TinyRun.data, directory: run,
      resuming: isNew ? nil : try TrainingState(path: run.statePath)
    ) { if case .runStarted(let start) = $0 { report = start } }
    let summary = try trainer.run { trainer.position.step >= step }
    return (trainer, summary.results, report)
  }

  /// Names, bytes and times of all files of a run.
  private struct Snapshot: Equatable {
    var files: [String: [UInt8]] = [:]
    var times: [String: Date] = [:]
  }

  private func snapshot(_ name: String) throws -> Snapshot {
    var snapshot = Snapshot()
    for file in try FileManager.default.subpathsOfDirectory(atPath: directory(name)) {
      let path = directory(name) + "/" + file
      snapshot.files[file] = try contents(ofFile: path)
      snapshot.times[file] =
        try FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
    }
    return snapshot
  }

  @Test func nothingToDoChangesNoByte() throws {
    try train("finished", TinyRun.configuration(epochs: 1))
    try train("stopped", Self.stopping)
    for (name, configuration, reason) in [
      ("finished", TinyRun.configuration(epochs: 1), "all epochs are done (1)"),
      ("finished", TinyRun.configuration(threads: 3, epochs: 1), "all epochs are done (1)"),
      ("stopped", Self.stopping, "stopped early after epoch 3, the best was epoch 1"),
    ] {
      let before = try snapshot(name)
      let (trainer, _, report) = try train(name, configuration)
      #expect(trainer.nothingToDo?.hasPrefix(reason) == true, "\(trainer.nothingToDo ?? "")")
      #expect(report == nil)
      #expect(try snapshot(name) == before)
    }
  }

  /// Killed after the state was written and before the results were.
  @Test func resultsThatAreMissingAreWritten() throws {
    try train("run", TinyRun.configuration(epochs: 1))
    let before = try snapshot("run")
    try FileManager.default.removeItem(atPath: directory("run/results.json"))
    #expect(try train("run", TinyRun.configuration(epochs: 1)).trainer.nothingToDo != nil)
    #expect(try snapshot("run").files == before.files)
  }

  /// With the patience it would have had from the beginning, the run is that run.
  @Test func morePatienceGoesOn() throws {
    try train("parts", Self.stopping)
    var patient = Self.stopping
    patient.earlyStoppingEpochs = 4
    let (trainer, results, _) = try train("parts", patient)
    #expect(trainer.nothingToDo == nil)
    #expect(results.outcome == .stoppedEarly && results.epochs == 5)
    try train("whole", patient)
    let (parts, whole) = (try snapshot("parts").files, try snapshot("whole").files)
    for file in ["config.json", "log.csv", "results.json", "best.safetensors", "last.safetensors"] {
      #expect(parts[file] == whole[file], "\(file)")
    }

    patient.earlyStoppingEpochs = nil
    #expect(try train("parts", patient).results.outcome == .finished)
    // Less patience than before stays stopped.
    try train("other", Self.stopping)
    var impatient = Self.stopping
    impatient.earlyStoppingEpochs = 1
    #expect(
      try train("other", impatient).trainer.nothingToDo?.contains("stopped early after epoch 3") == true)
  }

  /// They are trained, and the patience begins anew, also where the run is interrupted in between.
  @Test func moreEpochsGoOn() throws {
    try train("run", Self.stopping)
    var longer = Self.stopping
    longer.epochs = 40
    try train("run", longer, stoppingAfter: 18)
    let (_, results, _) = try train("run", longer)
    #expect(results.outcome == .stoppedEarly && results.epochs == 5 && results.best?.epoch == 1)
    #expect(try train("run", longer).trainer.nothingToDo?.contains("stopped early after epoch 5") == true)
    longer.epochs = 41
    #expect(try train("run", longer).results.epochs == 7)

    // A run that just reached its end before its patience did.
    var short = Self.stopping
    (short.epochs, short.earlyStoppingEpochs) = (3, 2)
    #expect(try train("short", short).results.outcome == .finished)
    short.epochs = 9
    #expect(try train("short", short).results.epochs == 5)
  }

  @Test func fewerEpochsThanAreDoneAreRefused() throws {
    try train("finished", TinyRun.configuration(epochs: 2))
    try train("begun", TinyRun.configuration(epochs: 4), stoppingAfter: 7)
    for (name, epochs, problem) in [
      ("finished", 1, "the run has done 2 epochs, expected 2 or more, found 1"),
      ("begun", 1, "the run has done 1 epoch and begun another, expected 2 or more, found 1"),
    ] {
      let before = try snapshot(name)
      #expect(
        error { try train(name, TinyRun.configuration(epochs: epochs)) }
          == .configuration(key: "epochs", problem))
      #expect(try snapshot(name) == before)
    }
    // Fewer than it was to have, but not fewer than there are.
    #expect(try train("begun", TinyRun.configuration(epochs: 2)).results.epochs == 2)
  }

  @Test func aRateThatJumpsIsSaid() throws {
    var configuration = TinyRun.configuration(epochs: 2)
    configuration.schedule = LearningRateSchedule(base: 0.1, shape: .cosine)
    try train("cosine", configuration)
    configuration.epochs = 4
    let notes = try #require(try train("cosine", configuration, stoppingAfter: 11).report?.notes)
    // Ten steps of ten are done; the last was at 0.1 · ½(1 + cos 0.9π), the next one of twenty is the middle.
    #expect(
      notes == [
        "learning rate: 0.00245 before, 0.05 now, as its course ends after 4 epochs instead of 2"
      ])
    #expect(try train("cosine", configuration, stoppingAfter: 12).report?.notes == [])

    for shape in [LearningRateSchedule.Shape.constant, .step(size: 1, gamma: 0.5)] {
      configuration.schedule.shape = shape
      configuration.epochs = 2
      try train("\(shape)", configuration)
      configuration.epochs = 3
      #expect(try train("\(shape)", configuration).report?.notes == [])
    }
  }

  // MARK: What is no run

  @Test func whatIsNoRunIsNamed() throws {
    try train("run", TinyRun.configuration(epochs: 1))
    try RunDirectory.makeDirectory(directory("empty"))
    try RunDirectory.makeDirectory(directory("study"))
    try AtomicFile.write("{}", to: directory("study/study.json"))
    try RunDirectory.makeDirectory(directory("photos"))
    for name in ["a", "b", "c", "d", "e"] { try AtomicFile.write("x", to: directory("photos/\(name).png")) }
    let expected = "expected that of a run, with config.json and resume.safetensors"
    for (name, problem) in [
      ("empty", "found an empty directory, \(expected)"),
      ("photos", "found a directory with a.png, b.png, c.png, d.png, …, \(expected)"),
      ("photos/a.png", "found a file, expected the directory of a run"),
      (
        "run/best.safetensors",
        "found a file, expected the directory of a run: train --resume \(directory("run"))"
      ),
      (
        "study",
        "found a study, expected a run: study --resume goes on with it, and its runs are in \(directory("study"))/runs"
      ),
    ] {
      let before = try snapshot("photos")
      #expect(error { try RunDirectory.open(directory(name)) } == .file(path: directory(name), problem))
      #expect(try snapshot("photos") == before)
    }
    #expect(
      error { try Study.configuration(of: directory("run")) }
        == .file(path: directory("run"), "found a run, expected a study: train --resume goes on with it"))
    #expect(
      error { try Study.configuration(of: directory("empty")) }
        == .file(
          path: directory("empty"), "found an empty directory, expected that of a study, with study.json"))
    #expect(
      error { try Study.configuration(of: directory("study/study.json")) }
        == .file(
          path: directory("study/study.json"),
          "found a file, expected the directory of a study: study --resume \(directory("study"))"))
  }
}
