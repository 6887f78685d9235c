#if Images
  import Foundation
  import OctNet
  import Testing

  @testable import OctNetTensorBoard

  /// Folders and tars of photographs from the command line, with the recipe for them.
  struct PhotographTests {
    /// photos/cat and photos/dog with twelve images each, and train.tar with twenty of both.
    private func make(_ runner: CommandRunner) throws {
      try ExampleFixtures(runner: runner).makePhotographs("photos")
      try ExampleFixtures(runner: runner).makeTar("train-0.tar")
    }

    private static let short = [
      "--recipe", "photographs", "--model", "resnet20", "--image-size", "16", "--epochs", "2",
      "--warmup-epochs", "0", "--batch-size", "4",
    ]

    @Test func theRecipeIsWhatItSays() throws {
      let recipe = try #require(
        TrainingConfiguration.recipe(named: "photographs", data: "folder:photos", threads: 2))
      try recipe.validate()
      #expect(recipe.testShare == 0.1 && recipe.exifOrientation == true)
      #expect(recipe.model == ModelConfiguration(name: "resnet18", alpha: 0.25))
      #expect(TrainingConfiguration.photographSize(ofRecipe: "photographs") == 160)
      #expect(TrainingConfiguration.photographSize(ofRecipe: "seed") == nil)
      // Of images that are no photographs neither can be said.
      let other = try #require(
        TrainingConfiguration.recipe(named: "photographs", data: "synthetic", threads: 2))
      #expect(other.testShare == nil && other.exifOrientation == nil && other.epochs == recipe.epochs)
    }

    @Test(arguments: ["folder:photos", "tar:train-*.tar"])
    func trainedResumedScoredAndNamed(data: String) throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      try make(runner)
      let whole = try runner.run(
        ["train", "--data", data, "--out", "whole"] + Self.short)
      #expect(whole.status == 0, "\(whole.errors)")
      let half = try runner.run(
        ["train", "--data", data, "--out", "run", "--workers", "3"] + Self.short)
      #expect(half.status == 0, "\(half.errors)")
      #expect(try runner.data("run/last.safetensors") == runner.data("whole/last.safetensors"))
      let config = try runner.text("run/config.json")
      #expect(config.contains("\"testShare\" : 0.1") && config.contains("\"exifOrientation\" : true"))

      let on = try runner.run("train", "--resume", "run", "--epochs", "3")
      #expect(on.status == 0 && on.errors.contains("resumed at epoch 3"), "\(on.errors)")
      let scored = try runner.run("eval", "--checkpoint", "run/best.safetensors", "--json")
      // One of each class's twelve or ten.
      #expect(scored.status == 0 && scored.output.contains("\"images\" : 2"), "\(scored.errors)")
      let named = try runner.run(
        "predict", "--checkpoint", "run/best.safetensors", "--csv", "photos/cat/1.png")
      #expect(named.status == 0 && named.output.contains("photos/cat/1.png,1,"), "\(named.errors)")
      let kept = try runner.run("train", "--resume", "run", "--test-share", "0.2")
      #expect(kept.status == 64 && kept.errors.contains("--test-share and --shuffle-buffer cannot be given"))
    }

    @Test func whatBelongsToOtherData() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      try make(runner)
      for (flags, expected) in [
        (
          ["--data", "folder:photos", "--test-share", "0.1", "--shuffle-buffer", "9"],
          "--shuffle-buffer: belongs to tar:PATTERN, the data is folder:photos"
        ),
        (["--shuffle-buffer", "9"], "--shuffle-buffer: belongs to tar:PATTERN, the data is synthetic"),
        (
          ["--test-share", "0.1"],
          "--test-share: belongs to folder:DIR, csv:FILE and tar:PATTERN, the data is synthetic"
        ),
        (["--data", "tar:"], "data: 'tar:' names no shards, expected tar:PATTERN"),
      ] {
        let outcome = try runner.run(["train", "--out", "no"] + flags)
        #expect(outcome.status == 1 && outcome.errorMessage == expected, "\(outcome.errors)")
      }
    }

    /// A run at another size than a prepared file's sees the same images when it goes on, and when it is scored.
    @Test func anotherSizeThanPrepared() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      try make(runner)
      let made = try runner.run(
        "prepare", "folder:photos", "--test-share", "0.3", "--size", "96", "--crop-ratio", "0.5", "--out",
        "s.images")
      #expect(made.status == 0, "\(made.errors)")
      let data = [
        "--data", "prepared:s.images", "--image-size", "64", "--model", "resnet20", "--batch-size", "4",
      ]
      for (name, epochs) in [("whole", "2"), ("parts", "1")] {
        let outcome = try runner.run(["train", "--out", name, "--epochs", epochs] + data)
        #expect(outcome.status == 0, "\(outcome.errors)")
      }
      let resumed = try runner.run("train", "--resume", "parts", "--epochs", "2")
      #expect(resumed.status == 0, "\(resumed.errors)")
      for name in ["whole", "parts"] {
        let outcome = try runner.run("eval", "--checkpoint", name + "/last.safetensors", "--json")
        let scores = try #require(
          JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any], "\(outcome.errors)"
        )
        let log = try #require(try runner.logRows(name).last).split(separator: ",").compactMap { Double($0) }
        let loss = try #require(scores["loss"] as? Double)
        #expect(abs(loss - log[3]) < 1e-4 * log[3], "\(name): \(loss) instead of \(log[3])")
      }
    }

    /// By flag or file it is kept in the run and its checkpoint, and a flag takes it back.
    @Test func scaledDecodingIsKept() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      try make(runner)
      let yaml = "data: folder:\(runner.path("photos"))\nevaluation: {scaledDecoding: true}\n"
      try Data(yaml.utf8).write(to: URL(fileURLWithPath: runner.path("settings.yaml")))
      for (name, flags, isScaled) in [
        ("flag", ["--data", "folder:photos", "--scaled-decoding"], true),
        ("file", ["--config", "settings.yaml"], true),
        ("undone", ["--config", "settings.yaml", "--no-scaled-decoding"], false),
      ] {
        let outcome = try runner.run(["train", "--out", name] + flags + Self.short)
        #expect(outcome.status == 0, "\(outcome.errors)")
        let config = try runner.text(name + "/config.json")
        #expect(config.contains("\"scaledDecoding\" : \(isScaled)"), "\(name): \(config)")
        let checkpoint = try Checkpoint(path: runner.path(name + "/last.safetensors"))
        #expect(checkpoint.trainingImages.scaledDecoding == isScaled, "\(name)")
      }
      let scored = try runner.run("eval", "--checkpoint", "flag/last.safetensors", "--no-scaled-decoding")
      #expect(scored.status == 0, "\(scored.errors)")
    }

    @Test func tarsArePrepared() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      try make(runner)
      let outcome = try runner.run(
        "prepare", "tar:train-0.tar", "--test-share", "0.1", "--size", "16", "--out", "t.images")
      #expect(
        outcome.output == "t.images: 18 training and 2 test images of 16×16×3, 2 classes\n",
        "\(outcome.errors)")
      let trained = try runner.run(
        ["train", "--data", "prepared:t.images", "--out", "run"] + Self.short)
      #expect(trained.status == 0, "\(trained.errors)")
    }
  }
#endif
