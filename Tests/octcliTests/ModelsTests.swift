import Foundation
import Testing

/// `octcli models`, and what the other commands say to a network that a name does not have.
struct ModelsTests {
  struct Row: Decodable {
    let name: String
    let imageSize, classes, parameters, macs: Int
    let alphas: String
    let takesWidthMultiplier: Bool
    let stems: [String]
  }

  @Test func list() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let json = try runner.run("models", "--json")
    #expect(json.status == 0 && json.errors == "")
    let rows = try JSONDecoder().decode([Row].self, from: Data(json.output.utf8))
    let resnet = try #require(rows.first { $0.name == "resnet50" })
    #expect(resnet.parameters == 25_557_032 && resnet.macs == 4_089_184_256)
    #expect(resnet.imageSize == 224 && resnet.classes == 1000 && !resnet.takesWidthMultiplier)
    #expect(resnet.alphas == "0 … 1" && resnet.stems.prefix(2) == ["imagenet", "cifar"])
    #expect(rows.first { $0.name == "resnet20" }?.imageSize == 32)

    let table = try runner.run("models")
    #expect(table.status == 0 && table.errors == "")
    let lines = table.output.split(separator: "\n")
    #expect(lines.count == rows.count + 1)
    #expect(
      lines.contains {
        $0.hasPrefix("resnet50 ") && $0.contains("25,557,032") && $0.contains("4,089,184,256")
      })
  }

  @Test func widthOfANetworkThatHasNone() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run("summary", "--model", "resnet20", "--width-multiplier", "0.5")
    #expect(outcome.status == 1 && outcome.output == "")
    #expect(outcome.errors.hasPrefix("octcli: error: widthMultiplier: found 0.5, but the width of resnet20"))
  }
}
