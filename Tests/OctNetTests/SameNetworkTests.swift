import Testing

import OctNet

@testable import OctNetCore

/// Which settings make another network.
struct SameNetworkTests {
  private func isSame(_ model: String, alpha: Double = 0.5, _ a: Change, _ b: Change) throws -> Bool {
    func graph(_ change: Change) throws -> Graph {
      var configuration = ModelConfiguration(name: model, alpha: alpha)
      change(&configuration)
      return try configuration.makeGraph()
    }
    return try graph(a).isSameNetwork(as: graph(b))
  }

  private typealias Change = (inout ModelConfiguration) -> Void

  private static func exchange(_ lowToHigh: Bool, _ highToLow: Bool, _ keepsMerging: Bool? = nil) -> Change {
    { model in
      (model.lowToHigh, model.highToLow) = (lowToHigh, highToLow)
      model.keepsMerging = keepsMerging
    }
  }

  @Test(arguments: [Variant.paper, .seed])
  func pathsOfAResNet(variant: Variant) throws {
    let exchanges = [
      Self.exchange(true, true), Self.exchange(true, false), Self.exchange(false, true),
      Self.exchange(false, true, true), Self.exchange(false, false, true),
    ]
    let changes = exchanges.map { exchange -> Change in
      { model in
        model.variant = variant
        exchange(&model)
      }
    }
    for (index, a) in changes.enumerated() {
      for (other, b) in changes.enumerated() {
        #expect(try isSame("resnet20", a, b) == (index == other), "\(index) \(other)")
      }
    }
    // Nothing of the low maps reaches the output, whatever reaches them.
    #expect(try isSame("resnet20", Self.exchange(false, true), Self.exchange(false, false)))
  }

  /// MobileNetV2's octaves merge in every block and exchange nothing inside.
  @Test func exchangeOnlyWhereOctavesMerge() throws {
    #expect(try isSame("mobilenet_v2", Self.exchange(true, true), Self.exchange(false, false, true)))
    #expect(try !isSame("mobilenet_v2", Self.exchange(true, true), Self.exchange(false, false)))
  }

  @Test func downsamplingAndAlpha() throws {
    #expect(try !isSame("resnet20", alpha: 0, { $0.downsampling = .average }, { $0.downsampling = .strided }))
    // DenseNets have pools of their own between their blocks.
    #expect(
      try isSame("densenet121", alpha: 0, { $0.downsampling = .average }, { $0.downsampling = .strided }))
    #expect(try !isSame("resnet20", { $0.alpha = 0.25 }, { $0.alpha = 0.5 }))
    #expect(try !isSame("resnet20", { $0.classes = 3 }, { _ in }))
  }

  @Test func mergingIsOnlyForWhatLeavesThePathOut() throws {
    var model = ModelConfiguration(name: "resnet20", alpha: 0.5)
    model.keepsMerging = true
    let refused = error { try model.makeGraph() }
    #expect(
      "\(try #require(refused))".hasPrefix(
        "keepsMerging: found true, expected it only where lowToHigh is false"))
  }
}
