import Foundation
import Testing

import OctNet
@testable import OctNetCheckpoint

/// Why a file does not fit, in one short line.
@Suite struct StateMismatchTests {
  /// What loading `file` into `network` says, the classifier being left where `pretrained`.
  private func mismatch(
    _ file: [(name: String, shape: [Int])], _ network: ModelConfiguration, pretrained: Bool = false
  ) throws -> StateMismatch {
    try mismatch(file, slots(of: network), pretrained: pretrained)
  }

  private func mismatch(
    _ file: [(name: String, shape: [Int])], _ slots: [StateFitting.Slot], pretrained: Bool
  ) throws -> StateMismatch {
    // Shapes only: weights of ResNets are large.
    let state = file.map { name, shape in (name: name, value: StateValue.shaped(shape)) }
    var fitting = StateFitting(state, slots: slots)
    fitting.stripPrefix()
    if pretrained { fitting.leaveOtherHead() }
    return try #require(fitting.mismatch())
  }

  private func slots(of network: ModelConfiguration) throws -> [StateFitting.Slot] {
    let graph = try network.makeGraph()
    return graph.stateSlots.map { slot in
      switch slot {
      case .parameter(let id):
        let parameter = graph.parameters[id.index]
        return StateFitting.Slot(name: parameter.name, shape: parameter.shape, isCounter: false)
      case .buffer(let id):
        let buffer = graph.buffers[id.index]
        return StateFitting.Slot(name: buffer.name, shape: [buffer.count], isCounter: false)
      case .counter(let name, _): return StateFitting.Slot(name: name, shape: [], isCounter: true)
      }
    }
  }

  private func keys(_ model: ModelConfiguration) throws -> [(name: String, shape: [Int])] {
    let graph = try model.makeGraph()
    return graph.parameters.map { ($0.name, $0.shape) } + graph.buffers.map { ($0.name, [$0.count]) }
  }

  /// The key lists of public ResNet-50 files.
  private func fixture(_ name: String) throws -> [(name: String, shape: [Int])] {
    try String(contentsOfFile: Fixture.path(name), encoding: .utf8).split(separator: "\n")
      .filter { !$0.hasPrefix("#") }
      .map { line in
        let parts = line.split(separator: " ", maxSplits: 1)
        let shape = parts[1].filter { $0 != "(" && $0 != ")" && $0 != " " }.split(separator: ",")
        return (String(parts[0]), try shape.map { try #require(Int($0)) })
      }
  }

  private func model(_ name: String, alpha: Double = 0, stem: Stem = .imagenet, classes: Int = 1000)
    -> ModelConfiguration
  {
    ModelConfiguration(
      name: name, alpha: alpha, stem: stem, classes: classes, inputHeight: 64, inputWidth: 64)
  }

  private func reason(
    _ file: [(name: String, shape: [Int])], _ network: ModelConfiguration, pretrained: Bool = false
  ) throws -> String {
    let mismatch = try mismatch(file, network, pretrained: pretrained)
    #expect(mismatch.description.utf8.count < 1000 && !mismatch.description.contains("\n"))
    return try #require(mismatch.cause?.description, "\(mismatch)")
  }

  @Test func torchvisionsFile() throws {
    let plain = try fixture("keys-resnet50.txt")
    #expect(try reason(plain, model("resnet50", alpha: 0.25)) == "it is of α = 0, the network of α = 0.25")
    #expect(
      try reason(plain, model("resnet50", alpha: 0.25, classes: 10), pretrained: true)
        == "it is of α = 0, the network of α = 0.25")
    #expect(
      try reason(plain, model("resnet50", classes: 10)) == "it is of 1000 classes, the network of 10 classes")
    #expect(
      try reason(plain, model("resnet101")) == "it is of resnet50, the network of resnet101")
    #expect(
      try reason(plain, model("resnet50", stem: .cifar))
        == "it is of a 7×7 stem (imagenet), the network of a 3×3 stem (cifar)")
    let small = model("resnet20", alpha: 0.25, stem: .cifar, classes: 10)
    #expect(
      try reason(plain, small)
        == "it is of resnet50, α = 0, a 7×7 stem (imagenet), 1000 classes, the network of resnet20, α = 0.25, "
        + "a 3×3 stem (cifar), 10 classes")
    // Fine-tuning asks for no classifier.
    #expect(
      try reason(plain, small, pretrained: true)
        == "it is of resnet50, α = 0, a 7×7 stem (imagenet), the network of resnet20, α = 0.25, "
        + "a 3×3 stem (cifar)")
    var gray = model("resnet50")
    gray.inputChannels = 1
    #expect(try reason(plain, gray) == "it is of 3 input channels, the network of 1 input channel")
    // A wrapper does not hide the reason.
    let wrapped = plain.map { (name: "module.\($0.name)", shape: $0.shape) }
    #expect(try reason(wrapped, model("resnet50", alpha: 0.25)) == "it is of α = 0, the network of α = 0.25")
  }

  @Test func octaveFiles() throws {
    let octave = try fixture("keys-oct-resnet50.txt")
    #expect(try reason(octave, model("resnet50")) == "it is of α = 0.5, the network of α = 0")
    #expect(
      try reason(octave, model("resnet50", alpha: 0.125)) == "it is of α = 0.5, the network of α = 0.125")
    var other = model("resnet50", alpha: 0.5)
    other.variant = .seed
    #expect(try reason(octave, other) == "it is of variant paper, the network of variant seed")
    other.variant = .paper
    other.lowToHigh = false
    #expect(
      try reason(octave, other) == "it is of a path from low to high, the network of no path from low to high"
    )
    #expect(
      try reason(keys(other), model("resnet50", alpha: 0.5))
        == "it is of no path from low to high, the network of a path from low to high")
    (other.lowToHigh, other.highToLow) = (true, false)
    #expect(
      try reason(octave, other) == "it is of a path from high to low, the network of no path from high to low"
    )
  }

  /// Every α that is likely comes back as it was written, from the shapes alone.
  @Test(arguments: [0, 0.05, 0.1, 0.125, 0.2, 0.25, 0.3, 0.375, 0.5, 0.6, 0.75, 0.875, 0.9, 1])
  func alphaFromShapes(alpha: Double) throws {
    let keys = try keys(model("resnet50", alpha: alpha))
    let traits = try #require(
      ResNetTraits(Dictionary(uniqueKeysWithValues: keys.map { ($0.name, $0.shape) })))
    #expect(traits.alpha == alpha)
    #expect(traits.depth == .resnet50 && traits.stem == .imagenet && traits.classes == 1000)
    #expect(traits.width == 64 && traits.groups == 1 && traits.additions == [])
  }

  @Test(arguments: ResNetDepth.allCases) func depthsFromKeys(depth: ResNetDepth) throws {
    for alpha in [0, 0.5] {
      let keys = try keys(ModelConfiguration(name: depth.rawValue, alpha: alpha))
      let traits = try #require(
        ResNetTraits(Dictionary(uniqueKeysWithValues: keys.map { ($0.name, $0.shape) })))
      #expect(traits.depth == depth && traits.width == depth.stemChannels)
    }
  }

  /// Every residual network is told by its keys and shapes.
  @Test(arguments: ResNet.shapes.map(\.name) + PreActivationResNet.shapes.map(\.name))
  func namesFromKeys(name: String) throws {
    for (alpha, stem) in [(0, Stem.imagenet), (0.5, .cifar), (0, .large)] {
      let keys = try keys(ModelConfiguration(name: name, alpha: alpha, stem: stem))
      let traits = try #require(
        ResNetTraits(Dictionary(uniqueKeysWithValues: keys.map { ($0.name, $0.shape) })))
      #expect(traits.modelName == name && traits.alpha == alpha && traits.stem == stem)
      #expect(traits.inputChannels == 3)
    }
  }

  @Test func otherResidualNetworks() throws {
    func between(_ file: String, _ network: String) throws -> String {
      try reason(keys(model(file, alpha: 0.25)), model(network, alpha: 0.25))
    }
    #expect(
      try between("resnet50v2", "resnet50")
        == "it is of norms in front of convolutions, the network of norms behind convolutions")
    #expect(
      try between("seresnet50", "resnet50")
        == "it is of se beside the usual layers, the network of usual layers")
    #expect(try between("resnext50_32x4d", "resnet50").contains("convolutions in 32 groups"))
    #expect(
      try reason(keys(model("resnet50", stem: .large)), model("resnet50"))
        == "it is of the large stem, the network of the imagenet stem")
    let cause = try #require(
      try mismatch(keys(model("wide_resnet50_2")), model("resnet18", alpha: 0.5)).cause)
    guard case .architecture(_, _, let settings) = cause else {
      Issue.record("\(cause)")
      return
    }
    #expect(settings.map(\.value) == ["wide_resnet50_2", "0"])
  }

  @Test func relativesOfResNets() throws {
    let network = model("resnet50")
    func changed(_ change: (inout String, inout [Int]) -> Void) throws -> [(name: String, shape: [Int])] {
      try fixture("keys-resnet50.txt").map { name, shape in
        var (name, shape) = (name, shape)
        change(&name, &shape)
        return (name, shape)
      }
    }
    let wide = try changed { name, shape in
      if name.contains(".conv2.") || name.contains(".conv1.") { shape[0] *= 2 }
      if name.contains(".conv2.") || name.contains(".conv3.") { shape[1] *= 2 }
    }
    #expect(
      try reason(wide, network)
        == "it is of 128 channels in the first stage, the network of 64 channels in the first stage")
    let grouped = try changed { name, shape in if name.contains(".conv2.") { shape[1] /= 32 } }
    #expect(
      try reason(grouped, network)
        == "it is of convolutions in 32 groups, the network of ungrouped convolutions")
    let squeezed = try fixture("keys-resnet50.txt") + [("layer1.0.se.fc1.weight", [16, 256, 1, 1])]
    #expect(
      try reason(squeezed, network)
        == "it is of se beside the usual layers, the network of usual layers")
    let deep = try changed { name, _ in if name == "conv1.weight" { name = "conv1.0.weight" } }
    #expect(
      try reason(deep, network) == "it is of conv1.0 beside the usual layers, the network of usual layers")
  }

  @Test func otherFamiliesAndWrappers() throws {
    let network = model("resnet50")
    let vgg = [("features.0.weight", [64, 3, 3, 3]), ("classifier.6.weight", [1000, 4096])]
    #expect(try mismatch(vgg, network).cause == .otherFamily)
    let transformers = [("resnet.embedder.embedder.convolution.weight", [64, 3, 7, 7])]
    #expect(try mismatch(transformers, network).cause == .transformersNames)
    // MoCo's file: two encoders and a queue.
    let plain = try fixture("keys-resnet50.txt")
    let moco =
      plain.map { ("module.encoder_q.\($0.name)", $0.shape) }
      + plain.map { ("module.encoder_k.\($0.name)", $0.shape) } + [("module.queue", [128, 65536])]
    let cause = try #require(try mismatch(moco, network, pretrained: true).cause)
    #expect(cause == .prefix("encoder_k.") || cause == .prefix("module.encoder_k."))
    // A key too many says nothing of the reason.
    let more = try mismatch(plain + [("extra", [1])], network)
    #expect(more == StateMismatch(unexpected: ["extra [1]"]))
    // Not a ResNet of this package: no guess.
    let own = try Network(inputShape: MapShape(height: 4, width: 4, channels: 1), seed: 1) { image in
      try Linear("head", inputChannels: 1, outputChannels: 2)(GlobalAvgPool()(image))
    }
    #expect(
      error { try own.load([]) }
        == .stateDictionary(StateMismatch(missing: ["head.weight [2, 1]", "head.bias [2]"])))
  }

  /// Names and shapes that nobody would write, in pieces of those that everybody writes: told in a short line.
  @Test func nothingInAFileEndsTheProcess() throws {
    let pieces = [
      "layer1", "layer4", "layer9", "layer0", "layer-1", "layer", "0", "1", "9999", "99999999999999999999",
      "conv1",
      "conv2", "conv", "bn1", "conv_h2h", "conv_l2l", "conv_h2l", "conv_l2h", "weight", "num_batches_tracked",
      "fc",
      "module", "", "é", "\u{301}", "\r\n", "downsample",
    ]
    let lengths = [0, 1, 3, 7, 64, 1 << 31, .max]
    let slots = try slots(of: model("resnet18", alpha: 0.25))
    var stream = RandomStream(seed: 7, "names")
    func pick<Element>(_ list: [Element]) -> Element {
      list[stream.index(below: list.count)]
    }
    for _ in 0..<400 {
      let file = (0..<pick([0, 1, 4, 40])).map { _ in
        let name = (0..<pick([1, 2, 4, 5, 12])).map { _ in pick(pieces) }.joined(separator: ".")
        return (name: name, shape: (0..<pick([0, 1, 2, 4])).map { _ in pick(lengths) })
      }
      let problem = try mismatch(file, slots, pretrained: pick([true, false])).problem
      #expect(problem.unicodeScalars.count < 1500)
    }
  }

  @Test func theLineIsShortAndTheListsAreWhole() throws {
    let mismatch = try mismatch(fixture("keys-resnet50.txt"), model("resnet50", alpha: 0.25))
    #expect(mismatch.missing.count > 300 && mismatch.unexpected.count > 200)
    let text = OctNetError.stateDictionary(mismatch).description
    #expect(
      text.hasPrefix(
        "the state dictionary does not fit the network: it is of α = 0, the network of α = 0.25; "))
    #expect(
      text.contains(
        "\(mismatch.missing.count) keys missing: layer1.0.conv1.conv.conv_h2l.weight [16, 64, 1, 1], "
          + "layer1.0.conv1.conv.conv_h2h.weight [48, 64, 1, 1], layer1.0.conv1.bn_h.weight [48], …; "))
    let long = StateMismatch(
      path: "w.safetensors", missing: [String(repeating: "a", count: 1 << 20)],
      unexpected: Array(repeating: String(repeating: "é", count: 5000), count: 9), repeated: ["x"])
    #expect(long.description.count < 800)
    #expect(
      StateMismatch(path: "w.safetensors", repeated: ["x"]).description
        == "w.safetensors: the state dictionary does not fit the network: 1 key there more than once: x")
  }
}

extension StateValue {
  /// A value of this shape without the numbers.
  fileprivate static func shaped(_ shape: [Int]) -> StateValue {
    guard !shape.isEmpty else { return .counter(0) }
    var tensor = Tensor(shape: [0], values: [])
    tensor.shape = shape
    return .tensor(tensor)
  }
}
