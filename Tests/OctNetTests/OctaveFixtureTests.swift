import Testing

import OctNet

/// `OctConv2d` against PyTorch in all its forms: strides, variants, downsampling, path switches, groups, odd
/// sizes; outputs and the gradients of inputs and weights, with and without fusion.
///
/// Normalised errors measured with AVX-512, AVX2 and the portable kernels are at most 3e-7.
@Suite struct OctaveFixtureTests {
  private static let fixture = Result { try Fixture("operations.safetensors") }
  private let fixture: Fixture

  init() throws { fixture = try Self.fixture.get() }

  @Test(arguments: [false, true])
  func octaveConvolutions(fused: Bool) throws {
    let cases = fixture.cases("octconv")
    #expect(cases.count == 105)
    for name in cases { try check(name, fused: fused) }
  }

  private func check(_ name: String, fused: Bool) throws {
    let d = try fixture.integers(name + "/desc")
    let alphas = try fixture.floats(name + "/alphas").map { Double($0) }
    let layer = OctConv2d(
      inputChannels: d[0], outputChannels: d[1], kernelSize: d[2], stride: d[3], padding: d[2] / 2,
      groups: d[4],
      alphaIn: alphas[0], alphaOut: alphas[1], lowToHigh: d[9] == 1, highToLow: d[10] == 1,
      variant: d[7] == 1 ? .seed : .paper, downsampling: d[8] == 1 ? .strided : .average)
    try LayerFixture(fixture: fixture, batch: 2, tolerance: 3e-6)
      .check(name, fused: fused, size: (d[5], d[6])) { try layer($0) }
  }
}
