import OctNetInference
import OctNetTesting
import OwnOperation
import Testing

/// The library's own operations are held to the same check.
@Test(arguments: [0, 0.5]) func gradientsAreThoseOfDifferences(alpha: Double) throws {
  var check = GradientCheck(inputShape: MapShape(height: 5, width: 7, channels: 6), alpha: alpha)
  // Differences stumble over the kink at 0: small steps keep away from it for nearly all numbers.
  check.step = 1 / 4096
  check.tolerance = 2e-2
  #expect(try check.run { try PReLU("mine")($0) } == [])
}

@Test func slopesAreParameters() throws {
  let network = try Network(inputShape: MapShape(height: 4, width: 4, channels: 3), seed: 1) {
    try PReLU("act")($0)
  }
  #expect(network.parameterNames == ["act.weight"])
  try network.setParameter("act.weight", to: Tensor(shape: [3], values: [0, 0.5, -1]))
  let session = try InferenceSession(network: network, batchSize: 1, threads: 1)
  let images = (0..<48).map { Float($0 % 5) - 2 }
  let slopes: [Float] = [0, 0.5, -1]
  #expect(
    try session.logits(images: images)
      == images.enumerated().map { $1 > 0 ? $1 : slopes[$0 % 3] * $1 })
}
