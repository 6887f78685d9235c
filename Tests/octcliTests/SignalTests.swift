import Foundation
import Testing

/// Runs and evaluations that are told to stop.
struct SignalTests {
  /// One short epoch with an evaluation that takes most of the time.
  private static let flags = [
    "--model", "resnet20", "--batch-size", "16", "--limit-train", "32", "--epochs", "1", "--no-tensorboard",
    "--limit-test", "600",
  ]

  private func kept(_ runner: CommandRunner, _ run: String) throws -> [String: Data] {
    try runner.contents(of: run).filter {
      ["best.safetensors", "last.safetensors", "log.csv", "results.json", "config.json"].contains($0.key)
    }
  }

  /// Starts, waits until `file` is there, and sends the signals.
  private func stop(
    _ runner: CommandRunner, _ arguments: [String], script: String? = nil, at file: String, _ signals: [Int32]
  ) throws -> CommandRunner.Outcome {
    let running =
      try script.map { try runner.start(script: $0, arguments) } ?? runner.start(arguments)
    while running.process.isRunning && !FileManager.default.fileExists(atPath: runner.path(file)) {
      usleep(500)
    }
    for signal in signals {
      kill(running.process.processIdentifier, signal)
      // Equal signals that are pending are one.
      usleep(20_000)
    }
    running.process.waitUntilExit()
    #expect(running.process.terminationReason == .exit)
    return try running.outcome()
  }

  /// In the training or in the evaluation, wherever it hits: the run goes on to the same bytes. A terminal that goes away
  /// sends SIGHUP, and often more than once.
  @Test(arguments: [[SIGTERM], [SIGHUP, SIGHUP], [SIGINT], [SIGHUP, SIGTERM]])
  func aStoppedRunGoesOn(signals: [Int32]) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let whole = try runner.run(["train", "--out", runner.path("whole")] + Self.flags)
    try #require(whole.status == 0, "\(whole.errors)")
    let stopped = try stop(
      runner, ["train", "--out", runner.path("run")] + Self.flags, at: "run/timing.csv", signals)
    #expect(stopped.status == 128 + signals[0] && stopped.output == "", "\(stopped)")
    #expect(
      stopped.errorLines.last.map(String.init)
        == "stopped; go on with: octcli train --resume \(runner.path("run"))")
    let resumed = try runner.run("train", "--resume", runner.path("run"))
    #expect(resumed.status == 0, "\(resumed.errors)")
    let (expected, found) = (try kept(runner, "whole"), try kept(runner, "run"))
    #expect(expected.count == 5 && found == expected)
  }

  @Test func aRunThatWasStoppedInItsEvaluationSaysSo() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let fixtures = ExampleFixtures(runner: runner)
    try fixtures.makeRun("whole")
    try fixtures.makeRun("run", stoppedAfter: 2)
    #expect(!FileManager.default.fileExists(atPath: runner.path("run/last.safetensors")))
    let resumed = try runner.run("train", "--resume", "run", "--threads", "1")
    #expect(resumed.status == 0 && resumed.errorLines.contains("resumed after the training of epoch 1"))
    #expect(try kept(runner, "run") == kept(runner, "whole"))
  }

  @Test func theSecondSignalEndsItAtOnce() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    // A batch that takes seconds.
    let stopped = try stop(
      runner,
      [
        "train", "--out", runner.path("run"), "--model", "resnet110", "--batch-size", "100",
        "--limit-train", "100", "--epochs", "1", "--no-tensorboard",
      ], at: "run/timing.csv", [SIGINT, SIGTERM])
    #expect(stopped.status == 128 + SIGTERM)
    #expect(!FileManager.default.fileExists(atPath: runner.path("run/resume.safetensors")))
  }

  /// As under nohup.
  @Test func aHangupThatIsIgnoredIsIgnored() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try stop(
      runner, ["train", "--out", runner.path("run")] + Self.flags + ["--limit-test", "100"],
      script: #"trap '' HUP; exec "$0" "$@""#, at: "run/timing.csv", [SIGHUP, SIGHUP])
    #expect(outcome.status == 0, "\(outcome.errors)")
  }

  @Test func aStoppedStudyGoesOn() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let flags = ["--alphas", "0,0.5", "--limit-test", "200"] + Self.flags
    try #require(try runner.run(["study", "--out", runner.path("whole")] + flags).status == 0)
    let stopped = try stop(
      runner, ["study", "--out", runner.path("run")] + flags, at: "run/runs/alpha-0.0-seed-1/timing.csv",
      [SIGTERM])
    #expect(stopped.status == 143 && stopped.output == "", "\(stopped)")
    #expect(
      stopped.errorLines.last.map(String.init)
        == "stopped; go on with: octcli study --resume \(runner.path("run"))")
    try #require(try runner.run(["study", "--resume", runner.path("run")]).status == 0)
    for run in ["alpha-0.0-seed-1", "alpha-0.5-seed-1"] {
      let (expected, found) = (try kept(runner, "whole/runs/" + run), try kept(runner, "run/runs/" + run))
      #expect(expected.count == 5 && found == expected)
    }
  }

  /// Nothing to save, nothing left behind.
  @Test(arguments: [SIGTERM, SIGINT, SIGHUP])
  func aStoppedEvaluationLeavesNothing(signal: Int32) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run")
    try FileManager.default.createDirectory(atPath: runner.path("out"), withIntermediateDirectories: false)
    let running = try runner.start([
      "eval", "--checkpoint", runner.path("run/last.safetensors"), "--batch-size", "1", "--predictions",
      runner.path("out/p.csv"),
    ])
    // The predictions' temporary file is there as long as the evaluation goes on.
    let files = FileManager.default
    while try running.process.isRunning
      && files.contentsOfDirectory(atPath: runner.path("out")).isEmpty
    {
      usleep(500)
    }
    kill(running.process.processIdentifier, signal)
    running.process.waitUntilExit()
    let outcome = try running.outcome()
    #expect(outcome.status == 128 + signal && outcome.output == "", "\(outcome)")
    #expect(try #require(outcome.errorLines.last).hasPrefix("stopped: "))
    #expect(try files.contentsOfDirectory(atPath: runner.path("out")).isEmpty)
  }

  /// What has nothing to save ends at once, also as the first process of a container, which no signal ends by itself.
  @Test(arguments: [SIGTERM, SIGINT, SIGHUP])
  func othersEndAtOnce(signal: Int32) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let running = try runner.start([
      "bench", "infer", "--model", "resnet20", "--batch-size", "1", "--repetitions", "100000000",
    ])
    // Handlers come first; loading the program takes a moment.
    while running.process.isRunning && !Self.handles(signal, running.process.processIdentifier) {
      usleep(1000)
    }
    kill(running.process.processIdentifier, signal)
    running.process.waitUntilExit()
    #expect(running.process.terminationReason == .exit)
    #expect(running.process.terminationStatus == 128 + signal)
  }

  private static func handles(_ signal: Int32, _ process: Int32) -> Bool {
    let status = (try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? ""
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix("SigCgt:") }),
      let mask = UInt64(line.dropFirst(7).drop { $0 == "\t" || $0 == " " }, radix: 16)
    else { return false }
    return mask & 1 << UInt64(signal - 1) != 0
  }
}
