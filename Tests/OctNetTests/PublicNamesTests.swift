import Testing

import OctNet
@testable import OctNetCheckpoint

/// Names of public weight files become those of OctNet's networks.
@Suite struct PublicNamesTests {
  let directory: TemporaryDirectory
  init() throws { directory = try TemporaryDirectory() }

  private func state(_ model: ModelConfiguration) throws -> StateDictionary {
    try model.makeNetwork(seed: 5).stateDictionary()
  }

  private func read(_ state: StateDictionary) throws -> Checkpoint {
    try SafetensorsFile(entries: state.entries()).write(to: directory("w"))
    return try Checkpoint(path: directory("w"))
  }

  /// "05" of "denselayer4" and 1.
  private func number(_ text: Substring, plus: Int = 0, digits: Int = 1) -> String {
    let value = (Int(text.drop { !$0.isNumber }) ?? 0) + plus
    return digits == 2 && value < 10 ? "0\(value)" : "\(value)"
  }

  /// The authors' name of the unit that a layer is in, from OctNet's.
  private func unit(_ parts: [Substring]) -> String {
    switch parts[0] {
    case "conv1", "bn1": return "conv1"
    case "bn": return "tail"
    case "features":
      if parts[1] == "conv0" || parts[1] == "norm0" { return "conv1" }
      if parts[1] == "norm5" { return "tail" }
      if parts[1].hasPrefix("transition") { return "L\(number(parts[1], plus: 2))_Trans_conv" }
      return "L\(number(parts[1], plus: 1))_B\(number(parts[2], digits: 2))_conv\(number(parts[3]))"
    default:
      let conv = parts[2] == "downsample" ? "4" : number(parts[2])
      return "L\(number(parts[0], plus: 1))_B\(number(parts[1], plus: 1, digits: 2))_conv\(conv)"
    }
  }

  /// Gates, whose first matrix is in two parts where there are two maps.
  private func gate(_ parts: [Substring], _ value: StateValue, in state: StateDictionary) -> StateDictionary {
    let block = "L\(number(parts[0], plus: 1))_B\(number(parts[1], plus: 1, digits: 2))_se"
    let (layer, array) = (parts[3], parts[4])
    if layer == "fc2_l" { return [("\(block)_fc2-h2l_\(array)", value)] }
    if layer != "fc1" { return [("\(block)_fc2-h2h_\(array)", value)] }
    let high = state.first { $0.name == "\(parts[0]).\(parts[1]).se.fc2_h.bias" }
    guard array == "weight", let high, case .tensor(let matrix) = value else {
      return [("\(block)_fc1-h2h_\(array)", value)]
    }
    let (rows, columns, split) = (matrix.shape[0], matrix.shape[1], high.value.shape[0])
    func part(_ range: Range<Int>) -> StateValue {
      var values: [Float] = []
      for row in 0..<rows {
        for column in range { values.append(matrix.values[row * columns + column]) }
      }
      return .tensor(Tensor(shape: [rows, range.count, 1, 1], values: values))
    }
    return [
      ("\(block)_fc1-h2h_weight", part(0..<split)), ("\(block)_fc1-l2h_weight", part(split..<columns)),
    ]
  }

  /// A network's state under the authors' names, by their description.
  private func authors(_ state: StateDictionary) -> StateDictionary {
    let arrays: [Substring: String] = [
      "weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_var",
    ]
    var result: StateDictionary = []
    for (name, value) in state {
      let parts = name.split(separator: ".")
      guard let array = parts.last, array != "num_batches_tracked" else { continue }
      if parts[0] == "fc" || parts[0] == "classifier" {
        result.append(("classifier_\(array)", value))
      } else if parts.contains("se") {
        result += gate(parts, value, in: state)
      } else if let map = parts.first(where: { $0.hasPrefix("bn_") }) {
        result.append(("\(unit(parts))_bn-\(map.dropFirst(3))_\(arrays[array] ?? "")", value))
      } else if let path = parts.first(where: { $0.hasPrefix("conv_") }) {
        result.append(("\(unit(parts))_conv-\(path.dropFirst(5))_weight", value))
      } else if value.shape.count == 1 {
        result.append(("\(unit(parts))_bn_\(arrays[array] ?? "")", value))
      } else {
        result.append(("\(unit(parts))_conv_weight", value))
      }
    }
    return result
  }

  @Test(arguments: [
    ("resnet26v2", 0.25), ("resnet26v2", 0), ("seresnet50v2", 0.125), ("densenet121", 0.25),
  ])
  func theAuthorsFiles(name: String, alpha: Double) throws {
    let model = ModelConfiguration(name: name, alpha: alpha, stem: .imagenet, classes: 10)
    let own = try state(model)
    let foreign = authors(own)
    #expect(Set(foreign.map(\.name)).count == foreign.count)
    #expect(foreign.contains { $0.name == "L2_B01_conv1_\(alpha > 0 ? "bn-h" : "bn")_gamma" })
    let checkpoint = try read(foreign.reversed())
    #expect(checkpoint.notes == ["names of the octave paper's authors: brought into OctNet's"])
    // (124 − mean) · 0.0167 is what a pixel of 124 red becomes.
    #expect(checkpoint.trainingImages == TrainingImages(cropRatio: 0.875, interpolation: "bicubic"))
    let normalization = try #require(checkpoint.normalization)
    let red = normalization([124, 117, 104, 255, 0, 0])
    #expect(abs(red[0]) < 1e-5 && abs(red[3] - (255 - 124) * 0.0167) < 1e-5)
    #expect(abs(red[4] + 117 * 0.0167) < 1e-5)
    let network = try model.makeNetwork(seed: 6)
    let report = try checkpoint.load(into: network)
    #expect(report.missingCounters == network.counters.count)
    for (before, after) in zip(own, network.stateDictionary()) where !before.value.isCounter {
      #expect(before.name == after.name && before.value == after.value, "\(before.name)")
    }
  }

  /// The names as they stand in the description of the files, against OctNet's.
  @Test func examplesOfTheAuthorsNames() throws {
    let none = StateValue.tensor(Tensor(zeros: [1]))
    let octave = try #require(
      AuthorsNames([("L2_B01_conv1_conv-h2l_weight", none), ("L2_B01_se_fc2-h2l_weight", none)]))
    for (name, own) in [
      ("conv1_conv_weight", "conv1.weight"), ("conv1_bn_gamma", "bn1.weight"),
      ("L2_B01_conv1_bn-h_gamma", "layer1.0.conv1.bn_h.weight"),
      ("L2_B01_conv2_bn-l_moving_var", "layer1.0.conv2.bn_l.running_var"),
      ("L5_B03_conv3_conv-h2h_weight", "layer4.2.conv3.conv.conv_h2h.weight"),
      ("L3_B01_conv4_conv-l2h_weight", "layer2.0.downsample.0.conv.conv_l2h.weight"),
      ("L2_B01_se_fc1-h2h_bias", "layer1.0.se.fc1.bias"),
      ("L2_B01_se_fc2-h2h_weight", "layer1.0.se.fc2_h.weight"),
      ("L2_B01_se_fc2-h2l_bias", "layer1.0.se.fc2_l.bias"),
      ("L5_B01_se_fc2-h2h_bias", "layer4.0.se.fc2.bias"),
      ("tail_bn_beta", "bn.bias"), ("classifier_weight", "fc.weight"),
    ] { #expect(octave.translated(name) == own) }
    for name in [
      "L2_B01_conv5_conv_weight", "L2_B01_conv1_foo", "L99_B01_conv1_bn_gamma", "data", "L2_B_conv1_bn_gamma",
    ] {
      #expect(octave.translated(name) == nil)
    }
  }

  /// `norm.1` in torchvision's files is `norm1` in its networks.
  @Test func torchvisionsDenseNets() throws {
    let model = ModelConfiguration(name: "densenet121", classes: 10)
    let own = try state(model)
    var old: StateDictionary = []
    for (name, value) in own {
      var name = name
      if name.contains(".denselayer") {
        for (layer, early) in [
          ("norm1", "norm.1"), ("norm2", "norm.2"), ("conv1", "conv.1"), ("conv2", "conv.2"),
        ] {
          name = name.replacing(".\(layer).", with: ".\(early).")
        }
      }
      old.append((name, value))
    }
    #expect(old.contains { $0.name == "features.denseblock1.denselayer1.norm.1.weight" })
    #expect(try read(old).state.map(\.name) == own.map(\.name))
  }

  @Test func timmsNetworks() throws {
    let model = ModelConfiguration(name: "mobilenet_v2", stem: .imagenet, classes: 10)
    let own = try state(model)
    // The stages' numbers of blocks, as timm's configuration of the network has them.
    let stages = [1, 2, 3, 4, 3, 3, 1]
    var names: [String: String] = [
      "features.0.0": "conv_stem", "features.0.1": "bn1", "features.18.0": "conv_head",
      "features.18.1": "bn2", "classifier.1": "classifier",
    ]
    var block = 1
    for (stage, count) in stages.enumerated() {
      for index in 0..<count {
        let layers =
          stage == 0
          ? ["conv_dw", "bn1", "conv_pw", "bn2"] : ["conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"]
        let torchvision = stage == 0 ? ["0.0", "0.1", "1", "2"] : ["0.0", "0.1", "1.0", "1.1", "2", "3"]
        for (a, b) in zip(torchvision, layers) {
          names["features.\(block).conv.\(a)"] = "blocks.\(stage).\(index).\(b)"
        }
        block += 1
      }
    }
    var timm: StateDictionary = []
    for (name, value) in own {
      let parts = name.split(separator: ".")
      let layer = try #require(names[parts.dropLast().joined(separator: ".")])
      timm.append(("\(layer).\(parts[parts.count - 1])", value))
    }
    let checkpoint = try read(timm)
    #expect(checkpoint.state.map(\.name) == own.map(\.name))
    // A part of it, in which a stage has no beginning, keeps its names.
    let part = timm.filter { !$0.name.hasPrefix("blocks.1.0.conv_dw") }
    #expect(try read(part).state.map(\.name) == part.map(\.name))
    #expect(checkpoint.notes == ["names of timm: brought into OctNet's"])

    // Squeeze and excitation by 1×1 convolutions.
    let squeezing = ModelConfiguration(name: "seresnet50", alpha: 0, classes: 10)
    let gates = try state(squeezing)
    var convolutions: StateDictionary = []
    for (name, value) in gates {
      guard name.contains(".se.fc"), case .tensor(let matrix) = value, matrix.shape.count == 2 else {
        convolutions.append((name, value))
        continue
      }
      convolutions.append((name, .tensor(Tensor(shape: matrix.shape + [1, 1], values: matrix.values))))
    }
    let squeezed = try read(convolutions)
    #expect(squeezed.state.map(\.value) == gates.map(\.value))
  }

  /// OctNet's own files are taken as they are, and so are names that nobody else has.
  @Test func ownNamesStay() throws {
    let own = try state(ModelConfiguration(name: "resnet20", alpha: 0.5))
    let same = try read(own)
    #expect(same.notes.isEmpty && same.normalization == nil && same.state.map(\.name) == own.map(\.name))
  }

  @Test func otherFamiliesAreTold() throws {
    func cause(_ file: ModelConfiguration, _ network: ModelConfiguration) throws -> StateMismatch.Cause? {
      let message = try #require(error { try network.makeNetwork().loadUnwrapped(state(file)) })
      guard case .stateDictionary(let mismatch) = message else { return nil }
      #expect(!mismatch.description.contains("\n"))
      return mismatch.cause
    }
    func model(_ name: String, _ alpha: Double = 0, width: Double? = nil, classes: Int = 10)
      -> ModelConfiguration
    {
      var model = ModelConfiguration(name: name, alpha: alpha, stem: .cifar, classes: classes)
      model.widthMultiplier = width
      return model
    }
    #expect(
      try cause(model("densenet121", 0.25), model("resnet20"))
        == .architecture(
          found: ["densenet121", "α = 0.25"], expected: ["resnet20", "α = 0"],
          settings: [.init("name", "densenet121"), .init("alpha", "0.25")]))
    #expect(
      try cause(model("resnet20"), model("mobilenet_v1"))
        == .architecture(
          found: ["resnet20"], expected: ["mobilenet_v1"], settings: [.init("name", "resnet20")]))
    #expect(
      try cause(model("mobilenet_v1", 0.5, width: 0.75), model("mobilenet_v1", 0.25))
        == .architecture(
          found: ["α = 0.5", "width 0.75"], expected: ["α = 0.25"],
          settings: [.init("alpha", "0.5"), .init("widthMultiplier", "0.75")]))
    #expect(
      try cause(model("mobilenet_v2", 0.375), model("densenet121", 0.375))
        == .architecture(
          found: ["mobilenet_v2"], expected: ["densenet121"], settings: [.init("name", "mobilenet_v2")]))
    #expect(
      try cause(model("mobilenet_v2", classes: 1000), model("mobilenet_v2"))
        == .architecture(
          found: ["1000 classes"], expected: ["10 classes"], settings: [.init("classes", "1000")]))
  }
}
