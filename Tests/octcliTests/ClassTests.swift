import Foundation
import Testing

/// Classes by name, weights for other classes, and images held back, as a user meets them.
struct ClassTests {
  static let names = ["ant", "bee", "cow", "dog", "eel", "fox", "gnu", "hen", "ibis", "jay"]

  /// CIFAR-10's layout with images of one brightness a class, told apart at a glance. Image i has the class that `names`
  /// gives number i mod 10, wherever that class stands in the file of names.
  private func cifar(
    _ runner: CommandRunner, _ name: String, names: [String], first: Int = 0
  ) throws -> String {
    let directory = runner.path(name)
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    for file in (1...5).map({ "data_batch_\($0).bin" }) + ["test_batch.bin"] {
      var bytes = Data()
      for image in first..<first + 20 {
        let label = names.firstIndex(of: Self.names[image % 10]) ?? image % 10
        bytes.append(UInt8(label))
        bytes.append(Data(repeating: UInt8(25 * (image % 10)), count: 3072))
      }
      try bytes.write(to: URL(fileURLWithPath: directory + "/" + file))
    }
    try names.joined(separator: "\n").write(
      toFile: directory + "/batches.meta.txt", atomically: true, encoding: .utf8)
    return "cifar10:" + directory
  }

  private func train(_ runner: CommandRunner, _ data: String, _ out: String, _ more: [String] = []) throws
    -> CommandRunner.Outcome
  {
    try runner.run(
      [
        "train", "--data", data, "--out", runner.path(out), "--model", "resnet20", "--epochs", "1",
        "--batch-size", "20", "--schedule", "constant", "--no-tensorboard",
      ] + more)
  }

  private struct Score: Decodable {
    var top1, loss: Double
    var images: Int
    var classNames: [String]
  }

  private func score(_ runner: CommandRunner, _ checkpoint: String, _ more: [String]) throws
    -> (score: Score, errors: String)
  {
    let outcome = try runner.run(["eval", "--checkpoint", runner.path(checkpoint), "--json"] + more)
    try #require(outcome.status == 0, "\(outcome.errors)")
    return (try JSONDecoder().decode(Score.self, from: Data(outcome.output.utf8)), outcome.errors)
  }

  @Test func evaluationFindsClassesByName() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let data = try cifar(runner, "plain", names: Self.names)
    let swapped = try cifar(runner, "swapped", names: Array(Self.names.reversed()))
    let others = try cifar(runner, "others", names: Self.names.map { $0 + "s" })
    let trained = try train(runner, data, "run", ["--epochs", "3"])
    try #require(trained.status == 0, "\(trained.errors)")
    let own = try score(runner, "run/last.safetensors", [])
    #expect(own.score.classNames == Self.names && own.errors == "")
    let found = try score(runner, "run/last.safetensors", ["--data", swapped])
    #expect(found.score.top1 == own.score.top1 && found.score.classNames == Self.names)

    let refused = try runner.run(
      "eval", "--checkpoint", runner.path("run/last.safetensors"), "--data", others)
    let message = try #require(refused.errorMessage, "\(refused)")
    #expect(refused.status == 1 && message.contains("\"ants\"") && message.contains("--classes-by-number"))
    #expect(message.hasPrefix(runner.path("run/last.safetensors") + ": class names: "), "\(message)")
    let numbered = try score(
      runner, "run/last.safetensors", ["--data", others, "--classes-by-number"])
    #expect(numbered.score.top1 == own.score.top1)
  }

  @Test func aRunGoesOnWithItsOwnClasses() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let data = try cifar(runner, "plain", names: Self.names)
    let swapped = try cifar(runner, "swapped", names: Array(Self.names.reversed()))
    let others = try cifar(runner, "others", names: Self.names.map { $0 + "s" })
    for name in ["whole", "parts", "numbers"] {
      let outcome = try train(runner, data, name, name == "whole" ? ["--epochs", "2"] : [])
      try #require(outcome.status == 0, "\(outcome.errors)")
    }
    func resume(_ name: String, _ data: String, _ more: String...) throws -> CommandRunner.Outcome {
      try runner.run(["train", "--resume", runner.path(name), "--epochs", "2", "--data", data] + more)
    }
    let refused = try resume("parts", others)
    let message = try #require(refused.errorMessage, "\(refused)")
    #expect(refused.status == 1 && message.contains("\"ants\"") && message.contains("--classes-by-number"))

    let mapped = try resume("parts", swapped)
    #expect(mapped.status == 0, "\(mapped.errors)")
    // The checkpoints themselves say where the images were last.
    #expect(try runner.logRows("parts") == runner.logRows("whole"))
    let numbered = try resume("numbers", others, "--classes-by-number")
    #expect(numbered.status == 0, "\(numbered.errors)")
    #expect(try runner.logRows("numbers") == runner.logRows("whole"))
  }

  @Test func weightsSayWhatBecameOfTheHead() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let data = try cifar(runner, "plain", names: Self.names)
    let swapped = try cifar(runner, "swapped", names: Array(Self.names.reversed()))
    let others = try cifar(runner, "others", names: Self.names.map { $0 + "s" })
    try #require(try train(runner, data, "run").status == 0)
    let weights = runner.path("run/last.safetensors")
    func line(_ data: String, _ out: String, _ more: [String] = []) throws -> String {
      let outcome = try train(runner, data, out, ["--weights", weights] + more)
      try #require(outcome.status == 0, "\(outcome.errors)")
      return try #require(
        outcome.errorLines.map(String.init).first { $0.contains(weights) }, "\(outcome.errors)")
    }
    #expect(try line(data, "same").contains("classifier kept"))
    #expect(
      try line(swapped, "mapped").contains("classifier kept: same classes in another order, mapped by name"))
    let left = try line(others, "left")
    #expect(left.contains("for other classes") && left.contains("left random: fc.weight, fc.bias"))
    #expect(try line(others, "numbered", ["--classes-by-number"]).contains("classifier kept"))
  }

  @Test func imagesHeldBackChooseAndTheTestComesLast() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let data = try cifar(runner, "plain", names: Self.names)
    let outcome = try train(runner, data, "run", ["--validation", "0.2", "--epochs", "2"])
    try #require(outcome.status == 0, "\(outcome.errors)")
    let results = try #require(
      try JSONSerialization.jsonObject(with: runner.data("run/results.json")) as? [String: Any])
    #expect(results["chosenOn"] as? String == "validation")
    let test = try #require(results["test"] as? [String: Any])
    let evaluation = try #require(test["evaluation"] as? [String: Any])
    #expect(evaluation["images"] as? Int == 20)
    let best = try #require((results["best"] as? [String: Any])?["evaluation"] as? [String: Any])
    #expect(best["images"] as? Int == 20)
    #expect(outcome.output.split(separator: "\n").contains { $0.contains("test") }, "\(outcome.output)")
    // What is scored at the end is what `eval` scores.
    let own = try score(runner, "run/best.safetensors", [])
    #expect(evaluation["top1"] as? Double == own.score.top1)

    // So are those held back, and those that were learnt from.
    let held = try score(runner, "run/best.safetensors", ["--on", "validation"])
    #expect(best["top1"] as? Double == held.score.top1 && held.score.images == 20)
    #expect(best["loss"] as? Double == held.score.loss)
    let learnt = try score(runner, "run/best.safetensors", ["--on", "train"])
    #expect(learnt.score.images == 80)
    let table = try runner.run(
      "eval", "--checkpoint", runner.path("run/best.safetensors"), "--on", "validation")
    #expect(table.output.split(separator: "\n").first?.hasSuffix(" on 20 validation images") == true)
    // The same images under other numbers.
    let swapped = try cifar(runner, "swapped", names: Array(Self.names.reversed()))
    let mapped = try score(runner, "run/best.safetensors", ["--on", "validation", "--data", swapped])
    #expect(mapped.score.loss == held.score.loss && mapped.errors.contains("mapped by name"))

    let all = try train(runner, data, "all", ["--validation", "1000"])
    #expect(all.status == 1 && all.errors.contains("validation"), "\(all)")
    #expect(!FileManager.default.fileExists(atPath: runner.path("all")))
  }

  @Test func imagesThatNothingNamesAreNotScored() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let data = try cifar(runner, "plain", names: Self.names)
    try #require(try train(runner, data, "run").status == 0)
    let path = runner.path("run/best.safetensors")
    func message(_ more: String...) throws -> String {
      let outcome = try runner.run(["eval", "--checkpoint", path] + more)
      return try #require(outcome.errorMessage, "\(outcome)")
    }
    #expect(
      try message("--on", "validation")
        == "\(path): validation images: the data has none of its own, and the checkpoint names no training images that "
        + "its run held back")
    try #require(try train(runner, data, "held", ["--validation", "20"]).status == 0)
    // Images in another order are other labels at their places.
    let others = try cifar(runner, "others", names: Self.names, first: 3)
    let held = runner.path("held/best.safetensors")
    for part in ["validation", "train"] {
      let outcome = try runner.run("eval", "--checkpoint", held, "--on", part, "--data", others)
      let message = try #require(outcome.errorMessage, "\(outcome)")
      #expect(message.hasPrefix("\(held): \(part) images: the data's training labels are other ones"))
    }
    #expect(try runner.run("eval", "--checkpoint", held, "--data", others).status == 0)
    for wrong in [["--on", "all"], ["--on", "train", "--limit-test", "5"]] {
      #expect(try runner.run(["eval", "--checkpoint", held] + wrong).status == 64)
    }
  }
}
