import Foundation
import Testing

struct ResumeTests {
  @Test func longerByResumingIsTheSameToTheBit() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("whole", epochs: 2)
    try runner.train("parts", epochs: 1)
    let outcome = try runner.run("train", "--resume", runner.path("parts"), "--epochs", "2", "--threads", "1")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.errorLines.contains("resumed at epoch 2, step 1"))
    #expect(try runner.data("parts/last.safetensors") == runner.data("whole/last.safetensors"))
    #expect(try runner.data("parts/best.safetensors") == runner.data("whole/best.safetensors"))
    #expect(try runner.logRows("parts") == runner.logRows("whole"))
  }

  @Test func interruptedAndResumedIsTheSameToTheBit() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let epochs = 6
    try runner.train("whole", epochs: epochs)
    let running = try runner.start(
      ["train", "--out", runner.path("parts"), "--epochs", String(epochs)] + CommandRunner.tiny)
    // As soon as there is something to resume; five epochs are still to come.
    while running.process.isRunning
      && !FileManager.default.fileExists(atPath: runner.path("parts/resume.safetensors"))
    {
      usleep(2000)
    }
    running.process.interrupt()
    running.process.waitUntilExit()
    let interrupted = try running.outcome()
    #expect(interrupted.status == 130, "\(interrupted.errors)")
    #expect(interrupted.output == "")
    #expect(
      interrupted.errorLines.last.map(String.init)
        == "stopped; go on with: octcli train --resume \(runner.path("parts"))")

    let resumed = try runner.run("train", "--resume", runner.path("parts"))
    #expect(resumed.status == 0, "\(resumed.errors)")
    #expect(try runner.data("parts/last.safetensors") == runner.data("whole/last.safetensors"))
    #expect(try runner.data("parts/best.safetensors") == runner.data("whole/best.safetensors"))
    #expect(try runner.logRows("parts") == runner.logRows("whole"))
  }

  @Test func threadsDoNotChangeABit() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("one", ["--threads", "1"])
    try runner.train("three", ["--threads", "3"])
    #expect(try runner.data("one/last.safetensors") == runner.data("three/last.safetensors"))
    try runner.train("seed", ["--seed", "2"])
    #expect(try runner.data("one/last.safetensors") != runner.data("seed/last.safetensors"))
  }

  @Test func aFinishedRunHasNothingToDo() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run")
    let before = try runner.contents(of: "run")
    let outcome = try runner.run("train", "--resume", runner.path("run"))
    #expect(outcome.status == 0)
    #expect(try runner.contents(of: "run")["last.safetensors"] == before["last.safetensors"])
  }

  @Test func nothingToResumeIsAnError() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let missing = try runner.run("train", "--resume", runner.path("nowhere"))
    #expect(try #require(missing.errorMessage).contains(runner.path("nowhere")))
    #expect(!FileManager.default.fileExists(atPath: runner.path("nowhere")))
  }

  @Test func aDamagedStateIsAnErrorAndTheRunStaysAsItIs() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run")
    let state = URL(fileURLWithPath: runner.path("run/resume.safetensors"))
    try Data(contentsOf: state).dropLast(7).write(to: state)
    let before = try runner.contents(of: "run")
    let outcome = try runner.run("train", "--resume", runner.path("run"), "--epochs", "2")
    #expect(try #require(outcome.errorMessage, "\(outcome)").hasPrefix(state.path + ": "))
    #expect(try runner.contents(of: "run") == before)
  }

  @Test func theConfigurationIsReadStrictly() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run")
    let path = runner.path("run/config.json")
    let text = try runner.text("run/config.json")
    for (damaged, named) in [
      ("{\"colour\": 1," + text.dropFirst(), "colour"),
      (text.replacingOccurrences(of: "\"seed\" : 1", with: "\"seed\" : 7"), "seed"),
      (String(text.dropLast(5)), path),
    ] {
      try Data(damaged.utf8).write(to: URL(fileURLWithPath: path))
      let outcome = try runner.run("train", "--resume", runner.path("run"), "--epochs", "2")
      #expect(try #require(outcome.errorMessage, "\(outcome)").contains(named))
    }
  }

  /// A limit on file sizes stands for a full disk: writing fails in the middle of a checkpoint.
  @Test func aFullDiskLeavesTheCheckpointsAndTheRunGoesOnLater() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("whole", epochs: 2)
    try runner.train("run")
    let before = try runner.contents(of: "run")
    let outcome = try runner.run(
      ["train", "--resume", runner.path("run"), "--epochs", "2"], fileSizeLimitInBlocks: 400)
    #expect(outcome.status == 1)
    #expect(outcome.output == "")
    let last = runner.path("run/last.safetensors")
    #expect(outcome.errorLines.last?.hasPrefix("octcli: error: \(last): cannot write: ") == true)
    let after = try runner.contents(of: "run")
    // Nothing but the second process's events is new.
    let newFiles = Set(after.keys).subtracting(before.keys)
    #expect(newFiles.count == 1 && newFiles.allSatisfy { $0.hasPrefix("events.out.tfevents.") })
    #expect(Set(before.keys).isSubset(of: after.keys))
    for name in ["best.safetensors", "last.safetensors", "resume.safetensors"] {
      #expect(after[name] == before[name])
    }

    let resumed = try runner.run("train", "--resume", runner.path("run"))
    #expect(resumed.status == 0, "\(resumed.errors)")
    #expect(try runner.data("run/last.safetensors") == runner.data("whole/last.safetensors"))
  }
}
