import Testing

import OctNet
@testable import OctNetCore

/// Filters that begin by passing channels on.
@Suite struct DiracInitializationTests {
  private static let shape = MapShape(height: 4, width: 4, channels: 3)

  /// The number in the middle of each 3×3 kernel, [filter][channel]; nil where the others are not all 0.
  private func middles(_ name: String, of network: Network) throws -> [[Float]?] {
    let weights = try network.parameter(name)
    let inputs = weights.shape[1]
    return (0..<weights.shape[0]).map { filter in
      let values = Array(weights.values[filter * inputs * 9..<(filter + 1) * inputs * 9])
      guard values.indices.allSatisfy({ $0 % 9 == 4 || values[$0] == 0 }) else { return nil }
      return (0..<inputs).map { values[$0 * 9 + 4] }
    }
  }

  /// Channel `channel` of so many, or none.
  private func passing(_ channel: Int?, of channels: Int) -> [Float] {
    (0..<channels).map { $0 == channel ? 1 : 0 }
  }

  /// The filters from `first` on are uniform and fill ±1 / √(9 · inputs).
  private func expectUniform(
    _ name: String, from first: Int, inputs: Int, of network: Network,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let weights = try network.parameter(name)
    let rest = weights.values[(first * weights.shape[1] * 9)...]
    let bound = 1 / Float(9 * inputs).squareRoot()
    #expect(rest.allSatisfy { abs($0) <= bound && $0 != 0 }, "\(name)", sourceLocation: sourceLocation)
    #expect(rest.contains { abs($0) > 0.75 * bound }, "\(name)", sourceLocation: sourceLocation)
  }

  @Test func ordinaryFilters() throws {
    let network = try Network(inputShape: Self.shape, seed: 1) { x in
      try Conv2d(
        "conv", inputChannels: 3, outputChannels: 5, kernelSize: 3, padding: 1, bias: false,
        initialization: .dirac)(x)
    }
    let found = try middles("conv.weight", of: network)
    #expect(Array(found[..<3]) == (0..<3).map { passing($0, of: 3) })
    try expectUniform("conv.weight", from: 3, inputs: 3, of: network)
    // Nothing is drawn for the filters before them.
    var stream = RandomStream(seed: 1, "initialize conv.weight")
    let bound = 1 / Float(27).squareRoot()
    let expected = (0..<54).map { _ in (2 * stream.uniform() - 1) * bound }
    #expect(Array(try network.parameter("conv.weight").values[81...]) == expected)
  }

  /// Of an even kernel the tap behind the middle, of a group its own channels, and no more filters than there are.
  @Test func otherShapes() {
    func filled(_ initializer: Initializer, _ shape: [Int]) -> [Float] {
      var values = [Float](repeating: 7, count: shape.reduce(1, *))
      var stream = RandomStream(seed: 1, "fill")
      values.withUnsafeMutableBufferPointer { initializer.fill($0, shape: shape, from: &stream) }
      return values
    }
    #expect(
      filled(.dirac(passing: 0..<2, zeros: 0, bound: 1), [2, 1, 2, 2])[..<4] == [0, 0, 0, 1])
    let narrow = filled(.dirac(passing: 1..<9, zeros: 4, bound: 1), [5, 2, 1, 1])
    #expect(narrow[..<8] == [0, 0, 1, 0, 0, 1, 0, 0])
    #expect(narrow[8...].allSatisfy { $0 != 0 && abs($0) <= 1 })
    #expect(filled(.dirac(passing: 0..<0, zeros: 9, bound: 1), [2, 1, 1, 1]) == [0, 0])
  }

  /// Three high and three low channels: each passes its octave on, and reads nothing of the other.
  @Test func octaveFilters() throws {
    let network = try Network(inputShape: Self.shape, seed: 1) { x in
      let first = OctConv2d(
        "first", inputChannels: 3, outputChannels: 6, kernelSize: 3, padding: 1, alphaIn: 0, alphaOut: 0.5,
        initialization: .dirac)
      let second = OctConv2d(
        "second", inputChannels: 6, outputChannels: 10, kernelSize: 3, padding: 1, alphaIn: 0.5,
        alphaOut: 0.5, initialization: .dirac)
      return [("output", try second(first(x)))]
    }
    for name in ["first.conv_h2h.weight", "first.conv_h2l.weight"] {
      #expect(try middles(name, of: network) == (0..<3).map { passing($0, of: 3) })
    }
    for name in ["second.conv_h2h.weight", "second.conv_l2l.weight"] {
      #expect(try Array(middles(name, of: network)[..<3]) == (0..<3).map { passing($0, of: 3) })
    }
    for name in ["second.conv_l2h.weight", "second.conv_h2l.weight"] {
      #expect(try Array(middles(name, of: network)[..<3]) == (0..<3).map { _ in passing(nil, of: 3) })
      // Of all that a filter reads.
      try expectUniform(name, from: 3, inputs: 6, of: network)
    }
  }
  /// Four high and two low channels become one map: filter i passes channel i on, as that of the plain network does.
  @Test(arguments: [4, 5, 8], [1, 2]) func mergingFilters(outputs: Int, stride: Int) throws {
    let network = try Network(inputShape: Self.shape, seed: 1) { x in
      let first = OctConv2d(
        "first", inputChannels: 3, outputChannels: 6, kernelSize: 3, padding: 1, alphaIn: 0, alphaOut: 0.34)
      let last = OctConv2d(
        "last", inputChannels: 6, outputChannels: outputs, kernelSize: 3, stride: stride, padding: 1,
        alphaIn: 0.34, alphaOut: 0, initialization: .dirac)
      let x = try first(x)
      return [("parts", x), ("output", try last(x))]
    }
    let passed = min(outputs, 6)
    #expect(
      try Array(middles("last.conv_h2h.weight", of: network)[..<passed])
        == (0..<passed).map { passing($0 < 4 ? $0 : nil, of: 4) })
    #expect(
      try Array(middles("last.conv_l2h.weight", of: network)[..<passed])
        == (0..<passed).map { passing($0 < 4 ? nil : $0 - 4, of: 2) })
    if outputs > passed {
      for name in ["last.conv_h2h.weight", "last.conv_l2h.weight"] {
        try expectUniform(name, from: passed, inputs: 6, of: network)
      }
    }
    guard stride == 1 else { return }
    // What comes out is what went in.
    let session = try InferenceSession(network: network, batchSize: 1, threads: 1)
    var stream = RandomStream(seed: 2, "image")
    let outcome = try session.outputs(images: (0..<48).map { _ in stream.normal() })
    let high = try #require(outcome["parts.high"]), low = try #require(outcome["parts.low"])
    let output = try #require(outcome["output"])
    for pixel in 0..<16 {
      let half = pixel / 8 * 2 + pixel % 4 / 2
      let inputs = Array(high[pixel * 4..<(pixel + 1) * 4] + low[half * 2..<(half + 1) * 2])
      let found = Array(output[pixel * outputs..<pixel * outputs + passed])
      expectClose(found, Array(inputs[..<passed]), within: 1e-6, "pixel \(pixel)")
    }
  }

  /// Without its path there is nothing to pass on.
  @Test func mergingWithoutLowToHigh() throws {
    let network = try Network(inputShape: Self.shape, seed: 1) { x in
      let first = OctConv2d(
        "first", inputChannels: 3, outputChannels: 6, kernelSize: 3, padding: 1, alphaIn: 0, alphaOut: 0.5)
      let last = OctConv2d(
        "last", inputChannels: 6, outputChannels: 8, kernelSize: 3, padding: 1, alphaIn: 0.5, alphaOut: 0,
        lowToHigh: false, initialization: .dirac)
      return try last(first(x))
    }
    #expect(
      try Array(middles("last.conv_h2h.weight", of: network)[..<3]) == (0..<3).map { passing($0, of: 3) })
    try expectUniform("last.conv_h2h.weight", from: 3, inputs: 3, of: network)
  }
}
