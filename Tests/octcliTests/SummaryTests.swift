import Foundation
import Testing

/// `octcli summary` against the published costs of ResNet-50, to the unit.
struct SummaryTests {
  struct Cost: Decodable {
    struct Stage: Decodable { let name: String, parameters: Int, macs: Int, activationBytes: Int }
    let parameters, macs, activationBytes: Int
    let macsRatio: Double
    let stages: [Stage]
  }

  static let ordinary = 4_089_184_256

  @Test(arguments: [
    ("paper", "0", 4_089_184_256), ("paper", "0.125", 3_565_196_288), ("paper", "0.25", 3_103_526_912),
    ("paper", "0.5", 2_367_143_936), ("paper", "0.75", 1_880_035_328), ("seed", "0", 4_089_184_256),
    ("seed", "0.125", 3_489_717_248), ("seed", "0.5", 2_155_692_032),
  ])
  func resNet50(variant: String, alpha: String, macs: Int) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(
      "summary", "--model", "resnet50", "--alpha", alpha, "--variant", variant, "--stem", "imagenet",
      "--classes", "1000", "--image-size", "224", "--json")
    #expect(outcome.status == 0)
    #expect(outcome.errors == "")
    let cost = try JSONDecoder().decode(Cost.self, from: Data(outcome.output.utf8))
    #expect(cost.macs == macs)
    #expect(cost.parameters == 25_557_032)
    #expect(abs(cost.macsRatio - Double(macs) / Double(Self.ordinary)) < 1e-9)
    #expect(cost.stages.map(\.name) == ["stem", "layer1", "layer2", "layer3", "layer4", "head"])
    #expect(cost.stages.map(\.macs).reduce(0, +) == cost.macs)
    #expect(cost.stages.map(\.parameters).reduce(0, +) == cost.parameters)
    #expect(cost.stages.map(\.activationBytes).reduce(0, +) == cost.activationBytes)
  }

  @Test func tableHasStagesTotalAndRatio() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run("summary", "--model", "resnet50", "--alpha", "0.5")
    #expect(outcome.status == 0)
    let lines = outcome.output.split(separator: "\n")
    let total = try #require(lines.last)
    #expect(total.hasPrefix("total"))
    #expect(total.contains("25,557,032"))
    #expect(total.contains("2,367,143,936   0.579"))
    #expect(lines.count == 1 + 1 + 6 + 1)
  }

  @Test(arguments: [
    (["--alpha", "1.5"], "--alpha"), (["--model", "resnet51"], "resnet51"), (["--classes", "0"], "--cl"),
    (["--image-size", "-3"], "--image-size"), (["--frobnicate"], "--frobnicate"),
  ])
  func wrongUsage(arguments: [String], named: String) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run(["summary"] + arguments)
    #expect(outcome.status == 64)
    #expect(outcome.output == "")
    #expect(outcome.errors.contains(named))
  }
}
