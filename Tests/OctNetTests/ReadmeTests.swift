import Foundation
import OctNet
import Testing

/// The README's network, compiled and run word for word.
struct ReadmeTests {
  @Test func snippetBuildsAndRuns() throws {
    // README begins
    // Keep a quarter of the channels at half resolution between "enter" and "leave".
    let network = try Network(inputShape: MapShape(height: 32, width: 32, channels: 3), seed: 1) { image in
      let relu = ReLU()
      let enter = OctConv2d(
        "enter", inputChannels: 3, outputChannels: 32, kernelSize: 3, padding: 1, alphaIn: 0, alphaOut: 0.25)
      let inner = OctConv2d(
        "inner", inputChannels: 32, outputChannels: 32, kernelSize: 3, padding: 1, alphaIn: 0.25,
        alphaOut: 0.25)
      let leave = OctConv2d(
        "leave", inputChannels: 32, outputChannels: 64, kernelSize: 3, stride: 2, padding: 1, alphaIn: 0.25,
        alphaOut: 0)
      var x = try relu(BatchNorm2d("norm1", channels: 32, alpha: 0.25)(enter(image)))
      x = try relu(x + BatchNorm2d("norm2", channels: 32, alpha: 0.25)(inner(x)))
      x = try relu(BatchNorm2d("norm3", channels: 64)(leave(x)))
      return try Linear("classes", inputChannels: 64, outputChannels: 10)(GlobalAvgPool()(x))
    }
    let session = try InferenceSession(network: network, batchSize: 8, threads: 2)
    let images = [Float](repeating: 0.5, count: 8 * 32 * 32 * 3)
    let logits = try session.logits(images: images)  // 8 × 10, row by row
    // README ends
    #expect(logits.count == 80)
    #expect(logits.allSatisfy { $0.isFinite })
    #expect(network.stateDictionary().contains { $0.name == "inner.conv_h2l.weight" })
  }

  @Test func readmeShowsThatSnippet() throws {
    let source = try String(contentsOfFile: #filePath, encoding: .utf8)
    let lines = source.split(separator: "\n", omittingEmptySubsequences: false)
    let begin = try #require(lines.firstIndex { $0.hasSuffix("// README begins") })
    let end = try #require(lines.firstIndex { $0.hasSuffix("// README ends") })
    let snippet = lines[(begin + 1)..<end].map { $0.dropFirst(4) }.joined(separator: "\n")

    let readme = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../README.md").standardized
    let text = try String(contentsOf: readme, encoding: .utf8)
    #expect(text.contains("```swift\nimport OctNet\n\n" + snippet + "\n```\n"))
  }
}
