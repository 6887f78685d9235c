import Foundation
import Testing

/// `--image-size` with sizes from epoch to epoch.
struct ImageSizeTests {
  private static let plan = ["--image-size", "16:0-1,24:1-3"]

  @Test func aRunGrowsAndGoesOn() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("whole", epochs: 3, Self.plan)
    let config = try #require(
      JSONSerialization.jsonObject(with: runner.data("whole/config.json")) as? [String: Any])
    let sizes: NSArray = [["size": 16, "from": 0], ["size": 24, "from": 1]]
    #expect(config["imageSizes"] as? NSArray == sizes)
    #expect((config["model"] as? [String: Any])?["inputHeight"] as? Int == 24)
    // The settings say the same, and more epochs have the last size.
    try runner.train(
      "parts", epochs: 2, ["--config", runner.path("whole/config.json"), "--image-size", "16:0-1,24:1-"])
    let resumed = try runner.run("train", "--resume", runner.path("parts"), "--epochs", "3")
    #expect(resumed.status == 0, "\(resumed.errors)")
    #expect(try runner.logRows("parts") == runner.logRows("whole"))
    // Those of the network: the last ones.
    let scored = try runner.run(
      "eval", "--checkpoint", "whole/last.safetensors", "--limit-test", "40", "--json")
    #expect(scored.status == 0, "\(scored.errors)")
    let top1 = try #require(
      (JSONSerialization.jsonObject(with: Data(scored.output.utf8)) as? [String: Any])?["top1"] as? Double)
    let row = try #require(runner.logRows("whole").last).split(separator: ",").map { Double($0) }
    #expect(row[4] == top1)
    let sheets = try [Self.plan, ["--image-size", "24"], ["--image-size", "16"]].map { sizes in
      let outcome = try runner.run(
        ["augment", "synthetic", "--out", runner.path("sheet.png"), "--images", "2", "--epoch", "2"]
          + ["--epochs", "3"] + sizes)
      #expect(outcome.status == 0, "\(outcome.errors)")
      return try runner.data("sheet.png")
    }
    #expect(sheets[0] == sheets[1] && sheets[0] != sheets[2])
  }

  @Test func filesSayItToo() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try "imageSize: 24:0-1,16:1-2\n".write(
      toFile: runner.path("settings.yaml"), atomically: true, encoding: .utf8)
    try runner.train("run", epochs: 2, ["--config", runner.path("settings.yaml")])
    let config = try #require(
      JSONSerialization.jsonObject(with: runner.data("run/config.json")) as? [String: Any])
    let sizes: NSArray = [["size": 24, "from": 0], ["size": 16, "from": 1]]
    #expect(config["imageSizes"] as? NSArray == sizes)
    // One size for all epochs takes its place.
    try runner.train("one", epochs: 1, ["--config", runner.path("settings.yaml"), "--image-size", "20"])
    let one = try #require(
      JSONSerialization.jsonObject(with: runner.data("one/config.json")) as? [String: Any])
    #expect(one["imageSizes"] == nil && (one["model"] as? [String: Any])?["inputHeight"] as? Int == 20)
    try "imageSize: 24:0-1,16:2-3\n".write(
      toFile: runner.path("settings.yaml"), atomically: true, encoding: .utf8)
    let refused = try runner.run("train", "--config", "settings.yaml", "--out", "no")
    #expect(
      refused.errorMessage == "settings.yaml: imageSize: epoch 1 has no size in 24:0-1,16:2-3")
  }

  @Test(
    arguments: [
      (["--image-size", "16:0-1,24:2-3"], 64, "--image-size: epoch 1 has no size in 16:0-1,24:2-3"),
      (
        ["--image-size", "16:0-2,24:1-3"], 64,
        "--image-size: epoch 1 has two sizes in 16:0-2,24:1-3: 16 and 24"
      ),
      (["--image-size", "0"], 64, "--image-size: expected 1 or more, found 0"),
      (
        ["--image-size", "16:0-1,24:1-3", "--epochs", "4"], 1,
        "image size: the sizes are for 3 epochs, the run has 4; leave the last number out for the rest of a run"
      ),
      (
        ["--image-size", "4:0-1,32:1-", "--epochs", "2", "--model", "airbench94", "--alpha", "0"], 1,
        "imageSizes: airbench94 cannot have images of 4×4: "
      ),
    ] as [([String], Int32, String)])
  func whatCannotBeIsAnError(flags: [String], status: Int32, problem: String) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(
      ["train", "--out", runner.path("run"), "--limit-train", "20", "--limit-test", "10"] + flags)
    #expect(outcome.status == status, "\(outcome.errors)")
    #expect(outcome.errors.contains(problem), "\(outcome.errors)")
    #expect(!FileManager.default.fileExists(atPath: runner.path("run/log.csv")))
  }
}
