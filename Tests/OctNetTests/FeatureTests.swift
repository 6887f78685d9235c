import OctNet
import Testing

/// Models that end at their stages, and the weights of whole ones in them.
struct FeatureTests {
  @Test(arguments: [0, 0.25], [Variant.paper, .seed])
  func stagesOfATrainedResNet(alpha: Double, variant: Variant) throws {
    let shape = MapShape(height: 32, width: 30, channels: 3)
    let model = ModelConfiguration(
      name: "resnet18", alpha: alpha, stem: .imagenet, variant: variant, classes: 7, inputHeight: 32,
      inputWidth: 30)
    let whole = try model.makeNetwork(seed: 3)
    let resnet = try ResNet(model)
    let network = try Network(inputShape: shape, seed: 9) { x in try resnet.features(x) }
    #expect(
      network.outputs.map { "\($0.name) \($0.shape)" }
        == (alpha == 0
          ? ["stem 8×8×64", "layer1 8×8×64", "layer2 4×4×128", "layer3 2×2×256", "layer4 1×1×512"]
          : [
            "stem 8×8×64", "layer1.high 8×8×48", "layer1.low 4×4×16", "layer2.high 4×4×96",
            "layer2.low 2×2×32",
            "layer3.high 2×2×192", "layer3.low 1×1×64", "layer4 1×1×512",
          ]))
    let state = whole.stateDictionary()
    #expect(throws: OctNetError.self) { try network.load(state) }
    let report = try network.load(state, strict: false)
    #expect(report.leftKeys == ["fc.weight", "fc.bias"] && report.keptKeys == [])
    #expect(report.lines == ["2 keys that the network has not left out: fc.weight, fc.bias"])
    var stream = RandomStream(seed: 4, "images")
    let images = (0..<2 * shape.count).map { _ in stream.normal() }
    let features = try InferenceSession(network: network, batchSize: 2, threads: 2).outputs(images: images)
    let logits = try InferenceSession(network: whole, batchSize: 2, threads: 2).logits(images: images)
    // The last stage is one pixel here: the classifier is a product.
    let last = try #require(features["layer4"])
    let (weight, bias) = (try whole.parameter("fc.weight").values, try whole.parameter("fc.bias").values)
    for place in logits.indices {
      let sum = (0..<512).reduce(Double(bias[place % 7])) {
        $0 + Double(weight[place % 7 * 512 + $1]) * Double(last[place / 7 * 512 + $1])
      }
      #expect(abs(sum - Double(logits[place])) < 1e-4 * max(1, abs(sum)))
    }
  }

  @Test func looseLoadingSaysWhatItDid() throws {
    let small = ModelConfiguration(name: "resnet20", alpha: 0.25, classes: 7)
    let large = ModelConfiguration(name: "resnet32", alpha: 0.25, classes: 7)
    let source = try small.makeNetwork(seed: 1)
    let network = try large.makeNetwork(seed: 2)
    let own = try network.parameter("layer1.3.conv1.conv.conv_h2h.weight")
    let report = try network.load(source.stateDictionary(), strict: false)
    #expect(report.leftKeys.isEmpty && report.keptKeys.count > 20)
    #expect(report.keptKeys.allSatisfy { $0.contains(".3.") || $0.contains(".4.") })
    #expect(report.lines.count == 1 && report.lines[0].hasSuffix("…"))
    #expect(try network.parameter("layer1.3.conv1.conv.conv_h2h.weight") == own)
    #expect(try network.parameter("fc.weight") == source.parameter("fc.weight"))
    // Shapes must fit, and some name.
    let other = try ModelConfiguration(name: "resnet20", alpha: 0.25, classes: 8).makeNetwork(seed: 1)
    let before = try other.parameter("conv1.weight")
    #expect(throws: OctNetError.self) { try other.load(source.stateDictionary(), strict: false) }
    #expect(throws: OctNetError.self) {
      try other.load([(name: "x", value: .tensor(Tensor(zeros: [1])))], strict: false)
    }
    #expect(try other.parameter("conv1.weight") == before)
  }
}
