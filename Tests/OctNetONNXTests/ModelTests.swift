import Foundation
import RandomNetworks
import Testing

import OctNet
@testable import OctNetONNX

/// The model around the nodes: inputs, outputs, names, norms in convolutions, the file.
struct ModelTests {
  private func resnet(_ alpha: Double, height: Int = 32, width: Int = 32) throws -> Network {
    let network = try ModelConfiguration(
      name: "resnet20", alpha: alpha, classes: 7, inputHeight: height, inputWidth: width
    ).makeNetwork(seed: 2)
    var stream = RandomStream(seed: 1, "norms")
    network.scatterNorms(&stream)
    return network
  }

  @Test func inputAndOutput() throws {
    let model = try ReadModel(ONNXModel(resnet(0.5, height: 33, width: 20)))
    #expect(model.proto.graph.input.map(ReadModel.description) == ["image 1 [batch, 3, 33, 20]"])
    #expect(model.proto.graph.output.map(ReadModel.description) == ["logits 1 [batch, 7]"])
    #expect(model.proto.opsetImport.map(\.version) == [17] && model.proto.irVersion == 8)
    #expect(model.proto.producerName == "OctNet")
  }

  @Test func everyTensorHasOneNameAndComesBeforeItsReaders() throws {
    for seed in 0..<UInt64(100) {
      let model = try ReadModel(
        ONNXModel(RandomNetwork(seed: seed).make(), norms: seed % 2 == 0 ? .folded : .kept))
      let constants = model.proto.graph.initializer.map(\.name)
      var known = Set(constants + ["image"])
      #expect(known.count == constants.count + 1, "seed \(seed)")
      for node in model.nodes {
        #expect(node.input.allSatisfy { $0.isEmpty || known.contains($0) }, "seed \(seed): \(node.name)")
        for output in node.output { #expect(known.insert(output).inserted, "seed \(seed): \(output)") }
      }
      #expect(Set(model.nodes.map(\.name)).count == model.nodes.count, "seed \(seed)")
      #expect(known.contains("logits"))
    }
  }

  @Test func bytesAreNormalisedInside() throws {
    let normalization = Normalization(mean: [0.1, 0.2, 0.3], std: [0.4, 0.5, 0.6])
    let model = try ReadModel(ONNXModel(resnet(0), input: .bytes(normalization)))
    #expect(model.proto.graph.input.map(ReadModel.description) == ["image 2 [batch, 3, 32, 32]"])
    #expect(model.kinds.prefix(4) == ["Cast", "Div", "Sub", "Div"])
    #expect(model.nodes[0].int("to") == 1)
    #expect(try model.floats(model.nodes[1].input[1]) == [255])
    #expect(try model.floats(model.nodes[2].input[1]) == normalization.mean)
    #expect(try model.floats(model.nodes[3].input[1]) == normalization.std)
    #expect(try model.constant(model.nodes[3].input[1]).dims == [3, 1, 1])
    #expect(try model.node("conv1").input[0] == model.nodes[3].output[0])
    let gray = Normalization(mean: [0.1], std: [0.4])
    #expect(throws: OctNetError.self) { try ONNXModel(resnet(0), input: .bytes(gray)) }
  }

  // MARK: Norms

  /// scale · conv + shift, in the numbers.
  @Test func aNormGoesIntoItsConvolution() throws {
    let network = try resnet(0)
    let model = try ReadModel(ONNXModel(network))
    #expect(!model.kinds.contains("BatchNormalization"))
    let weight = try network.parameter("conv1.weight").values
    let (gamma, beta) = (
      try network.parameter("bn1.weight").values, try network.parameter("bn1.bias").values
    )
    let (mean, variance) = (
      try network.buffer("bn1.running_mean").values, try network.buffer("bn1.running_var").values
    )
    let (found, shift) = (try model.floats("conv1.weight"), try model.floats("conv1.bias"))
    for channel in 0..<16 {
      let scale = gamma[channel] / (variance[channel] + 1e-5).squareRoot()
      #expect(abs(shift[channel] - (beta[channel] - scale * mean[channel])) < 1e-5)
      for index in channel * 27..<channel * 27 + 27 {
        #expect(abs(found[index] - scale * weight[index]) <= 1e-6 * abs(found[index]))
      }
    }
  }

  /// Through the sum of an octave convolution and its upsampling; a shift comes once.
  @Test func aNormGoesIntoBothPathsOfAnOctaveConvolution() throws {
    let folded = try ReadModel(ONNXModel(resnet(0.5)))
    #expect(!folded.kinds.contains("BatchNormalization"))
    let kept = try ReadModel(ONNXModel(resnet(0.5), norms: .kept))
    #expect(kept.kinds.filter { $0 == "BatchNormalization" }.count > 30)
    let convolutions = { (model: ReadModel) in model.nodes.filter { $0.opType == "Conv" } }
    #expect(convolutions(folded).count == convolutions(kept).count)
    #expect(convolutions(kept).allSatisfy { $0.input.count == 2 })
    let names = convolutions(folded).map(\.name)
    let (first, second) = (
      try #require(names.first { $0.hasPrefix("layer1.1.conv1") && $0.hasSuffix("h2h") }),
      try #require(names.first { $0.hasPrefix("layer1.1.conv1") && $0.hasSuffix("l2h") })
    )
    #expect(try folded.node(first).input.count + folded.node(second).input.count == 5)
  }

  /// Where something else reads the convolution, or reads it as an output, the norm is a node.
  @Test func aNormBehindASharedMapIsANode() throws {
    let shape = MapShape(height: 4, width: 4, channels: 2)
    let shared = try ReadModel(shape) { x in
      let map = try Conv2d("conv", inputChannels: 2, outputChannels: 2, kernelSize: 1)(x)
      return try BatchNorm2d("norm", channels: 2)(map) + map
    }
    #expect(shared.kinds == ["Conv", "BatchNormalization", "Add"])
    let published = try ReadModel(ONNXModel(resnet(0), layers: ["conv1"]))
    #expect(published.kinds.filter { $0 == "BatchNormalization" }.count == 1)
  }

  // MARK: Outputs

  @Test func layersAsOutputs() throws {
    let network = try resnet(0.5)
    let model = try ONNXModel(network, layers: ["layer1", "layer2.0", "layer3", "conv1"])
    #expect(
      model.outputs.map(\.name)
        == ["logits", "layer1.high", "layer1.low", "layer2.0.high", "layer2.0.low", "layer3", "conv1"])
    #expect(model.outputs[1].shape == [8, 32, 32] && model.outputs[2].shape == [8, 16, 16])
    #expect(model.outputs[5].shape == [64, 8, 8])
    let read = try ReadModel(model)
    #expect(read.proto.graph.output.map(\.name) == model.outputs.map(\.name))
    for output in model.outputs {
      #expect(read.nodes.filter { $0.output == [output.name] }.count == 1, "\(output.name)")
    }
  }

  @Test func theSameMapUnderTwoNamesIsCopied() throws {
    let read = try ReadModel(ONNXModel(resnet(0), layers: ["layer3", "layer3.2", "fc"]))
    #expect(read.proto.graph.output.map(\.name) == ["logits", "layer3", "layer3.2", "fc"])
    #expect(read.kinds.filter { $0 == "Identity" }.count == 1)
    expectWired(read)
    // The logits as a map, and others beside them.
    for layers in [["fc"], ["fc", "layer3"], ["layer3", "fc"]] {
      let read = try ReadModel(ONNXModel(resnet(0.25), layers: layers))
      #expect(read.proto.graph.output.map(\.name).contains("fc"))
      expectWired(read)
    }
  }

  /// Every tensor is made before it is read, and every output is made.
  private func expectWired(_ model: ReadModel) {
    let graph = model.proto.graph
    var known = Set(graph.input.map(\.name) + graph.initializer.map(\.name))
    for node in graph.node {
      #expect(known.isSuperset(of: node.input.filter { !$0.isEmpty }), "\(node.name) reads \(node.input)")
      for output in node.output { #expect(known.insert(output).inserted, "\(output) is made twice") }
    }
    #expect(known.isSuperset(of: graph.output.map(\.name)))
  }

  /// A layer that merges the octaves gives one map; the average of what it reads is shared, and not its own.
  @Test(arguments: [("resnet50", "layer4.0.conv1"), ("resnet18", "layer4.0.conv1")])
  func theSharedAverageIsNoOutput(name: String, layer: String) throws {
    let network = try ModelConfiguration(
      name: name, alpha: 0.25, stem: .imagenet, classes: 5, inputHeight: 64, inputWidth: 64
    ).makeNetwork(seed: 1)
    let model = try ONNXModel(network, layers: [layer, "layer2.0.conv1"])
    #expect(
      model.outputs.map(\.name)
        == ["logits", layer, "layer2.0.conv1.high", "layer2.0.conv1.low"])
  }

  @Test func namesOfTheNetwork() throws {
    let shape = MapShape(height: 4, width: 4, channels: 2)
    let network = try Network(inputShape: shape, seed: 1) { x in
      let map = try Conv2d("conv", inputChannels: 2, outputChannels: 2, kernelSize: 1)(x)
      return [("mask", try Sigmoid()(map)), ("features", map)]
    }
    let model = try ReadModel(ONNXModel(network))
    #expect(
      model.proto.graph.output.map(ReadModel.description)
        == ["mask 1 [batch, 2, 4, 4]", "features 1 [batch, 2, 4, 4]"])
    #expect(try model.node("sigmoid").input == ["features"])
  }

  @Test(arguments: [
    (["layer9"], "the network has no layer layer9; it has conv1, bn1, layer1, layer2, layer3, fc"),
    (["layer1", "layer1"], "two outputs are called layer1"),
  ])
  func wrongLayers(layers: [String], problem: String) throws {
    let network = try resnet(0)
    #expect(throws: OctNetError.configuration(key: "outputs", problem)) {
      try ONNXModel(network, layers: layers)
    }
  }

  // MARK: Files

  @Test func theSameNetworkGivesTheSameBytes() throws {
    let metadata = ["b": "2", "a": "1", "c": "3", "d": "4", "e": "5"]
    let all = try (0..<3).map { _ in
      try ONNXModel(resnet(0.25), layers: ["layer1"], metadata: metadata).serialized()
    }
    #expect(all[0] == all[1] && all[1] == all[2])
  }

  @Test func aFileThatCannotBeWrittenLeavesWhatWasThere() throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent("onnx-" + UUID().uuidString)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    let path = directory.appendingPathComponent("model.onnx").path
    let model = try ONNXModel(resnet(0))
    try model.write(to: path)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data(model.serialized()))
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == ["model.onnx"])
    #expect(throws: OctNetError.self) { try model.write(to: directory.path + "/none/model.onnx") }
  }

  @Test func whatTheCheckpointSays() throws {
    let network = try resnet(0)
    let checkpoint = Checkpoint(
      model: ModelConfiguration(name: "resnet20"), classNames: ["cat", "dog"], normalization: .cifar10,
      state: network.stateDictionary())
    let model = try ReadModel(ONNXModel(network, metadata: ONNXModel.metadata(of: checkpoint)))
    let entries = Dictionary(uniqueKeysWithValues: model.proto.metadataProps.map { ($0.key, $0.value) })
    #expect(entries["octnet.class_names"] == #"["cat","dog"]"#)
    #expect(entries["octnet.model"]?.contains("resnet20") == true)
    #expect(entries["octnet.normalization"]?.contains("mean") == true)
    #expect(model.proto.metadataProps.map(\.key) == entries.keys.sorted())
  }
}
