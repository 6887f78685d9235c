import Testing

import OctNet
@testable import OctNetCore

@Suite struct LayerTests {
  private func graph(
    _ height: Int, _ width: Int, _ channels: Int, _ body: (OctFeature) throws -> OctFeature
  ) throws -> Graph {
    try Graph(inputShape: MapShape(height: height, width: width, channels: channels), body: body)
  }

  private func first(_ alpha: Double) -> OctConv2d {
    OctConv2d(
      "first", inputChannels: 3, outputChannels: 10, kernelSize: 3, padding: 1, alphaIn: 0, alphaOut: alpha)
  }

  @Test(arguments: [0.0, 0.125, 0.3, 0.5, 0.75, 1.0], [(8, 8), (7, 5), (1, 1), (9, 2)])
  func octaveShapes(alpha: Double, size: (Int, Int)) throws {
    var seen: OctFeature?
    _ = try graph(size.0, size.1, 3) { x in
      let y = try first(alpha)(x)
      seen = y
      return try OctConv2d(
        "last", inputChannels: 10, outputChannels: 4, kernelSize: 1, alphaIn: alpha, alphaOut: 0)(y)
    }
    let low = Int(alpha * 10)
    #expect(seen?.lowChannels == low)
    #expect(seen?.highChannels == 10 - low)
    if low > 0 {
      #expect(
        seen?.low?.shape
          == MapShape(height: (size.0 + 1) / 2, width: (size.1 + 1) / 2, channels: low))
    }
  }

  @Test(arguments: [-0.1, 1.5, .nan, .infinity, 1e300]) func sharesOutsideAreRefused(alpha: Double) throws {
    let layers: [any Layer] = [
      OctConv2d("l", inputChannels: 3, outputChannels: 4, kernelSize: 1, alphaIn: alpha, alphaOut: 0),
      OctConv2d("l", inputChannels: 3, outputChannels: 4, kernelSize: 1, alphaIn: 0, alphaOut: alpha),
      OctConvTranspose2d("l", inputChannels: 3, outputChannels: 4, kernelSize: 2, alphaIn: alpha),
      OctConvTranspose2d("l", inputChannels: 3, outputChannels: 4, kernelSize: 2, alphaOut: alpha),
      BatchNorm2d("l", channels: 3, alpha: alpha), GroupNorm("l", groups: 1, channels: 3, alpha: alpha),
    ]
    for layer in layers {
      do {
        _ = try graph(4, 4, 3) { try layer($0) }
        Issue.record("\(layer) is taken")
      } catch let error as OctNetError {
        #expect(error.description.contains("in 0 … 1, found \(alpha)"), "\(error)")
      }
    }
  }

  @Test(arguments: Variant.allCases, Downsampling.allCases)
  func strideTwoHalvesBothMapsRoundedUp(variant: Variant, downsampling: Downsampling) throws {
    for (height, width) in [(8, 8), (7, 5), (9, 6), (2, 1)] {
      var seen: OctFeature?
      _ = try graph(height, width, 3) { x in
        let y = try OctConv2d(
          "second", inputChannels: 10, outputChannels: 8, kernelSize: 3, stride: 2, padding: 1, alphaIn: 0.5,
          alphaOut: 0.5, variant: variant, downsampling: downsampling)(first(0.5)(x))
        seen = y
        return try OctConv2d(
          "last", inputChannels: 8, outputChannels: 4, kernelSize: 1, alphaIn: 0.5, alphaOut: 0)(y)
      }
      let half = ((height + 1) / 2, (width + 1) / 2)
      #expect(seen?.high?.shape == MapShape(height: half.0, width: half.1, channels: 4))
      #expect(
        seen?.low?.shape == MapShape(height: (half.0 + 1) / 2, width: (half.1 + 1) / 2, channels: 4))
    }
  }

  @Test func aSwitchedOffPathHasNoWeights() throws {
    func names(lowToHigh: Bool, highToLow: Bool) throws -> [String] {
      try graph(8, 8, 3) { x in
        let middle = OctConv2d(
          "middle", inputChannels: 10, outputChannels: 10, kernelSize: 3, padding: 1, alphaIn: 0.5,
          alphaOut: 0.5, lowToHigh: lowToHigh, highToLow: highToLow)
        let last = OctConv2d(
          "last", inputChannels: 10, outputChannels: 4, kernelSize: 1, alphaIn: 0.5, alphaOut: 0)
        return try last(middle(first(0.5)(x)))
      }.parameters.map(\.name).filter { $0.hasPrefix("middle") }
    }
    func keys(_ paths: String...) -> [String] { paths.map { "middle.conv_\($0).weight" } }
    #expect(try names(lowToHigh: true, highToLow: true) == keys("l2l", "l2h", "h2l", "h2h"))
    #expect(try names(lowToHigh: false, highToLow: true) == keys("l2l", "h2l", "h2h"))
    #expect(try names(lowToHigh: true, highToLow: false) == keys("l2l", "l2h", "h2h"))
    #expect(try names(lowToHigh: false, highToLow: false) == keys("l2l", "h2h"))
  }

  @Test func theOnlySourceOfAMapIsNeverRemoved() throws {
    let parameters = try graph(8, 8, 3) { x in
      let y = try OctConv2d(
        "first", inputChannels: 3, outputChannels: 8, kernelSize: 3, padding: 1, alphaIn: 0, alphaOut: 1,
        lowToHigh: false, highToLow: false)(x)
      return try OctConv2d(
        "last", inputChannels: 8, outputChannels: 4, kernelSize: 1, alphaIn: 1, alphaOut: 0,
        lowToHigh: false, highToLow: false)(y)
    }.parameters.map(\.name)
    #expect(parameters == ["first.conv_h2l.weight", "last.conv_l2h.weight"])
  }

  @Test func depthwiseKeepsTheOctavesApart() throws {
    let parameters = try graph(6, 6, 3) { x in
      let depthwise = OctConv2d(
        "depthwise", inputChannels: 10, outputChannels: 10, kernelSize: 3, padding: 1, groups: 10,
        alphaIn: 0.5, alphaOut: 0.5)
      let last = OctConv2d(
        "last", inputChannels: 10, outputChannels: 4, kernelSize: 1, alphaIn: 0.5, alphaOut: 0)
      return try last(depthwise(first(0.5)(x)))
    }.parameters.filter { $0.name.hasPrefix("depthwise") }
    #expect(parameters.map(\.name) == ["depthwise.conv_l2l.weight", "depthwise.conv_h2h.weight"])
    #expect(parameters.map(\.shape) == [[5, 1, 3, 3], [5, 1, 3, 3]])
  }

  @Test func errorsNameTheLayerTheShapesAndTheRule() {
    #expect(
      throws: OctNetError.graph(
        layer: "block.wrong",
        "convolution of 12 channels at alphaIn 0.5 expects 6 high and 6 low, found high 8×8×5 and low 4×4×5")
    ) {
      try graph(8, 8, 3) { x in
        try Sequential(
          "block",
          [
            first(0.5),
            OctConv2d(
              "wrong", inputChannels: 12, outputChannels: 4, kernelSize: 1, alphaIn: 0.5, alphaOut: 0),
          ])(x)
      }
    }
    #expect(throws: OctNetError.self) {
      try graph(8, 8, 3) { x in try GlobalAvgPool()(first(0.5)(x)) }
    }
    #expect(
      throws: OctNetError.graph(layer: "", "addition needs equal shapes, found high 8×8×3 and high 8×8×10")
    ) {
      try graph(8, 8, 3) { x in try x + first(0)(x) }
    }
    #expect(throws: OctNetError.self) {
      try graph(2, 2, 3) { x in
        try Conv2d("big", inputChannels: 3, outputChannels: 4, kernelSize: 5)(x)
      }
    }
    #expect(throws: OctNetError.self) {
      try graph(8, 8, 3) { x in try first(0)(first(0)(x)) }
    }
  }

  @Test func sequentialNumbersItsUnnamedLayersAsPyTorch() throws {
    let names = try graph(8, 8, 3) { x in
      try Sequential(
        "features",
        [
          Conv2d(inputChannels: 3, outputChannels: 4, kernelSize: 3, padding: 1), ReLU(),
          Conv2d("named", inputChannels: 4, outputChannels: 4, kernelSize: 1, bias: false),
          BatchNorm2d(channels: 4),
        ])(x)
    }.parameters.map(\.name)
    #expect(
      names == [
        "features.0.weight", "features.0.bias", "features.named.weight", "features.3.weight",
        "features.3.bias",
      ])
  }

  @Test func theAverageOfAFeatureIsTakenOnce() throws {
    let graph = try ModelConfiguration(name: "resnet50", alpha: 0.5).makeGraph()
    let pools = graph.nodes.filter { $0.operation is AveragePooling }
    #expect(Set(pools.map { $0.inputs[0] }).count == pools.count)
  }
}
