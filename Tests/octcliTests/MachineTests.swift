import Foundation
import Testing

/// What the environment says of the machine.
@Suite struct MachineTests {
  @Test(arguments: [
    ("OCTNET_MAX_ISA", "avx-2", "expected portable, avx2 or avx512"),
    ("OCTNET_MAX_ISA", "", "expected portable, avx2 or avx512"),
    ("OCTNET_CACHE_SIZES", "48K,2M", "expected three sizes from 1K to 1024M, such as 48K,2M,32M"),
    ("OCTNET_CACHE_SIZES", "48K,2M,32G", "expected three sizes from 1K to 1024M, such as 48K,2M,32M"),
  ])
  func whatIsNotKnownIsAnError(name: String, value: String, expected: String) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    for arguments in [["bench", "kernels", "--repetitions", "1"], ["summary", "--model", "resnet20"]] {
      let outcome = try runner.run(arguments, environment: [name: value])
      #expect(outcome.errorMessage == "\(name): found \"\(value)\", \(expected)", "\(outcome.errors)")
    }
  }

  /// Kernels cut their work by the caches, and no result depends on it.
  @Test func resultsDoNotDependOnTheCaches() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    var weights: [Data] = []
    for (index, caches) in ["32K,128K,4M", "48K,2M,32M", "128K,16M,512M"].enumerated() {
      let outcome = try runner.run(
        "train", "--model", "resnet20", "--alpha", "0.25", "--data", "synthetic", "--epochs", "1",
        "--limit-train",
        "96", "--limit-test", "20", "--batch-size", "32", "--threads", "2", "--out",
        runner.path("run\(index)"),
        environment: ["OCTNET_CACHE_SIZES": caches])
      #expect(outcome.status == 0, "\(outcome.errors)")
      weights.append(
        try #require(FileManager.default.contents(atPath: runner.path("run\(index)/last.safetensors"))))
    }
    #expect(weights[0] == weights[1] && weights[1] == weights[2])
  }
}
