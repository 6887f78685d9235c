import Testing

import OctNet
@testable import OctNetCore

/// Runs a layer between sources for its maps and a join of its outputs, and compares outputs and the gradients of inputs
/// and parameters with those that PyTorch left in a fixture.
///
/// A case has the tensors `src_high`, `src_low` (either may be missing), `dst_…`, `diff_dst_…`, `diff_src_…` as
/// [n, c, h, w], and each parameter with its `diff_`.
struct LayerFixture {
  let fixture: Fixture
  let batch: Int
  let tolerance: Double

  /// - Parameters:
  ///   - size: of the full-resolution map, where it does not follow from `src_high`.
  ///   - layer: makes the output from the feature that the case has.
  func check(
    _ name: String, fused: Bool, size: (height: Int, width: Int)? = nil,
    _ layer: (OctFeature) throws -> OctFeature
  ) throws {
    let network = try network(name, size: size, layer)
    let parameters = network.graph.parameters
    let isMap = { (key: String) in key.hasPrefix("src_") }
    try network.load(
      network.stateDictionary().map { key, value in
        let stored = "\(name)/\(key)"
        guard case .tensor(let tensor) = value, fixture.has(stored) else { return (key, value) }
        let values = isMap(key) ? try fixture.nhwc(stored) : try fixture.floats(stored)
        return (key, .tensor(Tensor(shape: tensor.shape, values: values)))
      })
    // The same parameters as PyTorch's layer has, no more and no fewer.
    let stored = fixture.tensors(of: name).filter {
      fixture.has("\(name)/diff_\($0)") && !$0.hasPrefix("dst")
    }
    #expect(Set(parameters.map(\.name)) == Set(stored), "\(name)")

    let graph = fused ? network.graph.fused(for: .trainingForward) : network.graph
    let executor = try Executor(
      graph: graph, memory: network.parameters.memory,
      plan: Executor.plan(graph: graph, batch: batch, training: true, threads: 2), threads: 2)
    let images = [Float](repeating: 0, count: batch)
    let label = fused ? name + " fused" : name
    let expected = try joined(name, "dst")
    let output = executor.forward(images: images, count: batch)
    expectClose(
      Array(UnsafeBufferPointer(start: output, count: expected.count)), expected, within: tolerance,
      label + " output")
    let gradient = try joined(name, "diff_dst")
    try #require(executor.outputGradient()).update(from: gradient, count: gradient.count)
    executor.backward(images: images, count: batch)
    for (key, value) in network.gradients() {
      let stored = "\(name)/diff_\(key)"
      let expected = isMap(key) ? try fixture.nhwc(stored) : try fixture.floats(stored)
      expectClose(value.values, expected, within: tolerance, "\(label) diff_\(key)")
    }
  }

  private func network(
    _ name: String, size: (height: Int, width: Int)?, _ layer: (OctFeature) throws -> OctFeature
  ) throws -> Network {
    try Network(inputShape: MapShape(height: 1, width: 1, channels: 1), seed: 0) { input in
      let builder = input.builder
      func source(_ key: String) throws -> SymbolicMap? {
        guard fixture.has("\(name)/\(key)") else { return nil }
        let s = try fixture.shape("\(name)/\(key)")
        let shape = MapShape(height: s[2], width: s[3], channels: s[1])
        return try ParameterSource.add(key, shape, batch: batch, to: builder)
      }
      let (high, low) = (try source("src_high"), try source("src_low"))
      let height = try #require(size?.height ?? high?.shape.height)
      let width = try #require(size?.width ?? high?.shape.width)
      let x = OctFeature(high: high, low: low, height: height, width: width, builder: builder)
      let y = try layer(x)
      for (key, map) in [("dst_high", y.high), ("dst_low", y.low)] {
        let expected = fixture.has("\(name)/\(key)") ? try fixture.shape("\(name)/\(key)") : nil
        let found = map.map { [batch, $0.shape.channels, $0.shape.height, $0.shape.width] }
        #expect(found == expected, "\(name) \(key)")
      }
      return OctFeature(try Concatenation.join([y.high, y.low].compactMap { $0 }, in: builder))
    }
  }

  /// Maps of both octaves, image by image one after the other, as `Concatenation` has them.
  private func joined(_ name: String, _ prefix: String) throws -> [Float] {
    let maps = try ["high", "low"].filter { fixture.has("\(name)/\(prefix)_\($0)") }.map {
      try fixture.nhwc("\(name)/\(prefix)_\($0)")
    }
    return (0..<batch).flatMap { image in
      maps.flatMap { map in
        let count = map.count / batch
        return Array(map[image * count..<(image + 1) * count])
      }
    }
  }
}
