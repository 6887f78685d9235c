import Foundation
import Testing

import OctNet
@testable import OctNetModels

/// Residual networks beyond ResNets against PyTorch in float64, as in `NetworkFixtureTests`, with a block or two a stage:
/// at α = 0 ResNeXt and the wide ResNet are torchvision's own classes. Some make ten training steps.
@Suite(.serialized) struct FamilyFixtureTests {
  /// The numbers of each block of a case's network.
  private struct Blocks: Decodable {
    let blocks: [Int]
  }

  private static let fixture = Result { try Fixture("families.safetensors") }
  private static func cases<Case: Decodable>() throws -> [Case] { try fixture.get().list("cases") }
  private static let count = 29

  @Test func everyCaseIsThere() throws {
    let cases: [NetworkFixtureTests.Case] = try Self.cases()
    #expect(cases.count == Self.count)
    #expect(cases.filter { $0.rate != nil }.count == 7)
  }

  @Test(arguments: 0..<count)
  func agreesWithPyTorch(index: Int) throws {
    let fixture = try Self.fixture.get()
    let all: [NetworkFixtureTests.Case] = try Self.cases()
    let blocks: [Blocks] = try Self.cases()
    let settings = all[index]
    let label =
      "\(settings.name) alpha \(settings.alpha) \(settings.stem) \(settings.variant) "
      + "\(settings.downsampling) \(settings.height)×\(settings.width)"
    let layer = try Self.network(settings, blocks: blocks[index].blocks)
    let network = try Network(
      inputShape: MapShape(height: settings.height, width: settings.width, channels: 3), seed: 0
    ) { try layer($0) }
    try NetworkFixtureTests.expect(network, settings, fixture, prefix: "\(index)/", label)
    if let rate = settings.rate {
      try NetworkFixtureTests.expectTenSteps(
        network, settings, rate, fixture.floats("\(index)/steps"), label)
    }
  }

  private static func network(_ settings: NetworkFixtureTests.Case, blocks: [Int]) throws -> any Layer {
    var shape: ResidualShape
    switch settings.name {
    case "resnet", "resnetv2": shape = ResidualShape(.resnet50)
    case "resnext", "resnextv2": shape = ResidualShape(.resnet50, width: 128, groups: 32)
    case "seresnet", "seresnetv2": shape = ResidualShape(.resnet50, squeezes: true)
    case "wide_resnet": shape = ResidualShape(.resnet50, width: 128)
    default:
      try #require(settings.name == "wrn")
      shape = ResidualShape(wideDepth: 10, factor: 2)
    }
    shape.blocks = blocks
    let activation: any Layer = settings.activation == "silu" ? SiLU() : ReLU()
    if settings.name.hasSuffix("v2") || settings.name == "wrn" {
      var network = PreActivationResNet(shape, settings.model)
      network.activation = activation
      return network
    }
    var network = ResNet(shape, settings.model)
    network.activation = activation
    return network
  }
}
