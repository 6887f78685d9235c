import Foundation
import Testing

/// `octcli prepare`, and what the other commands make of its files.
struct PrepareTests {
  private static let some = ["--limit-train", "40", "--limit-test", "20"]

  private func prepared(_ runner: CommandRunner, _ flags: [String] = []) throws {
    let outcome = try runner.run(
      ["prepare", "synthetic", "--out", runner.path("s.images")] + Self.some + flags)
    #expect(outcome.status == 0, "\(outcome.errors)")
    let size = flags.isEmpty ? "32×32×3" : "24×24×3"
    #expect(
      outcome.output == "\(runner.path("s.images")): 40 training and 20 test images of \(size), 10 classes\n")
    #expect(outcome.errors.isEmpty)
  }

  @Test func runsAreThoseOfTheDataItself() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try prepared(runner)
    let flags = ["--augment", "crop,flip"]
    try runner.train("memory", epochs: 2, flags + Self.some)
    try runner.train("file", epochs: 1, flags + ["--data", "prepared:s.images"])
    // From another directory the run finds its data, and ends as the other one did.
    let resumed = try runner.run("train", "--resume", "file", "--epochs", "2")
    #expect(resumed.status == 0, "\(resumed.errors)")
    #expect(try runner.logRows("file") == runner.logRows("memory"))
    for (name, data) in [("memory", "synthetic"), ("file", "prepared:s.images")] {
      let scored = try runner.run(
        "eval", "--checkpoint", "\(name)/last.safetensors", "--json", "--limit-test", "20")
      #expect(scored.status == 0 && scored.output.contains("\"images\" : 20"), "\(data): \(scored.errors)")
    }
    let sheets = try [["synthetic"] + Self.some, ["prepared:s.images"]].map { source in
      let outcome = try runner.run(
        ["augment"] + source + flags + ["--out", runner.path("sheet.png"), "--images", "9"])
      #expect(outcome.status == 0, "\(outcome.errors)")
      return try runner.data("sheet.png")
    }
    #expect(sheets[0] == sheets[1])
  }

  @Test func anotherSizeIsTrainedAndScored() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try prepared(runner, ["--size", "24"])
    try runner.train("run", epochs: 1, ["--data", "prepared:s.images", "--image-size", "16"])
    let scored = try runner.run("eval", "--checkpoint", "run/best.safetensors")
    #expect(scored.status == 0, "\(scored.errors)")
    let refused = try runner.run(
      "train", "--data", "prepared:s.images", "--crop-ratio", "0.9", "--out", "no")
    #expect(
      refused.errorMessage
        == "--crop-ratio: belongs to photographs and to images of another size, those of prepared:s.images are "
        + "24×24 already")
  }

  /// `eval` resizes images with the settings of the run.
  @Test func settingsOfResizingAreTheCheckpoints() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try runner.train("run", epochs: 1, ["--image-size", "64", "--crop-ratio", "0.6"] + Self.some)
    try scoresAsItsLog(runner, "run")
  }

  private func scoresAsItsLog(_ runner: CommandRunner, _ run: String) throws {
    let outcome = try runner.run(
      "eval", "--checkpoint", "\(run)/last.safetensors", "--json", "--limit-test", "20")
    let scores = try #require(
      JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any], "\(outcome.errors)")
    let log = try #require(try runner.logRows(run).last).split(separator: ",").compactMap { Double($0) }
    let loss = try #require(scores["loss"] as? Double)
    #expect(abs(loss - log[3]) < 1e-4 * log[3], "\(loss) instead of \(log[3])")
  }

  @Test func filesThatAreNoneAreNamed() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try prepared(runner)
    var bytes = try runner.data("s.images")
    bytes[5000] ^= 1
    try bytes.write(to: URL(fileURLWithPath: runner.path("bad.images")))
    try bytes.prefix(9000).write(to: URL(fileURLWithPath: runner.path("cut.images")))
    for (file, expected) in [
      ("bad.images", "damaged: image 0 of synthetic train, bytes 4096 to 7167, has the checksum"),
      ("cut.images", "truncated: found 9000 bytes, expected \(bytes.count) (byte 16)"),
      ("no.images", "cannot open: No such file or directory"),
    ] {
      let outcome = try runner.run("prepare", "prepared:" + file, "--out", "again.images")
      let message = try #require(outcome.errorMessage, "\(outcome.errors)")
      #expect(message.hasPrefix("\(file): \(expected)"), "\(message)")
    }
    #expect(!FileManager.default.fileExists(atPath: runner.path("again.images")))
    let rest = try runner.run("prepare", "prepared:bad.images", "--skip-damaged", "--out", "again.images")
    #expect(
      rest.output == "again.images: 39 training and 20 test images of 32×32×3, 10 classes, 1 image left out\n"
    )
    #expect(rest.errors.hasPrefix("left out: bad.images: damaged: image 0 of synthetic train, "))
  }

  @Test func aFullDiskLeavesWhatWasThere() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    try "earlier".write(toFile: runner.path("s.images"), atomically: true, encoding: .utf8)
    let before = try FileManager.default.contentsOfDirectory(atPath: runner.scratch.path)
    let outcome = try runner.run(
      ["prepare", "synthetic", "--out", "s.images"] + Self.some, fileSizeLimitInBlocks: 20)
    #expect(outcome.errorMessage == "s.images: cannot write: File too large")
    #expect(try runner.text("s.images") == "earlier")
    let after = try FileManager.default.contentsOfDirectory(atPath: runner.scratch.path)
    #expect(after.filter { !before.contains($0) }.allSatisfy { $0.hasSuffix(".out") || $0.hasSuffix(".err") })
  }
}
