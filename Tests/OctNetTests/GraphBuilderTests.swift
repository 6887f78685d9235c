import OctNet
import Testing

@Suite struct GraphBuilderTests {
  /// A graph is all that remains: a builder that its own maps kept alive left 150 kB with every network.
  @Test func nothingKeepsABuilder() throws {
    weak var builder: GraphBuilder?
    let graph = try Graph(inputShape: MapShape(height: 8, width: 8, channels: 3)) { x in
      builder = x.builder
      let enter = OctConv2d(
        "enter", inputChannels: 3, outputChannels: 8, kernelSize: 3, padding: 1, alphaIn: 0, alphaOut: 0.5)
      let leave = OctConv2d(
        "leave", inputChannels: 8, outputChannels: 8, kernelSize: 3, stride: 2, padding: 1, alphaIn: 0.5,
        alphaOut: 0)
      return try leave(enter(x))
    }
    #expect(graph.nodes.count > 4)
    #expect(builder == nil)
  }
}
