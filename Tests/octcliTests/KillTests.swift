import Foundation
import Testing

/// A few of the moments that `Scripts/kill-test.sh` goes through by the hundred.
struct KillTests {
  /// Everything that has a memory, and evaluations that take their time.
  private static let flags =
    ["train", "--epochs", "2"] + CommandRunner.tiny
    + [
      "--checkpoint-every", "1", "--accumulate", "2", "--ema", "0.9", "--limit-test", "120",
      "--no-tensorboard",
    ]

  /// What equal runs have in common.
  private func outcome(_ runner: CommandRunner, _ run: String) throws -> [String: Data] {
    let all = try runner.contents(of: run)
    return all.filter {
      !$0.key.hasPrefix("report") && !["resume.safetensors", "timing.csv"].contains($0.key)
    }
  }

  /// Goes on with the run, or begins it again where it was killed before its first state.
  private func arguments(_ runner: CommandRunner, _ run: String) throws -> [String] {
    let path = runner.path(run)
    if FileManager.default.fileExists(atPath: path + "/resume.safetensors") {
      return ["train", "--resume", path, "--no-tensorboard"]
    }
    if FileManager.default.fileExists(atPath: path) { try FileManager.default.removeItem(atPath: path) }
    return Self.flags + ["--out", path]
  }

  @Test(arguments: [1, 2] as [UInt64])
  func killedAtAnyMoment(seed: UInt64) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let clock = ContinuousClock()
    let start = clock.now
    #expect(try runner.run(Self.flags + ["--out", runner.path("whole")]).status == 0)
    let seconds = (clock.now - start) / .seconds(1)

    // Splitmix64: the same parts of the time in every test, whatever that is.
    var random = seed
    for _ in 0..<4 {
      random &+= 0x9E37_79B9_7F4A_7C15
      let mixed = (random ^ (random >> 30)) &* 0xBF58_476D_1CE4_E5B9
      let running = try runner.start(try arguments(runner, "parts"))
      Thread.sleep(forTimeInterval: seconds * Double(mixed >> 40) / Double(1 << 24))
      kill(running.process.processIdentifier, SIGKILL)
      running.process.waitUntilExit()
    }
    let end = try runner.run(try arguments(runner, "parts"))
    #expect(end.status == 0, "\(end.errors)")
    let (expected, found) = (try outcome(runner, "whole"), try outcome(runner, "parts"))
    #expect(expected.keys.sorted() == found.keys.sorted())
    for (file, data) in expected { #expect(found[file] == data, "\(file)") }
  }

  /// What was there before stays until all is there, whenever the process is killed.
  @Test func aKilledPreparationLeavesNothingHalfMade() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let arguments = { (limit: String) in
      [
        "prepare", "synthetic", "--size", "96", "--limit-train", limit, "--limit-test", "100", "--out",
        runner.path("data.images"),
      ]
    }
    #expect(try runner.run(arguments("100")).status == 0)
    let earlier = try runner.data("data.images")
    let clock = ContinuousClock()
    let start = clock.now
    #expect(try runner.run(arguments("2000")).status == 0)
    let seconds = (clock.now - start) / .seconds(1)
    let later = try runner.data("data.images")
    #expect(earlier != later)
    var stayed = 0
    for part in [0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97] {
      try earlier.write(to: URL(fileURLWithPath: runner.path("data.images")))
      let running = try runner.start(arguments("2000"))
      Thread.sleep(forTimeInterval: seconds * part)
      kill(running.process.processIdentifier, SIGKILL)
      running.process.waitUntilExit()
      let found = try runner.data("data.images")
      #expect(found == earlier || found == later, "after \(part) of \(seconds) s")
      if found == earlier { stayed += 1 }
      // Whatever lies beside it has the name of what is not finished, and stands in nobody's way.
      // (The runner keeps what programs print there.)
      for name in try FileManager.default.contentsOfDirectory(atPath: runner.path(""))
      where !name.hasSuffix(".out") && !name.hasSuffix(".err") {
        #expect(name == "data.images" || name.hasSuffix(".octnet-tmp"), "\(name)")
      }
    }
    #expect(stayed > 0)
    #expect(try runner.run(arguments("2000")).status == 0)
    #expect(try runner.data("data.images") == later)
  }

  /// Every file is cut at another size, the small ones too, and the disk has room again afterwards.
  @Test func aFullDiskAtAnyFile() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    #expect(try runner.run(Self.flags + ["--out", runner.path("whole")]).status == 0)
    let expected = try outcome(runner, "whole")
    for limit in [0, 1, 100, 2000] {
      let cut = try runner.run(Self.flags + ["--out", runner.path("cut")], fileSizeLimitInBlocks: limit)
      #expect(cut.status == 1, "\(limit)")
      let end = try runner.run(try arguments(runner, "cut"))
      #expect(end.status == 0, "\(end.errors)")
      #expect(try outcome(runner, "cut") == expected, "\(limit)")
      try FileManager.default.removeItem(atPath: runner.path("cut"))
    }
  }
}
