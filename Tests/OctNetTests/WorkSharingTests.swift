import CKernels
import Testing

@testable import OctNetCore
@testable import OctNetModels

/// How convolutions are shared out among more threads than a test machine has: the multiply–adds of each, not the clock.
@Suite struct WorkSharingTests {
  private struct Layer: Hashable {
    let n, size, inputs, outputs, kernel, stride: Int
  }

  /// Forward, backward-data, backward-weights.
  private func shares(_ layer: Layer, threads: Int) -> [[Double]] {
    let output = (layer.size + 2 * (layer.kernel / 2) - layer.kernel) / layer.stride + 1
    var desc = oct_conv2d_desc(
      n: layer.n, ih: layer.size, iw: layer.size, ic: layer.inputs, oh: output, ow: output, oc: layer.outputs,
      kh: layer.kernel, kw: layer.kernel, sh: layer.stride, sw: layer.stride, ph: layer.kernel / 2,
      pw: layer.kernel / 2, g: 1, direct: false)
    let count = Int32(threads)
    let bytes = max(
      oct_conv2d_forward_scratch_bytes(&desc, count), oct_conv2d_backward_data_scratch_bytes(&desc, count))
    let scratch = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
    defer { scratch.deallocate() }
    var work = Array(repeating: Array(repeating: 0.0, count: threads), count: 3)
    #expect(oct_conv2d_forward_shares(&desc, scratch, count, &work[0]) == OCT_OK)
    #expect(oct_conv2d_backward_data_shares(&desc, scratch, count, &work[1]) == OCT_OK)
    #expect(oct_conv2d_backward_weights_shares(&desc, count, &work[2]) == OCT_OK)
    return work
  }

  /// The convolutions of a network, each as often as it is there.
  private func layers(alpha: Double, size: Int, batch: Int) throws -> [Layer: Int] {
    let graph = try ModelConfiguration(
      name: "resnet50", alpha: alpha, stem: .imagenet, classes: 1000, inputHeight: size, inputWidth: size
    ).makeGraph()
    var layers: [Layer: Int] = [:]
    for node in graph.nodes {
      guard let convolution = node.operation as? Convolution else { continue }
      for source in convolution.sources {
        let geometry = source.geometry
        let layer = Layer(
          n: batch, size: geometry.input.height, inputs: geometry.input.channels,
          outputs: geometry.output.channels, kernel: geometry.kernelHeight, stride: geometry.stride)
        layers[layer, default: 0] += 1
      }
    }
    return layers
  }

  /// Layers wait for each other, so of a pass through the network the slowest threads of all layers count.
  @Test(arguments: [0, 0.125, 0.5], [4, 8, 16])
  func noThreadOfANetworkHasMuchMoreThanTheMean(alpha: Double, threads: Int) throws {
    for (size, batch) in [(224, 1), (224, 16), (32, 100)] {
      var longest = [0.0, 0.0, 0.0], mean = [0.0, 0.0, 0.0]
      for (layer, count) in try layers(alpha: alpha, size: size, batch: batch) {
        for (pass, work) in shares(layer, threads: threads).enumerated() {
          let most = work.max() ?? 0, average = work.reduce(0, +) / Double(threads)
          longest[pass] += Double(count) * most
          mean[pass] += Double(count) * average
        }
      }
      for pass in 0..<3 where batch > 1 || pass == 0 {  // one image is for inference
        #expect(
          longest[pass] <= 1.15 * mean[pass],
          "pass \(pass) at \(size), batch \(batch): \(longest[pass] / mean[pass])")
      }
    }
  }
}
