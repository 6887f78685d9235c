import Foundation
import Testing

struct TrainTests {
  @Test func aRunWritesItsFiles() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.train("run", epochs: 2)

    let files = try FileManager.default.contentsOfDirectory(atPath: runner.path("run")).sorted()
    let events = files.filter { $0.hasPrefix("events.out.tfevents.") }
    #expect(events.count == 1)
    #expect(
      files.filter { !events.contains($0) } == [
        "best.safetensors", "config.json", "last.safetensors", "log.csv", "machines.json", "report",
        "report.html",
        "results.json", "resume.safetensors", "timing.csv",
      ])
    let rows = try runner.logRows("run")
    #expect(rows.map { $0.prefix(2) } == ["1,", "2,"])
    let config = try #require(
      try JSONSerialization.jsonObject(with: runner.data("run/config.json")) as? [String: Any])
    #expect(config["epochs"] as? Int == 2)
    #expect(config["batchSize"] as? Int == 16)
    #expect(config["trainLimit"] as? Int == 60)

    // Results on standard output; on standard error plain lines, because it is no terminal.
    let lines = outcome.output.split(separator: "\n")
    #expect(lines.count == 6)
    #expect(lines.first?.hasPrefix("best  epoch ") == true && lines[1].hasPrefix("last  epoch 2: top-1 "))
    #expect(lines[2].hasPrefix("2 epochs, 8 steps, 0:0"))
    #expect(lines[3].contains(" from the start of training to the score"))
    #expect(lines[4] == runner.path("run/best.safetensors"))
    #expect(lines.last.map(String.init) == runner.path("run/report.html"))
    #expect(!outcome.errors.contains("\r") && !outcome.errors.contains("\u{1b}"))
    #expect(outcome.errorLines.contains { $0.hasPrefix("resnet20, α = 0.25, cifar stem, ") })
    #expect(outcome.errorLines.filter { $0.hasPrefix("epoch ") }.count == 2)
  }

  @Test func withoutTensorBoardTheBitsAreTheSame() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("with")
    try runner.train("without", ["--no-tensorboard"])
    let files = try runner.contents(of: "without")
    #expect(files.keys.sorted().filter { $0.hasPrefix("events") } == [])
    #expect(try runner.contents(of: "with")["last.safetensors"] == files["last.safetensors"])
  }

  /// Sixteen epochs of images are more than a checkpoint, so that only the events file meets the limit.
  @Test func anEventsFileThatCannotBeWrittenIsAWarning() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(
      ["train", "--out", runner.path("run"), "--epochs", "16", "--threads", "1"] + CommandRunner.tiny
        + ["--limit-train", "16", "--limit-test", "8"], fileSizeLimitInBlocks: 4600)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let warnings = outcome.errorLines.filter { $0.hasPrefix("octcli: warning: ") }
    #expect(warnings.count == 1)
    let warning = try #require(warnings.first)
    #expect(warning.hasPrefix("octcli: warning: \(runner.path("run"))/events.out.tfevents."))
    #expect(
      warning.hasSuffix(": cannot write: File too large; no more events for TensorBoard, the run goes on"))
    #expect(try runner.logRows("run").count == 16)
  }

  @Test func withoutOutTheFirstFreeNumberIsTaken() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try FileManager.default.createDirectory(
      atPath: runner.path("runs/resnet20-a0.25-1"), withIntermediateDirectories: true)
    let outcome = try runner.run(["train", "--epochs", "1"] + CommandRunner.tiny)
    #expect(outcome.status == 0)
    #expect(outcome.output.hasSuffix("runs/resnet20-a0.25-2/report.html\n"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: runner.path("runs/resnet20-a0.25-1")) == [])
  }

  @Test func anExistingRunIsNeverOverwritten() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try FileManager.default.createDirectory(atPath: runner.path("run"), withIntermediateDirectories: true)
    try Data("mine".utf8).write(to: runner.scratch.appendingPathComponent("run/config.json"))
    let before = try runner.contents(of: "run")
    let outcome = try runner.run(["train", "--out", runner.path("run")] + CommandRunner.tiny)
    let message = try #require(outcome.errorMessage)
    #expect(message.hasPrefix(runner.path("run") + ": "))
    #expect(message.contains("never overwritten"))
    #expect(outcome.output == "")
    #expect(try runner.contents(of: "run") == before)
  }

  @Test(arguments: ["/dev/null/run", "/proc/run"])
  func anUnwritableDirectoryIsNamed(path: String) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(["train", "--out", path] + CommandRunner.tiny)
    let message = try #require(outcome.errorMessage, "\(outcome)")
    #expect(message.contains(path))
    #expect(outcome.output == "")
  }

  @Test(arguments: ["cifar10", "cifar100", "idx"])
  func missingDataIsNamedAndNothingIsWritten(kind: String) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let missing = runner.path("nowhere")
    let outcome = try runner.run("train", "--data", "\(kind):\(missing)", "--out", runner.path("run"))
    let message = try #require(outcome.errorMessage, "\(outcome)")
    #expect(message.contains(missing))
    #expect(!FileManager.default.fileExists(atPath: runner.path("run")))
  }

  /// A run from the weights of another one begins where that ended, and resumes without the file.
  @Test func fineTuningStartsFromACheckpoint() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("first", epochs: 3)
    let weights = ["--weights", runner.path("first/last.safetensors")]
    try runner.train("second", epochs: 2, weights)
    func loss(_ name: String, epoch: Int) throws -> Double {
      try #require(Double(runner.logRows(name)[epoch - 1].split(separator: ",")[1]))
    }
    #expect(try loss("second", epoch: 1) < loss("first", epoch: 2))

    try runner.train("third", epochs: 1, weights)
    try FileManager.default.removeItem(atPath: runner.path("first"))
    let resumed = try runner.run("train", "--resume", runner.path("third"), "--epochs", "2")
    #expect(resumed.status == 0, "\(resumed.errors)")
    #expect(try runner.data("third/last.safetensors") == runner.data("second/last.safetensors"))

    let missing = try runner.run(["train", "--out", runner.path("fourth")] + CommandRunner.tiny + weights)
    #expect(try #require(missing.errorMessage).contains("first/last.safetensors"))
    #expect(!FileManager.default.fileExists(atPath: runner.path("fourth")))
  }

  @Test func anUnknownDataSetIsNamed() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run("train", "--data", "imagenet:nowhere", "--out", runner.path("run"))
    let message = try #require(outcome.errorMessage, "\(outcome)")
    #expect(message.contains("imagenet"))
    #expect(message.contains("cifar10:DIR"))
  }

  @Test(arguments: [
    ["--frobnicate"], ["--epochs", "many"], ["--alpha", "2"], ["--model", "resnet51"],
    ["--optimizer", "lion"],
    ["--threads", "0"], ["--limit-train", "0"], ["--augment", "mixup"], ["--mean", "0.5"],
    ["--mean", "0.5", "--std", "0"], ["--optimizer", "adam", "--nesterov"], ["--step-epochs", "3"],
    ["--resume", "run", "--alpha", "0.5"], ["--resume", "run", "--learning-rate", "1"],
    ["--resume", "run", "--out", "other"],
  ])
  func wrongUsage(arguments: [String]) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(["train"] + arguments)
    #expect(outcome.status == 64)
    #expect(outcome.output == "")
    #expect(outcome.errors.contains("Usage: octcli train"))
    #expect(!FileManager.default.fileExists(atPath: runner.path("runs")))
  }

  /// What argument parsing cannot know is still an error of one line.
  @Test(arguments: [
    (["--warmup-epochs", "30"], "warmupEpochs"),
    (["--mean", "0.5", "--std", "0.5"], "mean"),
    (["--batch-size", "1", "--model", "resnet18", "--stem", "imagenet"], "batchSize"),
  ])
  func settingsOutOfRange(arguments: [String], key: String) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(
      ["train", "--limit-train", "20", "--limit-test", "20", "--out", runner.path("run")] + arguments)
    let message = try #require(outcome.errorMessage, "\(outcome)")
    #expect(message.hasPrefix(key + ": "))
  }

  @Test func divergenceIsAnError() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(
      ["train", "--out", runner.path("run"), "--epochs", "1"] + CommandRunner.tiny
        + ["--learning-rate", "1e30"])
    #expect(outcome.status == 1)
    #expect(outcome.errorLines.last?.hasPrefix("octcli: error: epoch 1, step ") == true)
  }

  @Test func theRecipeIsTheNotebook() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(
      "train", "--recipe", "seed", "--epochs", "1", "--limit-train", "2", "--limit-test", "2", "--batch-size",
      "2", "--out", runner.path("run"))
    #expect(outcome.status == 0, "\(outcome.errors)")
    let config = try #require(
      try JSONSerialization.jsonObject(with: runner.data("run/config.json")) as? [String: Any])
    let model = try #require(config["model"] as? [String: Any])
    #expect(model["name"] as? String == "resnet50")
    #expect(model["alpha"] as? Double == 0.125)
    #expect(model["stem"] as? String == "imagenet")
    #expect(model["variant"] as? String == "seed")
    #expect(model["downsampling"] as? String == "average")
    #expect((config["optimizer"] as? [String: Any])?["name"] as? String == "adam")
    #expect((config["schedule"] as? [String: Any])?["base"] as? Double == 0.001)
    let augmentation = try #require(config["augmentation"] as? [String: Any])
    #expect(augmentation["cropPadding"] as? Int == 4)
    #expect(augmentation["horizontalFlip"] as? Bool == true)
    let normalization = try #require(config["normalization"] as? [String: [Double]])
    #expect(zip(normalization["mean"] ?? [], [0.507, 0.487, 0.441]).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(normalization["std"]?.count == 3)
  }
}
