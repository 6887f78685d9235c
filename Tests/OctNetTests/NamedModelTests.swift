import Foundation
import Testing

import OctNet
@testable import OctNetModels

/// The table of networks, and what configurations may ask of it.
@Suite struct NamedModelTests {
  private func problem(_ configuration: ModelConfiguration) -> String? {
    do { _ = try configuration.makeGraph() } catch { return "\(error)" }
    return nil
  }

  /// With each of its stems, at both ends of α and in the middle, on a size that no stride divides.
  @Test(arguments: NamedModel.all.map(\.name)) func everyNameIsBuilt(name: String) throws {
    let model = try #require(NamedModel.named(name))
    #expect(NamedModel.all.count { $0.name == name } == 1 && model.stems.contains(model.usualStem))
    #expect(ModelConfiguration(name: name).stem == model.usualStem)
    for stem in model.stems {
      for alpha in [0, 0.25, 0.5, 1] where model.alphas.contains(alpha) {
        let configuration = ModelConfiguration(
          name: name, alpha: alpha, stem: stem, classes: 7, inputHeight: 37, inputWidth: 35)
        let graph = try configuration.makeGraph()
        // The classifier's bias, or its weight where it has none.
        #expect(graph.parameters.last?.shape.first == 7)
      }
    }
  }

  @Test func ratiosOfGroups() {
    let parts = NamedModel.Alphas.parts(4)
    #expect([0, 0.25, 0.5, 0.75, 1].allSatisfy(parts.contains))
    #expect(![-0.25, 0.125, 0.26, 1.25, .nan].contains(where: parts.contains))
    #expect("\(parts)" == "0, 0.25, 0.5, 0.75, 1" && "\(NamedModel.Alphas.all)" == "0 … 1")
    #expect(NamedModel.Alphas.all.contains(0.3) && !NamedModel.Alphas.all.contains(1.1))
  }

  @Test func settingsThatAreNotForANetwork() {
    var model = ModelConfiguration(name: "resnet20", widthMultiplier: 0.5)
    #expect(
      problem(model)?.hasPrefix("widthMultiplier: found 0.5, but the width of resnet20 is fixed") == true)
    model.widthMultiplier = 1
    #expect(problem(model) == nil)
    model.alpha = .nan
    #expect(problem(model) == "alpha: found nan, expected a ratio from 0 to 1")
    #expect(
      problem(ModelConfiguration(name: "resnet51"))?.hasPrefix(
        "model: found \"resnet51\", expected one of resnet18, ") == true)
  }

  /// What earlier versions wrote has no width multiplier, and neither has what is written without one.
  @Test func filesOfEarlierVersions() throws {
    let model = ModelConfiguration(name: "resnet50", alpha: 0.25)
    let text = String(decoding: try JSONEncoder().encode(model), as: UTF8.self)
    #expect(!text.contains("widthMultiplier"))
    #expect(try JSONDecoder().decode(ModelConfiguration.self, from: Data(text.utf8)) == model)
    let wide = ModelConfiguration(name: "resnet50", alpha: 0.25, widthMultiplier: 1)
    let wideText = try JSONEncoder().encode(wide)
    #expect(try JSONDecoder().decode(ModelConfiguration.self, from: wideText).widthMultiplier == 1)
  }
}
