import Foundation
import Testing

import OctNet
@testable import OctNetTraining
@testable import octcli

/// What a terminal gets to see.
struct TerminalTests {
  private func train(
    _ runner: CommandRunner, on terminal: PseudoTerminal, name: String = "run",
    _ environment: [String: String] = ["TERM": "xterm"]
  ) throws -> CommandRunner.Running {
    try runner.start(
      ["train", "--out", runner.path(name), "--epochs", "2"] + CommandRunner.tiny, environment: environment,
      standardError: terminal.slave)
  }

  @Test func aBarThatIsGoneAtTheEndAndLinesThatFit() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    for columns in [40, 60, 80, 120] {
      let terminal = try PseudoTerminal(columns: columns)
      let running = try train(runner, on: terminal, name: "run-\(columns)")
      running.process.waitUntilExit()
      #expect(running.process.terminationStatus == 0)
      let text = terminal.finish()
      #expect(text.contains("\u{1b}[2K") && text.contains("━"))
      let lines = PseudoTerminal.shown(text)
      let epochs = lines.filter { $0.hasPrefix("epoch ") }
      #expect(epochs.count == 2 && epochs.allSatisfy { $0.count <= columns && $0.contains("test loss") })
      // Each stands alone, behind an erased bar.
      #expect(text.hasSuffix("\u{1b}[2K") || text.hasSuffix("\r\n"))
      for part in text.components(separatedBy: "\u{1b}[2K") { #expect(part.count < 8 * columns) }
    }
  }

  @Test(arguments: [["TERM": "dumb"], ["TERM": ""]])
  func terminalsThatCannotMoveTheCursorGetPlainLines(environment: [String: String]) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let terminal = try PseudoTerminal(columns: 80)
    let running = try train(runner, on: terminal, environment)
    running.process.waitUntilExit()
    #expect(running.process.terminationStatus == 0)
    let text = terminal.finish()
    #expect(!text.contains("\u{1b}") && !text.contains("━"))
    #expect(text.replacingOccurrences(of: "\r\n", with: "").contains("\r") == false)
    #expect(PseudoTerminal.shown(text).filter { $0.hasPrefix("epoch ") }.count == 2)
  }

  /// The message after Ctrl-C stands on a line of its own.
  @Test func theMessageOfAStopIsNotGluedToTheBar() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let terminal = try PseudoTerminal(columns: 100)
    let running = try runner.start(
      ["train", "--out", runner.path("run"), "--epochs", "500"] + CommandRunner.tiny,
      environment: ["TERM": "xterm"], standardError: terminal.slave)
    while running.process.isRunning && !terminal.text.contains("epoch 2/500") { usleep(2000) }
    running.process.interrupt()
    running.process.waitUntilExit()
    #expect(running.process.terminationStatus == 130)
    let message = "stopped; go on with: octcli train --resume " + runner.path("run")
    let text = terminal.finish()
    #expect(text.hasSuffix("\r\u{1b}[2K\(message)\r\n"), "\(text.suffix(300).debugDescription)")
  }

  /// A window that was closed, a connection that broke: writing fails from then on.
  @Test func aTerminalThatWentAwayStopsNothing() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let (master, slave) = try PseudoTerminal.open()
    let running = try runner.start(
      ["train", "--out", runner.path("run"), "--epochs", "2"] + CommandRunner.tiny,
      environment: ["TERM": "xterm"],
      standardError: FileHandle(fileDescriptor: slave, closeOnDealloc: true))
    var byte: UInt8 = 0
    #expect(read(master, &byte, 1) == 1)
    close(master)
    running.process.waitUntilExit()
    #expect(running.process.terminationStatus == 0 && running.process.terminationReason == .exit)
    #expect(try runner.logRows("run").count == 2)
  }

  // MARK: Lines

  private func report(_ test: EvaluationResult?) -> EpochReport {
    EpochReport(
      epoch: 3, epochs: 30, trainLoss: 1.23456, trainAccuracy: 0.5, test: test, learningRate: 0.1,
      seconds: 75,
      imagesPerSecond: 1043, isBest: true)
  }

  @Test func epochLinesTellOfRanks() {
    var report = report(nil)
    report.exchange = ExchangeReport(waited: 0.034, early: 0.76)
    let whole =
      "epoch 3/30  train loss 1.2346 acc 50.0%  lr 0.1  1043 img/s  1:15  best  exchanged 76% in backward, waited 3%"
    #expect(TrainingReporter.line(report) == whole)
    #expect(TrainingReporter.line(report, width: whole.count - 1) == TrainingReporter.line(self.report(nil)))
  }

  @Test func epochLinesLoseWhatMattersLeast() {
    let test = EvaluationResult(
      images: 4, top1: 0.25, top5: 1, loss: 1.5, classNames: [], perClassAccuracy: [], confusion: [])
    let whole =
      "epoch 3/30  train loss 1.2346 acc 50.0%  test loss 1.5000 acc 25.0%  lr 0.1  1043 img/s  1:15  best"
    let shorter = [
      "epoch 3/30  train loss 1.2346 acc 50.0%  test loss 1.5000 acc 25.0%  1043 img/s  1:15  best",
      "epoch 3/30  train loss 1.2346 acc 50.0%  test loss 1.5000 acc 25.0%  1:15  best",
      "epoch 3/30  train loss 1.2346 acc 50.0%  test loss 1.5000 acc 25.0%  best",
      "epoch 3/30  test loss 1.5000 acc 25.0%  best", "epoch 3/30  test loss 1.5000 acc 25.0%", "epoch 3/30",
      "epoch",
    ]
    let report = report(test)
    #expect(TrainingReporter.line(report) == whole)
    #expect(TrainingReporter.line(report, width: whole.count) == whole)
    for (line, longer) in zip(shorter, [whole] + shorter) {
      #expect(TrainingReporter.line(report, width: line.count) == line)
      #expect(TrainingReporter.line(report, width: longer.count) == longer)
    }
    #expect(
      TrainingReporter.line(self.report(nil), accuracyName: "mixed acc")
        == "epoch 3/30  train loss 1.2346 mixed acc 50.0%  lr 0.1  1043 img/s  1:15  best")
  }
}
