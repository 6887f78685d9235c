import Testing

import OctNet

@Suite struct ConcatenationTests {
  /// An octave that only some features have is theirs alone, as behind a DenseNet's stem.
  @Test func octavesThatSomeLack() throws {
    let graph = try Graph(inputShape: MapShape(height: 5, width: 4, channels: 6)) { x in
      let octave = try OctConv2d(
        "a", inputChannels: 6, outputChannels: 4, kernelSize: 1, alphaIn: 0, alphaOut: 0.25)(x)
      let low = try OctConv2d(
        "b", inputChannels: 6, outputChannels: 3, kernelSize: 1, alphaIn: 0, alphaOut: 1)(x)
      let joined = try concatenated([x, octave, low])
      #expect(joined.highChannels == 6 + 3 && joined.lowChannels == 1 + 3)
      #expect(joined.low?.shape.height == 3 && joined.low?.shape.width == 2)
      let apart = try concatenated([x, low])
      #expect(apart.highChannels == 6 && apart.lowChannels == 3)
      return try OctConv2d(
        "c", inputChannels: 9, outputChannels: 2, kernelSize: 1, alphaIn: 1 / 3.0 + 0.01, alphaOut: 0)(apart)
    }
    #expect(graph.parameters.count == 5)
  }
}
