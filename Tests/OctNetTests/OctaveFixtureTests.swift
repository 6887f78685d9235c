import Testing

@testable import OctNet

/// `OctConv2d` against PyTorch in all its forms: strides, variants, downsampling, path switches, groups, odd
/// sizes; outputs and the gradients of inputs and weights, with and without fusion.
///
/// Normalised errors measured with AVX-512, AVX2 and the portable kernels are at most 3e-7.
@Suite struct OctaveFixtureTests {
  private static let fixture = Result { try Fixture("operations.safetensors") }
  private static let batch = 2
  private let fixture: Fixture
  private let tolerance = 3e-6

  init() throws { fixture = try Self.fixture.get() }

  @Test(arguments: [false, true])
  func octaveConvolutions(fused: Bool) throws {
    let cases = fixture.cases("octconv")
    #expect(cases.count == 105)
    for name in cases { try check(name, fused: fused) }
  }

  /// The layer under test between sources for its maps and a join of its outputs.
  private func network(_ name: String) throws -> Network {
    let d = try fixture.integers(name + "/desc")
    let alphas = try fixture.floats(name + "/alphas").map { Double($0) }
    let layer = OctConv2d(
      inputChannels: d[0], outputChannels: d[1], kernelSize: d[2], stride: d[3], padding: d[2] / 2,
      groups: d[4],
      alphaIn: alphas[0], alphaOut: alphas[1], lowToHigh: d[9] == 1, highToLow: d[10] == 1,
      variant: d[7] == 1 ? .seed : .paper, downsampling: d[8] == 1 ? .strided : .average)
    let (height, width) = (d[5], d[6])
    return try Network(inputShape: MapShape(height: 1, width: 1, channels: 1), seed: 0) { input in
      let builder = input.builder
      func source(_ key: String) throws -> SymbolicMap? {
        guard fixture.has("\(name)/\(key)") else { return nil }
        let s = try fixture.shape("\(name)/\(key)")
        let shape = MapShape(height: s[2], width: s[3], channels: s[1])
        return try ParameterSource.add(key, shape, batch: Self.batch, to: builder)
      }
      let x = OctFeature(
        high: try source("src_high"), low: try source("src_low"), height: height, width: width,
        builder: builder)
      let y = try layer(x)
      for (key, map) in [("dst_high", y.high), ("dst_low", y.low)] {
        let expected = fixture.has("\(name)/\(key)") ? try fixture.shape("\(name)/\(key)") : nil
        let found = map.map { [Self.batch, $0.shape.channels, $0.shape.height, $0.shape.width] }
        #expect(found == expected, "\(name) \(key)")
      }
      return OctFeature(Concatenation.join([y.high, y.low].compactMap { $0 }, in: builder))
    }
  }

  /// Maps of both octaves, image by image one after the other, as `Concatenation` has them.
  private func joined(_ name: String, _ prefix: String) throws -> [Float] {
    let maps = try ["high", "low"].filter { fixture.has("\(name)/\(prefix)_\($0)") }.map {
      try fixture.nhwc("\(name)/\(prefix)_\($0)")
    }
    return (0..<Self.batch).flatMap { image in
      maps.flatMap { map in
        let count = map.count / Self.batch
        return Array(map[image * count..<(image + 1) * count])
      }
    }
  }

  private func check(_ name: String, fused: Bool) throws {
    let network = try network(name)
    let parameters = network.graph.parameters
    let isMap = { (key: String) in key.hasPrefix("src_") }
    try network.load(
      parameters.map { parameter in
        let key = "\(name)/\(parameter.name)"
        let values = isMap(parameter.name) ? try fixture.nhwc(key) : try fixture.floats(key)
        return (parameter.name, .tensor(Tensor(shape: parameter.shape, values: values)))
      })
    // The same weights as PyTorch's layer has, no more and no fewer.
    let weights = fixture.tensors(of: name).filter { $0.hasPrefix("conv_") }
    #expect(Set(parameters.map(\.name).filter { !isMap($0) }) == Set(weights), "\(name)")

    let executor = Executor(
      graph: fused ? network.graph.fused(for: .trainingForward) : network.graph,
      memory: network.parameters.memory, batch: Self.batch, training: true, threads: 2)
    let images = [Float](repeating: 0, count: Self.batch)
    let label = fused ? name + " fused" : name
    let expected = try joined(name, "dst")
    let output = executor.forward(images: images, count: Self.batch)
    expectClose(
      Array(UnsafeBufferPointer(start: output, count: expected.count)), expected, within: tolerance,
      label + " output")
    let gradient = try joined(name, "diff_dst")
    executor.outputGradient.update(from: gradient, count: gradient.count)
    executor.backward(images: images, count: Self.batch)
    for (key, value) in network.gradients() {
      let stored = "\(name)/diff_\(key)"
      let expected = isMap(key) ? try fixture.nhwc(stored) : try fixture.floats(stored)
      expectClose(value.values, expected, within: tolerance, "\(label) diff_\(key)")
    }
  }
}
