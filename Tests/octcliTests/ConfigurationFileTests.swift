import Foundation
import Testing

/// `train --config`: some settings in YAML, the rest as ever, flags over both.
struct ConfigurationFileTests {
  private func config(_ runner: CommandRunner, _ run: String) throws -> [String: Any] {
    try #require(
      try JSONSerialization.jsonObject(with: runner.data(run + "/config.json")) as? [String: Any])
  }

  private func write(_ text: String, _ name: String, _ runner: CommandRunner) throws -> String {
    try Data(text.utf8).write(to: URL(fileURLWithPath: runner.path(name)))
    return runner.path(name)
  }

  @Test func settingsOfTheFileAndFlagsOverThem() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let file = try write(
      """
      # A few settings.
      data: synthetic
      model: {name: resnet20, alpha: 0.5}
      epochs: 5
      batchSize: 16
      optimizer: adam
      schedule:
        shape: {name: step, size: 2, gamma: 0.5}
      augmentation: {cropPadding: 2}
      trainLimit: 32
      testLimit: 20
      mixupAlpha: 0.2
      emaDecay: 0.99
      """, "settings.yaml", runner)
    let outcome = try runner.run(
      "train", "--config", file, "--epochs", "1", "--limit-test", "10", "--out", runner.path("run"))
    #expect(outcome.status == 0, "\(outcome.errors)")
    let config = try config(runner, "run")
    #expect(config["epochs"] as? Int == 1 && config["testLimit"] as? Int == 10)
    #expect(config["trainLimit"] as? Int == 32 && config["batchSize"] as? Int == 16)
    #expect(config["mixupAlpha"] as? Double == 0.2 && config["emaDecay"] as? Double == 0.99)
    let model = try #require(config["model"] as? [String: Any])
    #expect(model["alpha"] as? Double == 0.5 && model["downsampling"] as? String == "average")
    #expect(model["stem"] as? String == "cifar")
    #expect((config["optimizer"] as? [String: Any])?["name"] as? String == "adam")
    let schedule = try #require(config["schedule"] as? [String: Any])
    // Adam's own default.
    #expect(schedule["base"] as? Double == 1e-3)
    #expect((schedule["shape"] as? [String: Any])?["gamma"] as? Double == 0.5)
    let augmentation = try #require(config["augmentation"] as? [String: Any])
    #expect(augmentation["cropPadding"] as? Int == 2 && augmentation["horizontalFlip"] as? Bool == false)
  }

  /// What a run saved makes the same run again.
  @Test func theSavedConfigurationIsAConfigurationFile() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train(
      "first", ["--mixup", "0.3", "--clip-gradients", "1", "--downsampling", "strided", "--seed", "77"])
    let again = try runner.run(
      "train", "--config", runner.path("first/config.json"), "--out", runner.path("again"))
    #expect(again.status == 0, "\(again.errors)")
    #expect(try runner.data("first/config.json") == runner.data("again/config.json"))
    #expect(try runner.data("first/last.safetensors") == runner.data("again/last.safetensors"))
    #expect(try runner.data("first/log.csv") == runner.data("again/log.csv"))
  }

  @Test func recipesAndWhatFollowsFromAModel() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let file = try write(
      "recipe: seed\nmodel: {name: resnet20, alpha: 0}\nbatchSize: 8\nepochs: 1\n", "seed.yaml", runner)
    let outcome = try runner.run(
      "train", "--config", file, "--limit-train", "16", "--limit-test", "8", "--out", runner.path("run"))
    #expect(outcome.status == 0, "\(outcome.errors)")
    let config = try config(runner, "run")
    let model = try #require(config["model"] as? [String: Any])
    #expect(model["variant"] as? String == "seed" && model["stem"] as? String == "cifar")
    #expect(model["downsampling"] as? String == "strided")
    #expect((config["optimizer"] as? [String: Any])?["name"] as? String == "adam")
  }

  @Test(arguments: [
    ("epoch: 3", "unknown key \"epoch\""),
    ("model: {name: resnet20, depth: 3}", "unknown key \"model.depth\""),
    ("epochs: many", "epochs: expected Int"),
    ("epochs: 0", "epochs: expected 1 or more, found 0"),
    ("optimizer: adagrad", "expected one of sgd, adam, adamw, found \"adagrad\""),
    ("recipe: best", "recipe: found \"best\", expected one of seed"),
    ("data: 7", "data: expected a word, found 7"),
    ("- a\n- b", "expected a mapping of keys to values"),
    ("epochs: 1\nepochs: 2", "epochs is there twice"),
    ("epochs: [1", "line 2, column 1: "),
    ("model: {classes: 7}", "model.classes: "),
    ("weightDecay: .nan", "finite numbers"),
  ])
  func mistakesAreNamed(text: String, problem: String) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let file = try write(text, "bad.yaml", runner)
    let outcome = try runner.run("train", "--config", file, "--out", runner.path("run"))
    let message = try #require(outcome.errorMessage, "\(outcome)")
    #expect(message.contains(problem), "\(message)")
    #expect(!FileManager.default.fileExists(atPath: runner.path("run")))
  }

  @Test func theFileMustExistAndBeText() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let missing = try runner.run("train", "--config", runner.path("none.yaml"))
    #expect(missing.errorMessage == "\(runner.path("none.yaml")): cannot open: No such file or directory")
    try Data([0xff, 0xfe, 0x00]).write(to: URL(fileURLWithPath: runner.path("bytes.yaml")))
    let bytes = try runner.run("train", "--config", runner.path("bytes.yaml"))
    #expect(bytes.errorMessage == "\(runner.path("bytes.yaml")): expected text in UTF-8")
  }
}
