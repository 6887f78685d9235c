import Foundation
import Testing

import OctNet
@testable import OctNetModels

/// DenseNets and MobileNets against PyTorch in float64, as in `NetworkFixtureTests`; at α = 0 DenseNets and MobileNet v2 are
/// torchvision's own. DenseNets are shallow and narrow. Gradients and ten training steps are of networks with SiLU: in so many
/// layers some ReLU's input is always so near zero that rounding flips it. Networks with their own activations agree in logits,
/// statistics and loss.
@Suite(.serialized) struct MobileFixtureTests {
  /// The numbers of a case's DenseNet.
  private struct Dense: Decodable {
    let blocks: [Int]?
    let growth, channels: Int?
  }

  private static let fixture = Result { try Fixture("mobile.safetensors") }
  private static func cases<Case: Decodable>() throws -> [Case] { try fixture.get().list("cases") }
  private static let count = 18

  @Test func everyCaseIsThere() throws {
    let cases: [NetworkFixtureTests.Case] = try Self.cases()
    #expect(cases.count == Self.count)
    #expect(cases.filter { $0.rate != nil }.count == 8)
    #expect(cases.filter { $0.activation == "silu" }.count == 12)
  }

  @Test(arguments: 0..<count)
  func agreesWithPyTorch(index: Int) throws {
    let fixture = try Self.fixture.get()
    let all: [NetworkFixtureTests.Case] = try Self.cases()
    let dense: [Dense] = try Self.cases()
    let settings = all[index]
    let label =
      "\(settings.name) alpha \(settings.alpha) \(settings.stem) \(settings.activation) "
      + "\(settings.height)×\(settings.width)"
    let layer = try Self.network(settings, dense[index])
    let network = try Network(
      inputShape: MapShape(height: settings.height, width: settings.width, channels: 3), seed: 0
    ) { try layer($0) }
    try NetworkFixtureTests.expect(network, settings, fixture, prefix: "\(index)/", label)
    if let rate = settings.rate {
      try NetworkFixtureTests.expectTenSteps(
        network, settings, rate, fixture.floats("\(index)/steps"), label)
    }
  }

  private static func network(_ settings: NetworkFixtureTests.Case, _ dense: Dense) throws -> any Layer {
    let isSmooth = settings.activation == "silu"
    switch settings.name {
    case "densenet121":
      let shape = try DenseShape(
        blocks: #require(dense.blocks), growth: #require(dense.growth), stemChannels: #require(dense.channels)
      )
      var network = DenseNet(shape, settings.model)
      if isSmooth { network.activation = SiLU() }
      return network
    case "mobilenet_v1":
      var network = MobileNetV1(settings.model)
      if isSmooth { network.activation = SiLU() }
      return network
    default:
      try #require(settings.name == "mobilenet_v2")
      var network = MobileNetV2(settings.model)
      if isSmooth { network.activation = SiLU() }
      return network
    }
  }

  /// Numbers above six are rare in the cases above.
  @Test(arguments: [0, 0.5]) func theSecondMobileNetIsBounded(alpha: Double) throws {
    let configuration = ModelConfiguration(
      name: "mobilenet_v2", alpha: alpha, widthMultiplier: 0.5, stem: .cifar, classes: 10, inputHeight: 32,
      inputWidth: 32)
    func logits(_ activation: (any Layer)?) throws -> [Float] {
      var layer = MobileNetV2(configuration)
      if let activation { layer.activation = activation }
      let network = try Network(inputShape: MapShape(height: 32, width: 32, channels: 3), seed: 0) {
        try layer($0)
      }
      try network.loadHashState()
      let session = try InferenceSession(network: network, batchSize: 2, threads: 2)
      let images = HashTensor.images("input", count: 2, shape: [3, 32, 32]).map { $0 * 1000 }
      return Array(session.logits(images: images, count: 2))
    }
    let own = try logits(nil), differs = try logits(ReLU()) != own
    #expect(try logits(ReLU6()) == own)
    #expect(differs)
  }
}
