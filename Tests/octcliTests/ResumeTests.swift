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
    for flags in [[], ["--threads", "2"], ["--early-stopping", "3", "--checkpoint-every", "5"]] {
      let outcome = try runner.run(["train", "--resume", runner.path("run")] + flags)
      #expect(outcome.status == 0)
      #expect(outcome.errors == "nothing to do: all epochs are done (1); more of them go on\n")
      // The results again, and where the page is.
      #expect(outcome.output.hasPrefix("best  epoch 1: ") && outcome.output.hasSuffix("run/report.html\n"))
      #expect(try runner.contents(of: "run") == before)
    }
    let fewer = try runner.run("train", "--resume", runner.path("run"), "--epochs", "0")
    #expect(fewer.status != 0)
    #expect(try runner.contents(of: "run") == before)
  }

  /// Killed before the page was written.
  @Test func aPageThatIsMissingIsWritten() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run")
    let before = try runner.contents(of: "run")
    try FileManager.default.removeItem(atPath: runner.path("run/report.html"))
    #expect(try runner.run("train", "--resume", runner.path("run")).status == 0)
    #expect(try runner.contents(of: "run") == before)
  }

  @Test func threadsStayUnlessTheyAreGiven() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run", ["--threads", "3"])
    #expect(try runner.run("train", "--resume", runner.path("run"), "--epochs", "2").status == 0)
    #expect(try runner.text("run/config.json").contains("\"threads\" : 3"))
    let other = ["--epochs", "3", "--threads", "1"]
    #expect(try runner.run(["train", "--resume", runner.path("run")] + other).status == 0)
    #expect(try runner.text("run/config.json").contains("\"threads\" : 1"))
  }

  @Test func aRunThatStoppedEarlyGoesOn() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    // Weights that do not move, and running statistics that are those of the batch after many updates.
    let still = [
      "--learning-rate", "1e-12", "--augment", "none", "--best-metric", "top5", "--early-stopping", "1",
      "--limit-train", "32", "--limit-test", "10",
    ]
    try runner.train("run", epochs: 40, still)
    let done = try runner.logRows("run").count
    try #require(try runner.text("run/results.json").contains("stoppedEarly") && done < 39)
    let before = try runner.contents(of: "run")
    let again = try runner.run("train", "--resume", runner.path("run"))
    #expect(again.status == 0 && again.errors.hasPrefix("nothing to do: stopped early after epoch \(done), "))
    #expect(try runner.contents(of: "run") == before)

    #expect(try runner.run("train", "--resume", runner.path("run"), "--early-stopping", "2").status == 0)
    let patient = try runner.logRows("run").count
    #expect(patient > done)
    let longer = try runner.run("train", "--resume", runner.path("run"), "--epochs", "41")
    #expect(longer.status == 0 && longer.errors.contains("resumed at epoch \(patient + 1), step 1"))
    #expect(try runner.logRows("run").count > patient)
  }

  /// One process gets the directory, the others are told which.
  @Test func twoProcessesInOneDirectory() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let flags = ["--epochs", "200"] + CommandRunner.tiny
    let first = try runner.start(["train", "--out", runner.path("run")] + flags)
    defer { if first.process.isRunning { first.process.terminate() } }
    while first.process.isRunning
      && !FileManager.default.fileExists(atPath: runner.path("run/resume.safetensors"))
    {
      usleep(2000)
    }
    let owner = "in use by process \(first.process.processIdentifier) (octcli train) on "
    for arguments in [["--resume", runner.path("run")], ["--out", runner.path("run")] + flags] {
      let second = try runner.run(["train"] + arguments)
      let message = try #require(second.errorMessage, "\(second)")
      #expect(message.hasPrefix("\(runner.path("run")): \(owner)"), "\(message)")
    }
    #expect(try runner.run("report", runner.path("run")).status == 0)
    #expect(first.process.isRunning)

    kill(first.process.processIdentifier, SIGKILL)
    first.process.waitUntilExit()
    let epochs = try runner.logRows("run").count + 2
    let resumed = try runner.run("train", "--resume", runner.path("run"), "--epochs", "\(epochs)")
    #expect(resumed.status == 0, "\(resumed.errors)")
    #expect(try runner.contents(of: "run").keys.allSatisfy { !$0.hasPrefix(".") })
  }

  @Test func aStudyIsOneProcesss() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    var flags = ["--alphas", "0,0.5", "--epochs", "50"] + CommandRunner.tiny
    if let alpha = flags.firstIndex(of: "--alpha") { flags.removeSubrange(alpha...alpha + 1) }
    let first = try runner.start(["study", "--out", runner.path("study")] + flags)
    defer { if first.process.isRunning { first.process.terminate() } }
    let run = runner.path("study/runs/alpha-0.0-seed-1")
    while first.process.isRunning && !FileManager.default.fileExists(atPath: run + "/resume.safetensors") {
      usleep(2000)
    }
    let owner = "in use by process \(first.process.processIdentifier) (octcli study) on "
    let before = try runner.text("study/study.json")
    for (arguments, path) in [
      (["study", "--resume", runner.path("study")], runner.path("study")),
      (["study", "--resume", runner.path("study"), "--epochs", "60"], runner.path("study")),
      (["study", "--out", runner.path("study")] + flags, runner.path("study")),
      (["train", "--resume", run], run),
    ] {
      let second = try runner.run(arguments)
      let message = try #require(second.errorMessage, "\(second)")
      #expect(message.hasPrefix("\(path): \(owner)"), "\(message)")
    }
    #expect(try runner.text("study/study.json") == before)
    let plan = try runner.run("study", "--resume", runner.path("study"), "--dry-run")
    #expect(plan.status == 0, "\(plan.errors)")

    let notAStudy = try runner.run("study", "--resume", run)
    #expect(try #require(notAStudy.errorMessage).contains("found a run, expected a study"))
    let notARun = try runner.run("train", "--resume", runner.path("study"))
    #expect(try #require(notARun.errorMessage).contains("found a study, expected a run"))
  }

  /// 0xE9 alone is é in Latin 1 and nothing in UTF-8.
  @Test func aNameThatIsNoUnicodeIsRefused() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let script = "name=$(printf 'caf\\351'); exec \"$0\" train --out \"$name\" --epochs 1"
    let started = try runner.start(
      ["-c", script, runner.program.path], of: URL(fileURLWithPath: "/bin/sh"))
    started.process.waitUntilExit()
    let outcome = try started.outcome()
    #expect(
      outcome.errorMessage == "caf\\xE9: argument 3 is not UTF-8, and names of files must be; rename it",
      "\(outcome)")
    let files = try FileManager.default.contentsOfDirectory(atPath: runner.scratch.path)
    #expect(files.allSatisfy { $0.hasSuffix(".out") || $0.hasSuffix(".err") })
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
