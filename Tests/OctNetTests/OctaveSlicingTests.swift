import Testing

import OctNet
@testable import OctNetCheckpoint
@testable import OctNetSupport

/// Ordinary weights cut into octaves, and joined again.
@Suite struct OctaveSlicingTests {
  /// Everything that slicing has to follow: groups, squeeze and excitation, a concatenation, a merging convolution, ε.
  private struct Small: Layer {
    let name = ""
    var alpha = 0.0
    var kernel = 1
    var stride = 1
    var epsilon: Float = 1e-5
    var lowToHigh = true

    private var keys: OctaveKeys { alpha == 0 ? .plain : .octave }

    private func conv(
      _ name: String, _ inputs: Int, _ outputs: Int, _ alphaIn: Double, _ alphaOut: Double, groups: Int = 1,
      kernel: Int = 1, stride: Int = 1
    ) -> OctConv2d {
      OctConv2d(
        name, inputChannels: inputs, outputChannels: outputs, kernelSize: kernel, stride: stride,
        padding: kernel / 2, groups: groups, alphaIn: alphaIn, alphaOut: alphaOut, lowToHigh: lowToHigh,
        downsampling: alpha == 0 ? .strided : .average, keys: keys)
    }

    func forward(_ x: OctFeature) throws -> OctFeature {
      func norm(_ name: String, _ x: OctFeature) throws -> OctFeature {
        let ratio = Double(x.lowChannels) / Double(x.channels)
        return try ReLU()(
          BatchNorm2d(name, channels: x.channels, alpha: ratio, epsilon: epsilon, keys: keys)(x))
      }
      let a = try norm("an", conv("a", 6, 16, 0, alpha)(x))
      let b = try norm("bn", conv("b", 16, 16, alpha, alpha, kernel: kernel, stride: stride)(a))
      let g = try norm("gn", conv("g", 16, 16, alpha, alpha, groups: 4, kernel: kernel)(b))
      let s = try SqueezeExcite("se", squeezedChannels: 3)(g)
      let d = try norm("dn", conv("d", 16, 16, alpha, alpha, groups: 16, kernel: kernel)(s))
      let all = try norm("cn", concatenated([b, d + s, g]))
      let y = try conv("m", 48, 8, alpha, 0)(all)
      return try Linear("fc", inputChannels: 8, outputChannels: 5)(GlobalAvgPool()(y))
    }
  }

  private func graph(_ layer: Small, size: Int) throws -> Graph {
    try Graph(inputShape: MapShape(height: size, width: size, channels: 6)) { try layer($0) }
  }

  /// Numbers as those of a network that was trained: no norm is the identity.
  private func weights(of graph: Graph, seed: UInt64 = 1) -> StateDictionary {
    var stream = RandomStream(seed: seed, "weights")
    return StateFitting.slots(of: graph).map { slot in
      if slot.isCounter { return (slot.name, .counter(7)) }
      let isPositive =
        slot.name.hasSuffix("running_var") || (slot.shape.count == 1 && slot.name.hasSuffix("weight"))
      let inputs = Float(slot.shape.dropFirst().reduce(1, *))
      let values = (0..<slot.shape.reduce(1, *)).map { _ -> Float in
        let value = Float(stream.index(below: 20_001)) / 10_000 - 1
        return isPositive
          ? 1 + value / 2 : slot.shape.count == 1 ? value / 2 : 2 * value / inputs.squareRoot()
      }
      return (slot.name, .tensor(Tensor(shape: slot.shape, values: values)))
    }
  }

  private func logits(_ graph: Graph, _ state: StateDictionary, _ image: [Float]) throws -> [Float] {
    let network = Network(graph: graph, seed: 1)
    try network.load(state)
    let session = try InferenceSession(InferenceModel(network, batchSize: 1, threads: 1))
    return try session.logits(images: image)
  }

  private func expectEqual(_ a: [Float], _ b: [Float], _ comment: Comment) {
    let scale = a.map(\.magnitude).max() ?? 0
    #expect(scale > 0.01 && a.count == b.count, comment)
    for (a, b) in zip(a, b) { #expect((a - b).magnitude <= 2e-4 * max(scale, 1), comment) }
  }

  private func expectEqual(_ a: StateDictionary, _ b: StateDictionary) {
    #expect(a.map(\.name) == b.map(\.name))
    for (a, b) in zip(a, b) where a.value != b.value { Issue.record("\(a.name) differs") }
  }

  /// On constant maps of any size, with strides, the octave network gives what the ordinary one gives.
  @Test(arguments: [(0.25, 1, 1), (0.5, 1, 5), (0.75, 2, 6), (0.5, 2, 7)])
  func constantMapsKeepTheirLogits(alpha: Double, stride: Int, size: Int) throws {
    let ordinary = try graph(Small(stride: stride), size: size)
    let octave = try graph(Small(alpha: alpha, stride: stride, epsilon: 0.05), size: size)
    let state = weights(of: ordinary)
    let image = (0..<size * size).flatMap { _ in [0.3, -0.8, 0.5, 1, -0.2, 0.7] as [Float] }
    let sliced = try OctaveSlicing(ordinary: ordinary, octave: octave).sliced(state)
    expectEqual(try logits(ordinary, state, image), try logits(octave, sliced, image), "α = \(alpha)")
  }

  /// The networks of the table on an image of one pixel, on which all maps are constant, border or not.
  @Test(arguments: [
    ModelConfiguration(name: "resnet20", alpha: 0.5),
    ModelConfiguration(name: "resnet20", alpha: 0.25, variant: .seed),
    ModelConfiguration(name: "resnet18", alpha: 0.125, stem: .cifar, downsampling: .strided),
    ModelConfiguration(name: "wrn16_4", alpha: 0.5),
    ModelConfiguration(name: "mobilenet_v1", alpha: 0.5, widthMultiplier: 0.25),
    ModelConfiguration(name: "mobilenet_v2", alpha: 0.375, widthMultiplier: 0.25),
  ])
  func networksOfTheTableKeepTheirLogits(model: ModelConfiguration) throws {
    var octave = model
    octave.inputHeight = 1
    octave.inputWidth = 1
    var plain = octave
    plain.alpha = 0
    plain.downsampling = .strided
    let (ordinary, cut) = (try plain.makeGraph(), try octave.makeGraph())
    let state = weights(of: ordinary)
    let slicing = try OctaveSlicing(ordinary: ordinary, octave: cut)
    let sliced = try slicing.sliced(state)
    expectEqual(
      try logits(ordinary, state, [0.3, -0.8, 0.5]), try logits(cut, sliced, [0.3, -0.8, 0.5]),
      "\(model.name)")
    expectEqual(try slicing.joined(sliced), state)
    let added = ["resnet20": "layer1.0.downsample.0.conv", "mobilenet_v2": "features.1.conv.0.conv"]
    #expect(
      slicing.identities.first
        == (model.name == "resnet18" ? "layer1.0.downsample.0.conv" : added[model.name]))
  }

  /// By structure alone: every weight has its place.
  @Test func everyNetworkOfTheTableIsCut() throws {
    for known in NamedModel.all
    where !["resnet200", "resnet200v2", "resnet152", "resnet152v2"].contains(known.name) {
      let alpha = known.alphas.contains(0.125) ? 0.125 : 0.25
      let octave = try ModelConfiguration(name: known.name, alpha: alpha).makeGraph()
      let ordinary = try ModelConfiguration(name: known.name).makeGraph()
      let slicing = try OctaveSlicing(ordinary: ordinary, octave: octave)
      #expect(slicing.leftOut == 0, "\(known.name)")
      #expect(slicing.identities.count <= 2, "\(known.name): \(slicing.identities)")
    }
  }

  @Test(arguments: [0.25, 0.5]) func joiningIsTheInverse(alpha: Double) throws {
    let ordinary = try graph(Small(kernel: 3), size: 8)
    let octave = try graph(Small(alpha: alpha, kernel: 3), size: 8)
    let slicing = try OctaveSlicing(ordinary: ordinary, octave: octave)
    let state = weights(of: ordinary)
    let sliced = try slicing.sliced(state)
    expectEqual(try slicing.joined(sliced), state)
    // And the other way round, for weights that were trained.
    let trained = weights(of: octave, seed: 2)
    expectEqual(try slicing.sliced(try slicing.joined(trained)), trained)
    // Each number has its place: none is lost, none is there twice.
    func sorted(_ state: StateDictionary) -> [Float] {
      state.flatMap { entry -> [Float] in
        guard case .tensor(let tensor) = entry.value else { return [] }
        return tensor.values
      }.sorted()
    }
    #expect(sorted(sliced) == sorted(state))
  }

  /// Where paths are switched off, some layers are read by nobody, and have weights all the same.
  @Test(arguments: [(false, true), (true, false), (false, false)])
  func networksWithoutPathsLoadWhatIsMade(lowToHigh: Bool, highToLow: Bool) throws {
    let plain = ModelConfiguration(name: "resnet20")
    var octave = ModelConfiguration(name: "resnet20", alpha: 0.5)
    (octave.lowToHigh, octave.highToLow) = (lowToHigh, highToLow)
    let ordinary = Checkpoint(model: plain, state: try plain.makeNetwork(seed: 3).stateDictionary())
    let (made, notes) = try ordinary.converted(from: plain, to: octave)
    #expect(notes.contains { $0.hasSuffix("of paths that are switched off left out") })
    let network = try made.makeNetwork()
    let session = try InferenceSession(network: network, batchSize: 1, threads: 1)
    let logits = try session.logits(images: [Float](repeating: 0.5, count: network.inputShape.count))
    #expect(logits.allSatisfy(\.isFinite) && Set(logits).count > 1)
  }

  /// Another width is another network, whether there is something to cut or not.
  @Test(arguments: [0, 0.5]) func anotherWidthIsRefused(alpha: Double) throws {
    let narrow = ModelConfiguration(name: "mobilenet_v2", widthMultiplier: 0.5)
    var wide = ModelConfiguration(name: "mobilenet_v2", alpha: alpha)
    wide.widthMultiplier = 1
    let checkpoint = Checkpoint(model: narrow, state: try narrow.makeNetwork(seed: 1).stateDictionary())
    #expect(throws: OctNetError.self) { _ = try checkpoint.converted(from: narrow, to: wide) }
  }

  @Test func whatHasNoWayBackIsRefused() throws {
    let plain = ModelConfiguration(name: "resnet20"),
      octave = ModelConfiguration(name: "resnet20", alpha: 0.5)
    let (ordinary, cut) = (try plain.makeGraph(), try octave.makeGraph())
    let slicing = try OctaveSlicing(ordinary: ordinary, octave: cut)
    #expect {
      _ = try slicing.joined(weights(of: cut))
    } throws: {
      "\($0)".hasPrefix("layer1.0.downsample.0.conv.conv_h2l.weight: was trained")
    }
    var one = octave
    one.lowToHigh = false
    let without = try OctaveSlicing(ordinary: ordinary, octave: try one.makeGraph())
    #expect(without.leftOut > 0)
    #expect(throws: OctNetError.self) { _ = try without.joined(try without.sliced(weights(of: ordinary))) }
    #expect(throws: OctNetError.self) { _ = try slicing.sliced(weights(of: cut)) }
    #expect(throws: OctNetError.self) {
      _ = try OctaveSlicing(ordinary: try ModelConfiguration(name: "resnet32").makeGraph(), octave: cut)
    }
  }
}
