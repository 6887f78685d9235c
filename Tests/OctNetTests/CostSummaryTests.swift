import Testing

import OctNet
@testable import OctNetCore

/// The published costs of Oct-ResNet-50 at 224×224 with 1000 classes, to the unit.
@Suite struct CostSummaryTests {
  @Test(arguments: [
    (0.0, Variant.paper, 4_089_184_256), (0.125, .paper, 3_565_196_288), (0.25, .paper, 3_103_526_912),
    (0.5, .paper, 2_367_143_936), (0.75, .paper, 1_880_035_328), (0.0, .seed, 4_089_184_256),
    (0.125, .seed, 3_489_717_248), (0.5, .seed, 2_155_692_032),
  ])
  func resnet50(alpha: Double, variant: Variant, macs: Int) throws {
    let model = ModelConfiguration(
      name: "resnet50", alpha: alpha, variant: variant, classes: 1000, inputHeight: 224, inputWidth: 224)
    let cost = try model.makeGraph().costSummary()
    #expect(cost.total.macs == macs)
    #expect(cost.total.parameters == 25_557_032)
    #expect(cost.stages.map(\.name) == ["stem", "layer1", "layer2", "layer3", "layer4", "head"])
    #expect(cost.stages.map(\.macs).reduce(0, +) == macs)
  }

  /// He et al. 2015, table 6, with projection shortcuts instead of padded identities.
  @Test func resnet20HasItsPublishedSize() throws {
    let cost = try ModelConfiguration(name: "resnet20").makeGraph().costSummary()
    let projections = 16 * 32 + 32 * 64 + 2 * (32 + 64)
    #expect(cost.total.parameters == 269_722 + projections)
  }

  /// Basic blocks need one more projection where the first stage splits its channels; bottlenecks have it anyway.
  @Test(arguments: ["resnet26", "resnet50", "resnet101", "resnet152", "resnet200"])
  func bottlenecksKeepTheirParametersAtEveryAlpha(name: String) throws {
    let counts = try [0, 0.125, 0.5, 0.75].map { alpha in
      try ModelConfiguration(name: name, alpha: alpha).makeGraph().parameters.filter { $0.kind == .weight }
        .map(\.count).reduce(0, +)
    }
    #expect(Set(counts).count == 1)
  }

  /// Taps counted one by one.
  @Test(arguments: [(1, 3, 1, 1), (2, 3, 1, 1), (7, 3, 2, 1), (8, 7, 2, 3), (5, 2, 1, 0), (9, 5, 3, 4)])
  func computedMacsLeaveOutTapsOutsideTheMap(size: Int, kernel: Int, stride: Int, padding: Int) {
    let geometry = ConvGeometry(
      input: MapShape(height: size, width: size + 2, channels: 6), outputChannels: 4, kernelHeight: kernel,
      kernelWidth: kernel, stride: stride, padding: padding, groups: 2)
    var inside = 0
    for y in 0..<geometry.output.height {
      for x in 0..<geometry.output.width {
        for tap in 0..<kernel * kernel {
          let (row, column) = (y * stride - padding + tap / kernel, x * stride - padding + tap % kernel)
          if row >= 0 && row < size && column >= 0 && column < size + 2 { inside += 1 }
        }
      }
    }
    #expect(geometry.computedMacs == inside * 4 * 3)
    #expect(padding > 0 || geometry.computedMacs == geometry.macs)
  }
}
