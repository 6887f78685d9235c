import Foundation
import Testing

/// `octcli report` on runs of the trainer.
struct ReportTests {
  /// Trains two tiny runs that differ in their seed and one at α = 0.
  private func runs(_ runner: CommandRunner) throws {
    try runner.train("runs/a", epochs: 2)
    try runner.train("runs/b", epochs: 2, ["--seed", "2"])
    try runner.train("runs/plain", epochs: 1, ["--alpha", "0"])
  }

  @Test func pageOfTrainedRuns() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runs(runner)
    let outcome = try runner.run("report", runner.path("runs"))
    #expect(outcome.status == 0 && outcome.errors == "")
    #expect(outcome.output == runner.path("runs/report.html") + "\n")
    let page = try runner.text("runs/report.html")
    #expect(page.hasPrefix("<!DOCTYPE html>\n"))
    #expect(page.contains("3 runs on synthetic"))
    let accuracy = try runner.text("runs/report/accuracy.csv").split(separator: "\n")
    #expect(accuracy.count == 3)
    // Reports are no runs: a second one finds the same.
    let again = try runner.run("report", runner.path("runs"))
    #expect(again.output == outcome.output)
    #expect(try runner.text("runs/report.html") == page)
    if let browser = Browser() {
      #expect(try browser.consoleMessages(of: runner.path("runs/report.html"), scratch: runner) == [])
      // The same way to look finds an error that is there.
      let broken = page.replacingOccurrences(of: "'use strict';", with: "'use strict'; nothing.at.all();")
      try Data(broken.utf8).write(to: runner.scratch.appendingPathComponent("broken.html"))
      let messages = try browser.consoleMessages(of: runner.path("broken.html"), scratch: runner)
      #expect(messages.contains { $0.contains("nothing is not defined") })
    } else {
      print("no browser: the page's script is not tried (install chromium)")
    }
  }

  @Test func wrongUsage() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let two = try runner.run("report", "a", "b")
    #expect(two.status == 64)
    #expect(two.errors.contains("--out says where the report on 2 directories goes; it is missing"))
    #expect(try runner.run("report").status == 64)
  }

  @Test func badRunsWriteNothing() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run")
    let log = try runner.text("run/log.csv")
    let out = runner.path("out")
    func refuse(_ message: String, _ arguments: String...) throws {
      let outcome = try runner.run(["report"] + arguments + ["--out", out])
      #expect(outcome.output == "")
      #expect(outcome.errorMessage == message)
      #expect(!FileManager.default.fileExists(atPath: out))
    }
    try refuse(
      "\(runner.path("nowhere")): no such directory, expected a run or a directory with runs",
      runner.path("nowhere"))
    try Data((log + "2,half\n").utf8).write(to: URL(fileURLWithPath: runner.path("run/log.csv")))
    let cells = try #require(log.split(separator: "\n").first).split(separator: ",").count
    try refuse(
      "\(runner.path("run"))/log.csv: line 3: expected \(cells) cells as in the header, found 2",
      runner.path("run"))
    try Data(log.utf8).write(to: URL(fileURLWithPath: runner.path("run/log.csv")))
    try Data("[]".utf8).write(to: URL(fileURLWithPath: runner.path("run/results.json")))
    let outcome = try runner.run("report", runner.path("run"), "--out", out)
    #expect(try #require(outcome.errorMessage).hasPrefix("\(runner.path("run"))/results.json: "))
    #expect(!FileManager.default.fileExists(atPath: out))
  }

  @Test func outputThatCannotBeWritten() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run")
    try Data().write(to: runner.scratch.appendingPathComponent("file"))
    let outcome = try runner.run("report", runner.path("run"), "--out", runner.path("file"))
    #expect(try #require(outcome.errorMessage).hasPrefix(runner.path("file")))
  }
}

/// Chromium, where it is installed.
private struct Browser {
  private let program: URL

  init?() {
    let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
    let programs = folders.flatMap { folder in
      ["chromium", "chromium-browser", "google-chrome"].map { folder + "/" + $0 }
    }
    guard let path = programs.first(where: { FileManager.default.isExecutableFile(atPath: $0) }) else {
      return nil
    }
    program = URL(fileURLWithPath: path)
  }

  /// What the page at `path` says on its console.
  func consoleMessages(of path: String, scratch runner: CommandRunner) throws -> [String] {
    let running = try runner.start(
      [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + runner.path("browser"),
        "--enable-logging=stderr", "--v=0", "--dump-dom", "file://" + path,
      ], of: program)
    running.process.waitUntilExit()
    let outcome = try running.outcome()
    try #require(outcome.output.contains("OctNet report"), "\(outcome.errors)")
    return outcome.errorLines.filter { $0.contains(":CONSOLE") }.map(String.init)
  }
}
