import Testing

import OctNet
@testable import OctNetCheckpoint

/// Which network of the table keys and shapes are of.
@Suite struct RecognitionTests {
  private func shapes(_ model: ModelConfiguration, prefix: String = "") throws -> [(
    name: String, shape: [Int]
  )] {
    StateFitting.slots(of: try model.makeGraph()).filter { !$0.isCounter }.map {
      (prefix + $0.name, $0.shape)
    }
  }

  @Test func everyNetworkOfTheTableIsRecognized() throws {
    for known in NamedModel.all
    where !["resnet200", "resnet200v2", "resnet152", "resnet152v2"].contains(known.name) {
      for alpha in [0, 0.25] {
        var model = ModelConfiguration(name: known.name, alpha: alpha, classes: 17)
        model.inputHeight = model.stem.usualImageSize
        model.inputWidth = model.inputHeight
        #expect(ModelConfiguration.recognized(try shapes(model)) == model)
      }
    }
  }

  @Test(arguments: [
    ModelConfiguration(
      name: "mobilenet_v1", alpha: 0.5, widthMultiplier: 0.75, classes: 5, inputHeight: 224, inputWidth: 224),
    ModelConfiguration(
      name: "mobilenet_v2", alpha: 0.5, widthMultiplier: 1.125, classes: 5, inputHeight: 224, inputWidth: 224,
      inputChannels: 1),
    ModelConfiguration(name: "densenet121", alpha: 0.125, stem: .cifar, classes: 5),
    ModelConfiguration(name: "resnet20", alpha: 0.5, variant: .seed, highToLow: false),
    ModelConfiguration(
      name: "resnet20", alpha: 0.25, lowToHigh: false, highToLow: false, keepsMerging: true),
  ])
  func settingsAreRecognizedThroughAPrefix(model: ModelConfiguration) throws {
    #expect(ModelConfiguration.recognized(try shapes(model, prefix: "module.")) == model)
  }

  @Test func othersAreNot() throws {
    let model = ModelConfiguration(name: "densenet121", alpha: 0.25)
    let keys = try shapes(model)
    #expect(ModelConfiguration.recognized(keys + [("extra.weight", [1])]) == nil)
    #expect(ModelConfiguration.recognized(Array(keys.dropFirst())) == nil)
    #expect(ModelConfiguration.recognized(keys.map { ($0.name, $0.shape.map { $0 + 1 }) }) == nil)
    #expect(ModelConfiguration.recognized([]) == nil)
    // A file without a classifier is as good.
    #expect(
      ModelConfiguration.recognized(keys.filter { !$0.name.hasPrefix("classifier") })?.name == "densenet121")
  }
}
