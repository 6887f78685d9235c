import Foundation
import Testing

@testable import octcli

/// Whatever standard output and standard error are: full, closed, or somebody who went away.
struct OutputTests {
  /// What a training leaves that does not depend on the clock.
  private func kept(_ runner: CommandRunner, _ run: String) throws -> [String: Data] {
    try runner.contents(of: run).filter {
      ["best.safetensors", "last.safetensors", "log.csv", "results.json", "config.json"].contains($0.key)
    }
  }

  /// Progress that nobody can see is no reason to lose an epoch.
  @Test(arguments: [
    #"exec "$0" "$@" 2>/dev/full"#, #"exec "$0" "$@" 2>&-"#, #"exec "$0" "$@" 2>&- <&-"#,
    #"exec 3>&1; { "$0" "$@" 2>&1 >&3; echo $? >status; } | head -1 >head; exit $(cat status)"#,
  ])
  func trainingGoesOnWithoutStandardError(script: String) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("whole")
    let outcome = try runner.run(
      script: script, ["train", "--out", runner.path("run"), "--epochs", "1"] + CommandRunner.tiny)
    #expect(outcome.status == 0)
    #expect(outcome.output.hasPrefix("best  epoch 1: ") && outcome.errors == "")
    let (whole, run) = (try kept(runner, "whole"), try kept(runner, "run"))
    #expect(whole.count == 5 && run == whole)
  }

  /// What fails keeps its exit code, whether its message can be seen or not.
  @Test func errorsKeepTheirCodeWithoutStandardError() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    for (arguments, status) in [(["eval", "--checkpoint", "none"], Int32(1)), (["train", "--what"], 64)] {
      for target in ["/dev/full", "&-"] {
        #expect(try runner.run(script: "exec \"$0\" \"$@\" 2>\(target)", arguments).status == status)
      }
    }
  }

  /// Results that nobody gets are an error, of every command.
  @Test func resultsThatCannotBeWrittenAreAnError() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run")
    let checkpoint = runner.path("run/last.safetensors")
    let commands: [[String]] = [
      ["--help"], ["--version"], ["help", "train"], ["summary"], ["summary", "--json"],
      ["report", runner.path("run")],
      ["eval", "--checkpoint", checkpoint, "--limit-test", "10"],
      ["eval", "--checkpoint", checkpoint, "--limit-test", "10", "--json"],
      ["train", "--resume", runner.path("run")],
      ["bench", "infer", "--model", "resnet20", "--batch-size", "1", "--repetitions", "1"],
      ["bench", "kernels", "--repetitions", "1"],
      ["study", "--dry-run", "--model", "resnet20", "--alphas", "0.5", "--batch-size", "2"],
    ]
    for arguments in commands {
      let full = try runner.run(script: #"exec "$0" "$@" >/dev/full"#, arguments)
      #expect(
        full.status == 1
          && full.errorLines.last
            == "octcli: error: standard output: cannot write: No space left on device",
        "\(arguments): \(full)")
    }
    for arguments in commands.prefix(4) {
      let closed = try runner.run(script: #"exec "$0" "$@" >&-"#, arguments)
      #expect(
        closed.errorMessage == "standard output: cannot write: Bad file descriptor",
        "\(arguments): \(closed)")
    }
  }

  /// A file must not be given the place of a closed descriptor, and with it what is printed.
  @Test func closedDescriptorsAreNotGivenToFiles() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run")
    let arguments = [
      "eval", "--checkpoint", runner.path("run/last.safetensors"), "--limit-test", "10", "--predictions",
    ]
    #expect(try runner.run(arguments + [runner.path("a.csv")]).status == 0)
    let outcome = try runner.run(
      script: #"exec "$0" "$@" >&- 2>&- <&-"#, arguments + [runner.path("b.csv")])
    #expect(outcome.status == 1)
    #expect(try runner.data("a.csv") == runner.data("b.csv"))
  }

  /// `octcli summary | head -1`: silent, with the code that a shell gives to a program that SIGPIPE has ended.
  @Test func aReaderThatWentAwayIsSilent() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    // The fifo's reader is gone before the program writes.
    let script = #"mkfifo pipe; { exec 3<pipe; exec 3<&-; } & exec 4>pipe; wait; exec "$0" "$@" >&4"#
    for arguments in [["summary"], ["help", "train"], ["bench", "kernels", "--repetitions", "1"]] {
      let outcome = try runner.run(script: "rm -f pipe; " + script, arguments)
      #expect(outcome.status == 128 + SIGPIPE && outcome.errors == "", "\(arguments): \(outcome)")
    }
  }

  /// Values and paths of any text are told on one line, and nothing of them reaches the terminal as a command.
  @Test func messagesAreOneLine() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let name = "a\nb\u{1b}[31m\u{85}\u{2028}\u{202e}ü"
    let escaped = #"a\nb\u{1b}[31m\u{85}\u{2028}\u{202e}ü"#
    let file = try runner.run("eval", "--checkpoint", name)
    #expect(file.errorMessage == "\(escaped): cannot open: No such file or directory")
    for arguments in [["--epochs", name], ["--epochs=" + name], ["--model", name], [name], ["--" + name]] {
      let usage = try runner.run(["train"] + arguments)
      #expect(usage.status == 64)
      #expect(try #require(usage.errorLines.first).contains(escaped), "\(usage.errors)")
      #expect(!usage.errors.unicodeScalars.contains { $0 == "\u{1b}" || $0 == "\u{85}" || $0 == "\u{2028}" })
    }
    // The list of names that go is several lines, as ever.
    let model = try runner.run("train", "--model", "none")
    #expect(model.errorLines.contains("  - resnet20"))

    let folder = try runner.run("train", "--data", "cifar10:" + name)
    #expect(try #require(folder.errorMessage).contains(escaped))
    let run = try runner.run(
      ["train", "--out", runner.path(name), "--epochs", "1"] + CommandRunner.tiny)
    #expect(run.status == 0 && run.errors.contains("run: \(runner.path(escaped))\n"))
  }

  @Test func textIsMadePrintable() {
    #expect("cat – Katze 猫 👩‍👩‍👧 e\u{301}\\".printable == "cat – Katze 猫 👩‍👩‍👧 e\u{301}\\")
    #expect("\r\n\t\u{0}\u{7f}\u{9b}\u{2069}".printable == #"\r\n\t\u{0}\u{7f}\u{9b}\u{2069}"#)
    #expect("".shellWord == "''" && "runs/é-1_a.b".shellWord == "runs/é-1_a.b")
    #expect("my runs".shellWord == "'my runs'" && "it's $HOME".shellWord == #"'it'\''s $HOME'"#)
  }

  /// Everything is written where failures are noticed.
  @Test func nobodyPrintsPastTheTerminal() throws {
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Sources/octcli").standardized
    let files = try FileManager.default.contentsOfDirectory(atPath: sources.path)
      .filter { $0.hasSuffix(".swift") }
    #expect(files.count > 20)
    for file in files {
      let text = try String(contentsOf: sources.appendingPathComponent(file), encoding: .utf8)
      for line in text.split(separator: "\n") {
        let isPlain =
          line.firstMatch(of: /(^|[^.\w`])(print|fputs|putc)\(/) != nil
          && !line.contains("func print(")
        #expect(!isPlain && !line.contains("FileHandle."), "\(file): \(line)")
      }
    }
  }
}
