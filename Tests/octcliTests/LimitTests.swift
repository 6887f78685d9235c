import Foundation
import OctNet
import Testing

/// Numbers that nobody can mean, machines with little memory, and data that is elsewhere.
struct LimitTests {
  @Test(arguments: [
    (["train", "--batch-size", "0"], "--batch-size: expected 1 or more, found 0"),
    (["train", "--batch-size", "9223372036854775807"], "--batch-size: expected at most 1048576"),
    (["train", "--epochs", "4611686018427387904"], "--epochs: expected at most 1000000"),
    (["train", "--accumulate", "9223372036854775807"], "--accumulate: expected at most 1048576"),
    (["train", "--shards", "3"], "--shards: expected a power of two, found 3"),
    (
      ["train", "--shards", "1", "--reduce-dtype", "bfloat16"],
      "--reduce-dtype: bfloat16 belongs to 2 or more shards"
    ),
    (
      ["train", "--shards", "2", "--reduce-dtype", "float16"],
      "The value 'float16' is invalid for '--reduce-dtype"
    ),
    (["train", "--shards", "2048"], "--shards: expected at most 1024, found 2048"),
    (["train", "--shards", "8", "--batch-size", "4"], "--shards: expected at most the 4 images of a batch"),
    (["train", "--rate-scale", "fc=-1"], "--rate-scale: expected a factor of 0 or more, found -1.0"),
    (
      ["train", "--group", "fc:rate=2", "--rate-scale", "fc=-1"],
      "--rate-scale: expected a factor of 0 or more, found -1.0"
    ),
    (["train", "--group", "fc:decay=-1"], "--group: decay: expected 0 or more, found -1.0"),
    (
      ["train", "--group", "fc:rate=-1", "--rate-scale", "fc=2"],
      "--group: rate: expected a factor of 0 or more, found -1.0"
    ),
    (["train", "--group", "fc:epochs=0"], "--group: epochs: expected more than 0 and at most 1000000"),
    (
      ["train", "--group", "fc:optimizer=sgd,momentum=1"],
      "--group: momentum: expected 0 or more and less than 1, found 1.0"
    ),
    (
      ["train", "--group", "fc:optimizer=muon,iterations=21"],
      "--group: iterations: expected at most 20, found 21"
    ),
    (["bench", "data", "--batches", "1"], "--batches: expected 2 or more, found 1"),
    (
      ["bench", "data", "--steps", "--batches", "4"],
      "--batches: expected 5 or more full batches with --steps, found 4"
    ),
    (["train", "--threads", "2147483648"], "--threads: expected at most 1024"),
    (["train", "--image-size", "16385"], "--image-size: expected at most 16384"),
    (["train", "--label-smoothing", "1.5"], "--label-smoothing: expected 0 or more and less than 1"),
    (["train", "--learning-rate", "inf"], "--learning-rate: expected a number above 0"),
    (["train", "--momentum", "1"], "--momentum: expected 0 or more and less than 1"),
    (["train", "--ema", "1"], "--ema: expected more than 0 and less than 1"),
    (["train", "--step-factor", "2", "--schedule", "step"], "--step-factor: expected a number above 0"),
    (["train", "--epochs", "2", "--warmup-epochs", "3"], "--warmup-epochs: expected at most 2 epochs"),
    (["study", "--seeds", "1001"], "--seeds: expected at most 1000"),
    (["eval", "--checkpoint", "x", "--batch-size", "0"], "--batch-size: expected 1 or more"),
    (["predict", "--checkpoint", "x", "--top-k", "0", "a.png"], "--top-k: expected 1 or more"),
    (["predict", "--checkpoint", "x", "--resize", "99999", "a.png"], "--resize: expected at most 16384"),
    (["summary", "--classes", "9999999"], "--classes: expected at most 1048576"),
    (["bench", "infer", "--batch-size", "9223372036854775807"], "--batch-size: expected at most 1048576"),
    (["bench", "kernels", "--repetitions", "9999999"], "--repetitions: expected at most 1000000"),
  ])
  func flagsOutOfRangeAreWrongUsage(arguments: [String], problem: String) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(arguments)
    #expect(outcome.status == 64 && outcome.errors.hasPrefix("Error: " + problem), "\(outcome)")
  }

  /// What a batch is cut into is bounded by the batch of the recipe or the file, not by that of a run without either.
  @Test func shardsOfTheBatchThatTheRunHas() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let file = runner.path("settings.yaml")
    try Data("model: resnet20\nbatchSize: 256\n".utf8).write(to: URL(fileURLWithPath: file))
    let few = ["--limit-train", "20", "--limit-test", "10", "--epochs", "1", "--no-tensorboard"]
    for (name, flags, batch, shards) in [
      ("recipe", ["--recipe", "speedrun94", "--width-multiplier", "0.05", "--shards", "64"], 2000, 64),
      ("file", ["--config", file, "--shards", "128"], 256, 128),
    ] {
      let outcome = try runner.run(["train", "--out", runner.path(name)] + few + flags)
      try #require(outcome.status == 0, "\(outcome.errors)")
      let configuration = try TrainingConfiguration(path: runner.path(name + "/config.json"))
      #expect(configuration.batchSize == batch && configuration.shards == shards)
    }
    let refused = try runner.run("train", "--config", file, "--shards", "512", "--out", "no")
    #expect(
      refused.errorMessage == "shards: expected at most the 256 images of a batch, found 512", "\(refused)")
  }

  /// Numbers that fit each on its own, but not together.
  @Test func productsOfSettingsAreBounded() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(
      "bench", "infer", "--model", "resnet18", "--image-size", "16384", "--batch-size", "1048576")
    #expect(
      outcome.errorMessage == "batchSize: expected at most 85 images of 16384×16384×3, found 1048576",
      "\(outcome)")
  }

  private func limited(_ runner: CommandRunner, _ arguments: [String]) throws -> CommandRunner.Outcome {
    try runner.run(script: "ulimit -v 4000000; exec \"$0\" \"$@\"", arguments)
  }

  #if os(Linux)
    @Test func memoryThatIsNotThereIsToldWithABatchThatFits() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      let flags = ["--epochs", "1", "--limit-train", "16", "--limit-test", "8", "--threads", "2", "--out"]
      let outcome = try limited(
        runner, ["train", "--batch-size", "100000"] + flags + [runner.path("large")])
      #expect(
        !FileManager.default.fileExists(atPath: runner.path("large")),
        "a run that cannot begin leaves nothing")
      let message = try #require(outcome.errorMessage, "\(outcome)")
      let match = try #require(
        message.firstMatch(
          of:
            /batchSize: batches of 100000 need .* GiB of memory, .* \(ulimit -v\) are left; a batch of (\d+) would fit/
        ), "\(message)")
      let fits = String(match.1)
      let again = try limited(runner, ["train", "--batch-size", fits] + flags + [runner.path("fits")])
      #expect(again.status == 0, "\(again.errors)")
    }

    /// Threads reserve their stacks and no heaps, so that many of them fit; larger stacks are counted, too, where OpenMP would
    /// end the process.
    @Test(.disabled(if: ThreadCount.isSingleThreaded)) func threadsTakeTheirStacks() throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      func train(_ out: String, stack: String) throws -> CommandRunner.Outcome {
        try runner.run(
          script: "ulimit -v 2000000; exec \"$0\" \"$@\"",
          ["train", "--out", runner.path(out), "--epochs", "1", "--threads", "60"] + CommandRunner.tiny,
          environment: ["OMP_STACKSIZE": stack])
      }
      let fits = try train("fits", stack: "8M")
      #expect(fits.status == 0, "\(fits.errors)")
      let refused = try train("refused", stack: "64M")
      #expect(
        refused.errorMessage?.hasPrefix("threads: 60 threads need 3.7 GiB of memory") == true, "\(refused)")
      #expect(!FileManager.default.fileExists(atPath: runner.path("refused")))
    }

    @Test(arguments: [
      (
        ["bench", "train", "--image-size", "224", "--batch-size", "1000"], "batchSize: batches of 1000 need "
      ),
      (["bench", "infer", "--image-size", "16384", "--batch-size", "1"], "not even one image at a time"),
      (["bench", "infer", "--classes", "1048576"], "model: the parameters of resnet50 with 1048576 classes"),
      (["bench", "kernels", "--threads", "1000"], "threads: 1,000 threads need "),
      (["study", "--dry-run", "--batch-size", "100000"], "batchSize: batches of 100000 need "),
      (["train", "--threads", "1000"], "threads: 1,000 threads need "),
    ])
    func everyCommandAsksFirst(arguments: [String], problem: String) throws {
      let runner = try CommandRunner()
      defer { runner.removeScratch() }
      let outcome = try limited(runner, arguments)
      #expect(outcome.errorMessage?.contains(problem) == true, "\(outcome)")
    }
  #endif

  @Test func trainSaysWhatTheThreadsFollowFrom() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let file = runner.path("settings.yaml")
    try Data("threads: 1\n".utf8).write(to: URL(fileURLWithPath: file))
    func line(_ name: String, _ more: [String], _ value: String) throws -> String {
      let outcome = try runner.run(
        ["train", "--epochs", "1", "--limit-train", "8", "--limit-test", "8", "--batch-size", "8", "--out"]
          + [runner.path(name)] + more, environment: ["OMP_NUM_THREADS": value])
      #expect(outcome.status == 0, "\(outcome.errors)")
      return outcome.errors
    }
    guard !ThreadCount.isSingleThreaded else {
      for (name, flags) in [("a", []), ("b", ["--threads", "2"]), ("c", ["--config", file])] {
        #expect(try line(name, flags, "3").contains("threads: 1 (a build without OpenMP)"))
      }
      return
    }
    #expect(try line("a", [], "3,1").contains("threads: 3 (OMP_NUM_THREADS)"))
    #expect(try line("b", ["--threads", "2"], "3").contains("threads: 2 (--threads)"))
    #expect(try line("c", ["--config", file], "3").contains("threads: 1 (the settings file)"))
    #expect(try runner.text("a/config.json").contains("\"threads\" : 3"))
  }

  /// "cifar10:data" in a checkpoint was relative to where the training ran.
  @Test func dataOfACheckpointIsFoundFromElsewhere() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let images = runner.path("place/data")
    try FileManager.default.createDirectory(atPath: images, withIntermediateDirectories: true)
    func record(_ label: UInt8) -> [UInt8] { [label] + (0..<3072).map { UInt8(truncatingIfNeeded: $0) } }
    for name in (1...5).map({ "data_batch_\($0).bin" }) + ["test_batch.bin"] {
      try Data((0..<10).flatMap { record($0) }).write(to: URL(fileURLWithPath: images + "/" + name))
    }
    try Data("a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n".utf8)
      .write(to: URL(fileURLWithPath: images + "/batches.meta.txt"))
    let trained = try runner.run(
      script: "cd place && exec \"$0\" \"$@\"",
      [
        "train", "--data", "cifar10:data", "--epochs", "1", "--batch-size", "10", "--limit-train", "10",
        "--out", "runs/first",
      ])
    try #require(trained.status == 0, "\(trained.errors)")
    // From the scratch directory.
    let found = try runner.run("eval", "--checkpoint", "place/runs/first/best.safetensors")
    #expect(found.status == 0, "\(found.errors)")
    #expect(found.errors.contains("data: cifar10:data is cifar10:") && found.errors.contains("/place/data\n"))
    let elsewhere = runner.path("elsewhere")
    try FileManager.default.moveItem(atPath: images, toPath: elsewhere)
    let lost = try runner.run("eval", "--checkpoint", "place/runs/first/best.safetensors")
    let message = try #require(lost.errorMessage, "\(lost)")
    #expect(message.hasPrefix("data: ") && message.contains("tried ") && message.contains("/place/data,"))
    let given = try runner.run(
      "eval", "--checkpoint", "place/runs/first/best.safetensors", "--data", "cifar10:elsewhere")
    #expect(given.status == 0, "\(given.errors)")
    try FileManager.default.moveItem(atPath: elsewhere, toPath: images)
    let resumed = try runner.run("train", "--resume", "place/runs/first", "--epochs", "2")
    #expect(resumed.status == 0, "\(resumed.errors)")
  }
}
