import Foundation
import OctNet
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
      shards: 2
      emaDecay: 0.99
      frozen: [conv1, layer1]
      parameterGroups:
        - {modules: [fc], learningRateScale: 3}
        - modules: [layer3, bn1]
          weightDecay: 0
      """, "settings.yaml", runner)
    let outcome = try runner.run(
      "train", "--config", file, "--epochs", "1", "--limit-test", "10", "--out", runner.path("run"))
    #expect(outcome.status == 0, "\(outcome.errors)")
    let config = try config(runner, "run")
    #expect(config["epochs"] as? Int == 1 && config["testLimit"] as? Int == 10)
    #expect(config["trainLimit"] as? Int == 32 && config["batchSize"] as? Int == 16)
    #expect(config["mixupAlpha"] as? Double == 0.2 && config["emaDecay"] as? Double == 0.99)
    #expect(config["shards"] as? Int == 2)
    #expect(config["frozen"] as? [String] == ["conv1", "layer1"])
    let groups = try #require(config["parameterGroups"] as? [[String: Any]])
    #expect(groups.map { $0["learningRateScale"] as? Double } == [3, 1])
    #expect(groups.map { $0["weightDecay"] as? Double } == [nil, 0])
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

  /// Flags change what a saved file says, the size of its images too; limits below 1 are told before anything is read.
  @Test func flagsChangeASavedSizeAndWrongLimitsAreTold() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("first", epochs: 1, ["--momentum", "0.9"])
    let larger = try runner.run(
      "train", "--config", "first/config.json", "--image-size", "40", "--momentum", "0", "--out", "again")
    #expect(larger.status == 0, "\(larger.errors)")
    let model = try #require(try config(runner, "again")["model"] as? [String: Any])
    #expect(model["inputHeight"] as? Int == 40 && model["inputWidth"] as? Int == 40)
    let data = try runner.run(
      ["prepare", "synthetic", "--limit-train", "20", "--limit-test", "10", "--out", "x.images"])
    #expect(data.status == 0, "\(data.errors)")
    for key in ["trainLimit", "testLimit", "workers", "threads"] {
      let file = try write("\(key): -5", "\(key).yaml", runner)
      let refused = try runner.run("train", "--config", file, "--data", "prepared:x.images", "--out", "no")
      #expect(refused.errorMessage?.hasPrefix("\(key): expected ") == true, "\(refused)")
    }
    // So many threads would decode the images.
    let file = try write("inMemory: true\nworkers: 1000000", "workers.yaml", runner)
    let refused = try runner.run("train", "--config", file, "--data", "cifar10:none", "--out", "no")
    #expect(refused.errorMessage == "workers: expected at most 1024, found 1000000", "\(refused)")
  }

  /// A flag changes its own setting alone: what follows from that where nobody says it stays as the file has it.
  @Test func flagsLeaveWhatTheFileSaysBesideThem() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    func settings(_ name: String, _ text: String, _ flags: [String]) throws -> TrainingConfiguration {
      let rest = "\nepochs: 1\nbatchSize: 8\ntrainLimit: 8\ntestLimit: 8\n"
      let file = try write(text + rest, name + ".yaml", runner)
      let outcome = try runner.run(
        ["train", "--config", file, "--no-tensorboard", "--out", runner.path(name)] + flags)
      try #require(outcome.status == 0, "\(outcome.errors)")
      return try TrainingConfiguration(path: runner.path(name + "/config.json"))
    }
    let strided = "model: {name: resnet20, alpha: 0.5, stem: imagenet, downsampling: strided}"
    for (name, alpha) in [("same-alpha", 0.5), ("other-alpha", 0.25)] {
      let model = try #require(
        try settings(name, strided, ["--alpha", "\(alpha)", "--model", "resnet20"]).model)
      #expect(model.alpha == alpha && model.downsampling == .strided && model.stem == .imagenet)
    }
    // Another model has the file's stem where it can have it.
    let other = try #require(try settings("other-model", strided, ["--model", "resnet32"]).model)
    #expect(other.name == "resnet32" && other.stem == .imagenet && other.downsampling == .strided)
    let narrow = try #require(
      try settings(
        "cifar-alone", "model: {name: resnet20, stem: imagenet}",
        ["--model", "airbench94", "--alpha", "0", "--width-multiplier", "0.05"]
      ).model)
    #expect(narrow.stem == .cifar && narrow.downsampling == .strided)
    // A width is that of one network.
    let wide = "model: {name: mobilenet_v2, alpha: 0, stem: cifar, widthMultiplier: 0.25}"
    let kept = try #require(try settings("same-model", wide, ["--model", "mobilenet_v2"]).model)
    #expect(kept.widthMultiplier == 0.25 && kept.stem == .cifar)
    let dropped = try #require(try settings("no-width", wide, ["--model", "resnet20"]).model)
    #expect(dropped.widthMultiplier == nil && dropped.stem == .cifar)

    let rate = try settings("rate", "schedule: {base: 0.0003}", ["--optimizer", "adam"])
    #expect(rate.optimizer == .adam && rate.schedule.base == 0.0003)
    let usual = try settings("usual", "schedule: {warmupEpochs: 0}", ["--optimizer", "adam"])
    #expect(usual.optimizer == .adam && usual.schedule.base == 1e-3)
    let unsaid = try #require(
      try settings("unsaid", "model: {name: resnet20, alpha: 0.5}", ["--alpha", "0"]).model)
    #expect(unsaid.downsampling == .strided && unsaid.stem == .cifar)
  }

  /// Two spellings of one text are two keys of JSON, neither of them a setting.
  @Test func spellingsOfAKey() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let file = try write(
      #"{"\u00e9": {"\u00e9": 1, "e\u0301": 2}, "e\u0301": {}}"#, "settings.json", runner)
    let refused = try runner.run("train", "--config", file, "--out", "no")
    #expect(refused.errorMessage?.contains("settings.json") == true, "\(refused)")
  }

  /// No momentum, no form of it.
  @Test func noMomentumTakesNesterovBack() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let file = try write("optimizer: {name: sgd, momentum: 0.9, nesterov: true}", "sgd.yaml", runner)
    try runner.train("run", epochs: 1, ["--config", file, "--momentum", "0"])
    let optimizer = try #require(try config(runner, "run")["optimizer"] as? [String: Any])
    #expect(optimizer["momentum"] as? Double == 0 && optimizer["nesterov"] as? Bool == false)
    let both = try runner.run("train", "--config", file, "--momentum", "0", "--nesterov")
    #expect(both.status != 0 && both.errors.contains("momentum"))
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
    (
      "parameterGroups: [{modules: [fc]}, {modules: [bn1], rate: 3}]",
      "unknown key \"parameterGroups.1.rate\""
    ),
    (
      "parameterGroups: [{modules: [fc], learningRateScale: -1}]",
      "parameterGroups.learningRateScale: expected a factor of 0 or more, found -1.0"
    ),
    (
      "parameterGroups: [{modules: [fc], optimizer: {name: sgd, momentum: 1}}]",
      "parameterGroups.optimizer.momentum: expected 0 or more and less than 1, found 1.0"
    ),
    ("parameterGroups: [{modules: []}]", "names at least one"),
    ("frozen: [nothing]", "the network has no parameter of this name"),
    ("epochs: many", #"epochs: expected a whole number, found "many""#),
    ("epochs: 0", "epochs: expected 1 or more, found 0"),
    ("optimizer: adagrad", "expected one of sgd, adam, adamw, muon, found \"adagrad\""),
    ("recipe: best", "recipe: found \"best\", expected one of seed"),
    ("data: 7", "data: expected a word, found 7"),
    ("- a\n- b", "expected a mapping of keys to values"),
    ("epochs: 1\nepochs: 2", "epochs is there twice"),
    ("epochs: [1", "line 2, column 1: "),
    ("model: {classes: 7}", "model.classes: "),
    ("epochs: 1.5", "epochs: expected a whole number, found 1.5"),
    ("model: resnet21", "found \"resnet21\", expected one of resnet18, "),
    ("model: [resnet20]", "model: expected keys with values, found an array"),
    ("model: {stem: huge}", "model.stem: expected one of imagenet, cifar, large, found \"huge\""),
    ("seed: 18446744073709551616", "seed: expected a whole number from 0 to 18446744073709551615"),
    ("seed: -1", "seed: expected a whole number from 0 to "),
    ("? [a]\n: 1", "line 1, column 3: expected a word as key, found a list"),
    ("? {a: 1}\n: 1", "line 1, column 3: expected a word as key, found a mapping"),
    ("a: &a [x]\nb: *a", "line 1, column 4: found an anchor"),
    ("? *a\n: 1", "line 1, column 3: found an alias"),
    ("epochs: !!int \"3\"", "line 1, column 9: found a tag"),
    ("data: |\n  x", "line 1, column 7: found text in a block"),
    (String(repeating: "[", count: 5000), "nested too deeply"),
    ("batchSize: 9223372036854775807", "batchSize: expected at most 1048576, found 9223372036854775807"),
    ("threads: 4294967296", "threads: expected at most 1024, found 4294967296"),
    ("weightDecay: .nan", #"weightDecay: expected a number, found ".nan""#),
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

  /// Integers keep all digits, and quoted words and comments may hold any sign.
  @Test func whatIsWrittenIsWhatCounts() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let file = try write(
      """
      seed: 18446744073709551615   # &no *anchor !here
      model: resnet20
      optimizer: {"name": 'sgd', nesterov: yes}
      schedule: {shape: constant}
      epochs: 0x1
      trainLimit: 1_6
      batchSize: 8.0
      """, "settings.yaml", runner)
    let flags = ["--limit-test", "8", "--out"]
    let first = try runner.run(["train", "--config", file] + flags + [runner.path("first")])
    #expect(first.status == 0, "\(first.errors)")
    let text = try runner.text("first/config.json")
    #expect(text.contains("\"seed\" : 18446744073709551615"))
    #expect(text.contains("\"nesterov\" : true") && text.contains("\"batchSize\" : 8"))
    let again = try runner.run(
      "train", "--config", runner.path("first/config.json"), "--out", runner.path("again"))
    #expect(again.status == 0, "\(again.errors)")
    #expect(try runner.data("first/config.json") == runner.data("again/config.json"))
  }

  /// Default, then file, then flags; a flag of another optimizer or schedule than that is wrong usage.
  @Test func flagsChangeTheFilesOptimizerAndSchedule() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let file = try write(
      """
      optimizer: adam
      schedule: {shape: {name: step, size: 2, gamma: 0.5}}
      epochs: 1
      batchSize: 8
      trainLimit: 8
      testLimit: 8
      """, "settings.yaml", runner)
    let outcome = try runner.run(
      "train", "--config", file, "--step-factor", "0.25", "--out", runner.path("run"))
    #expect(outcome.status == 0, "\(outcome.errors)")
    let schedule = try #require(try config(runner, "run")["schedule"] as? [String: Any])
    let shape = try #require(schedule["shape"] as? [String: Any])
    #expect(shape["size"] as? Int == 2 && shape["gamma"] as? Double == 0.25)

    for (flags, problem) in [
      (["--momentum", "0.5"], "belong to the optimizers sgd and muon, the run's is adam"),
      (["--nesterov"], "belong to the optimizers sgd and muon, the run's is adam"),
      (["--schedule", "cosine", "--step-factor", "0.5"], "belong to --schedule step, found cosine"),
    ] {
      let refused = try runner.run(["train", "--config", file, "--out", runner.path("other")] + flags)
      #expect(refused.status == 64 && refused.errors.contains(problem), "\(refused)")
    }
    let recipe = try runner.run("train", "--recipe", "seed", "--momentum", "0.5")
    #expect(recipe.status == 64 && recipe.errors.contains("the run's is adam"), "\(recipe)")
    let cosine = try runner.run("train", "--step-epochs", "3")
    #expect(cosine.status == 64 && cosine.errors.contains("the run's is cosine"), "\(cosine)")
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
