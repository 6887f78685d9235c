import Foundation
import Testing

struct StudyTests {
  private static let flags =
    [
      "--alphas", "0,0.5", "--seeds", "1", "--epochs", "2", "--checkpoint-every", "1",
    ] + TinyFlags.flags

  /// Those of `CommandRunner.tiny` without α.
  private enum TinyFlags {
    static var flags: [String] {
      var flags = CommandRunner.tiny
      if let index = flags.firstIndex(of: "--alpha") { flags.removeSubrange(index...index + 1) }
      return flags
    }
  }

  /// What a study is for: weights, logs and results of all its runs.
  private func outcome(_ runner: CommandRunner, _ study: String) throws -> [String: Data] {
    try runner.contents(of: study).filter { file, _ in
      ["best.safetensors", "last.safetensors", "log.csv", "results.json"].contains {
        file.hasSuffix("/" + $0)
      }
    }
  }

  /// Numbers that overflow end a run, not the study.
  @Test func runsThatFailDoNotStopTheOthers() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let study = try runner.run(
      ["study", "--out", runner.path("study"), "--keep", runner.path("kept")] + Self.flags
        + ["--epochs", "1", "--limit-train", "64", "--learning-rate", "1e30"])
    #expect(study.status == 1)
    let names = ["alpha-0.0-seed-1", "alpha-0.0-average-seed-1", "alpha-0.5-seed-1"]
    for name in names {
      #expect(
        study.errorLines.contains { $0.hasPrefix("octcli: error: \(name): ") && $0.contains("not finite") })
      let row = study.output.split(separator: "\n").first { $0.hasPrefix(name + " ") }
      #expect(row?.contains("failed") == true, "\(study.output)")
    }
    #expect(FileManager.default.fileExists(atPath: runner.path("study/report.html")))
    // They are kept too: whoever counts runs has to know of them.
    for name in names {
      #expect(try runner.text("kept/\(name)/results.json").contains("not finite"))
    }
    let report = try runner.run("report", runner.path("kept"), "--out", runner.path("page"))
    #expect(report.status == 0, "\(report.errors)")
    #expect(try runner.text("page/report.html").contains("failed"))
  }

  @Test func everyRunIsARun() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let study = try runner.run(
      ["study", "--out", runner.path("study"), "--ablation", "--ablation-alpha", "0.5"] + Self.flags
        + ["--epochs", "1", "--limit-train", "32"])
    #expect(study.status == 0, "\(study.errors)")
    let runs = try FileManager.default.contentsOfDirectory(atPath: runner.path("study/runs")).sorted()
    #expect(
      runs == [
        "alpha-0.0-average-seed-1", "alpha-0.0-seed-1", "alpha-0.5-no-exchange-but-merging-seed-1",
        "alpha-0.5-no-high-to-low-seed-1", "alpha-0.5-no-low-to-high-seed-1", "alpha-0.5-seed-1",
        "alpha-0.5-strided-seed-1",
      ])
    let twin = "alpha-0.5-no-exchange-seed-1: the same network as alpha-0.5-no-low-to-high-seed-1"
    #expect(study.output.contains(twin))
    #expect(study.output.contains("to α = 0 average (points)"))
    #expect(study.output.contains("From one run of a setting nothing can be told"))
    for run in runs {
      #expect(study.output.contains(run))
      let eval = try runner.run(
        "eval", "--checkpoint", runner.path("study/runs/\(run)/best.safetensors"), "--limit-test", "10")
      #expect(eval.status == 0, "\(eval.errors)")
    }
    // Each differs in what its name says.
    let config = try runner.text("study/runs/alpha-0.5-no-low-to-high-seed-1/config.json")
    #expect(config.contains("\"lowToHigh\" : false") && config.contains("\"highToLow\" : true"))

    // What is kept of them makes the same report.
    let kept = try runner.run("study", "--resume", runner.path("study"), "--keep", runner.path("kept"))
    #expect(kept.status == 0, "\(kept.errors)")
    #expect(
      try runner.contents(of: "kept").keys.filter { $0.contains("alpha-0.0-seed-1/") }.sorted()
        == ["config.json", "log.csv", "machines.json", "results.json", "timing.csv"].map {
          "alpha-0.0-seed-1/" + $0
        })
    #expect(try runner.run("report", runner.path("kept"), "--out", runner.path("page")).status == 0)
    #expect(
      try runner.text("page/report/differences.csv") == runner.text("study/report/differences.csv"))

    // Another study's runs have the same names, and are not written over.
    let keptRuns = try runner.contents(of: "kept")
    let foreign = try runner.run(
      ["study", "--out", runner.path("foreign"), "--keep", runner.path("kept")] + Self.flags
        + ["--limit-train", "16"])
    #expect(foreign.status == 1)
    #expect(
      try #require(foreign.errorMessage).contains(
        "kept/alpha-0.0-seed-1: a run of another study is kept here"))
    #expect(try runner.contents(of: "kept") == keptRuns)
    #expect(!FileManager.default.fileExists(atPath: runner.path("foreign")))
    // Nor are those of one that differs in its images alone.
    let data = try runner.run(
      [
        "study", "--out", runner.path("foreign"), "--keep", runner.path("kept"), "--ablation",
        "--ablation-alpha", "0.5",
      ]
        + Self.flags + ["--epochs", "1", "--limit-train", "32", "--data", "synthetic:high"])
    #expect(try #require(data.errorMessage).contains("a run of another study is kept here"))
    #expect(try runner.contents(of: "kept") == keptRuns)

    // Finished runs are not repeated, and other settings make another study.
    let before = try runner.contents(of: "study")
    let again = try runner.run("study", "--resume", runner.path("study"))
    #expect(again.status == 0 && again.errors.contains("alpha-0.5-seed-1: finished before"))
    #expect(again.output == study.output)
    let other = try runner.run(
      ["study", "--out", runner.path("study"), "--ablation", "--ablation-alpha", "0.5"] + Self.flags
        + ["--epochs", "1", "--limit-train", "16"])
    #expect(try #require(other.errorMessage).hasPrefix("trainLimit: differs from the settings of the study"))
    #expect(try runner.contents(of: "study") == before)
  }

  /// More epochs later are what they would have been at once.
  @Test func aFinishedStudyCanBeExtended() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let flags = ["--alphas", "0.5", "--limit-train", "32"]
    #expect(
      try runner.run(["study", "--out", runner.path("whole")] + Self.flags + flags + ["--epochs", "2"]).status
        == 0)
    #expect(
      try runner.run(["study", "--out", runner.path("parts")] + Self.flags + flags + ["--epochs", "1"]).status
        == 0)
    let more = try runner.run("study", "--resume", runner.path("parts"), "--epochs", "2")
    #expect(more.status == 0, "\(more.errors)")
    #expect(try outcome(runner, "parts") == outcome(runner, "whole"))

    // Fewer epochs than there are change nothing, and neither does a plan.
    let before = try runner.contents(of: "parts")
    let fewer = try runner.run("study", "--resume", runner.path("parts"), "--epochs", "1")
    #expect(
      try #require(fewer.errorMessage, "\(fewer)").hasSuffix(
        "alpha-0.5-seed-1: epochs: the run has done 2 epochs, expected 2 or more, found 1"))
    #expect(
      try runner.run("study", "--resume", runner.path("parts"), "--epochs", "5", "--dry-run").status == 0)
    #expect(try runner.contents(of: "parts") == before)
  }

  @Test func dryRunsWriteNothing() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let plan = try runner.run(["study", "--dry-run", "--ablation"] + Self.flags)
    #expect(plan.status == 0, "\(plan.errors)")
    let lines = plan.output.split(separator: "\n")
    #expect(lines.first?.hasPrefix("run  ") == true && lines.count == 11)
    #expect(lines.last?.hasPrefix("8 runs, about 0:") == true)
    #expect(lines.contains { $0.hasPrefix("alpha-0.125-no-exchange-but-merging-seed-1 ") })
    #expect(lines.contains { $0.hasPrefix("alpha-0.125-no-exchange-seed-1: the same network as ") })
    #expect(!FileManager.default.fileExists(atPath: runner.path("runs")))
    // Days are hours, too.
    let long = try runner.run(
      ["study", "--dry-run"] + Self.flags + [
        "--alphas", "0.5", "--epochs", "1000000", "--limit-train", "1024",
      ])
    let last = try #require(long.output.split(separator: "\n").last)
    #expect(last.wholeMatch(of: /1 run, about \d{3,}:\d\d:\d\d left .*/) != nil, "\(long)")
    // The ratio that the ablation adds needs both networks at α = 0, too.
    let ablation = try runner.run(["study", "--dry-run"] + Self.flags + ["--alphas", "0", "--ablation"])
    #expect(ablation.output.contains("\nalpha-0.0-average-seed-1 "), "\(ablation)")
  }

  /// A file of a run's says what a study decides itself.
  @Test func settingsOfOneRunAreNotAStudys() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let file = runner.path("one.yaml")
    func plan(_ settings: String) throws -> CommandRunner.Outcome {
      try Data(settings.utf8).write(to: URL(fileURLWithPath: file))
      return try runner.run(["study", "--dry-run", "--config", file] + Self.flags)
    }
    let told = try plan("model: {alpha: 0.25, downsampling: strided}")
    #expect(told.status == 0)
    #expect(
      told.errorLines == [
        "octcli: warning: not taken from the settings: model.alpha (--alphas says the ratios), "
          + "model.downsampling (--downsampling says it for all runs)"
      ])
    let refused = try plan("model: {lowToHigh: false}")
    #expect(refused.status == 1)
    #expect(refused.errorMessage?.hasPrefix("model: the settings leave out paths") == true, "\(refused)")
  }

  /// Killed at ten random moments: the same bytes as without.
  @Test func killedAndResumedIsTheSameToTheByte() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let clock = ContinuousClock()
    let start = clock.now
    let whole = try runner.run(["study", "--out", runner.path("whole")] + Self.flags)
    try #require(whole.status == 0, "\(whole.errors)")
    let duration = clock.now - start

    var kills = 0
    var random = SystemRandomNumberGenerator()
    for _ in 0..<10 {
      let running = try runner.start(["study", "--out", runner.path("parts")] + Self.flags)
      // At most as long as half the study, so that most of the ten hit it at work.
      let share = Double.random(in: 0.05...0.5, using: &random)
      Thread.sleep(forTimeInterval: Double(duration.components.seconds + 1) * share)
      if running.process.isRunning {
        kill(running.process.processIdentifier, SIGKILL)
        kills += 1
      }
      running.process.waitUntilExit()
    }
    #expect(kills > 0)
    let end = try runner.run("study", "--resume", runner.path("parts"), "--threads", "1")
    #expect(end.status == 0, "\(end.errors)")
    let (expected, found) = (try outcome(runner, "whole"), try outcome(runner, "parts"))
    #expect(expected.count == 12 && found.keys.sorted() == expected.keys.sorted())
    for (file, data) in expected { #expect(found[file] == data, "\(file)") }
  }

  @Test(arguments: [
    ["--alphas", "0,2"], ["--alphas", "0,0"], ["--seeds", "0"], ["--ablation-alpha", "0.5"],
    ["--no-low-to-high"], ["--resume", "x", "--batch-size", "3"], ["--alphas", ""],
  ])
  func wrongUsage(flags: [String]) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    #expect(try runner.run(["study"] + flags).status == 64)
  }

  @Test func nothingToResumeIsAnError() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let missing = try runner.run("study", "--resume", runner.path("none"))
    #expect(missing.errorMessage == "\(runner.path("none")): no such directory, expected that of a study")
    try FileManager.default.createDirectory(atPath: runner.path("empty"), withIntermediateDirectories: true)
    let empty = try runner.run("study", "--resume", runner.path("empty"))
    #expect(try #require(empty.errorMessage).hasPrefix(runner.path("empty") + ": found an empty directory"))
  }
}
