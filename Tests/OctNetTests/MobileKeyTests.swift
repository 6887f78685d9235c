import Testing

import OctNet

/// Names of DenseNets' and MobileNets' parameters, by which public weights load.
@Suite struct MobileKeyTests {
  private func shapes(_ name: String, alpha: Double) throws -> [String: [Int]] {
    let network = try ModelConfiguration(
      name: name, alpha: alpha, stem: .imagenet, classes: 1000, inputHeight: 64, inputWidth: 64
    ).makeNetwork()
    return Dictionary(
      network.stateDictionary().map { ($0.name, $0.value.shape) }, uniquingKeysWith: { first, _ in first })
  }

  /// The numbers of entries are those of torchvision's state dictionaries.
  @Test func torchvision() throws {
    let dense = try shapes("densenet121", alpha: 0)
    #expect(dense.count == 727)
    #expect(dense["features.conv0.weight"] == [64, 3, 7, 7])
    #expect(dense["features.denseblock4.denselayer16.norm1.running_mean"] == [992])
    #expect(dense["features.transition3.conv.weight"] == [512, 1024, 1, 1])
    #expect(dense["features.norm5.bias"] == [1024] && dense["classifier.weight"] == [1000, 1024])
    let mobile = try shapes("mobilenet_v2", alpha: 0)
    #expect(mobile.count == 314)
    #expect(mobile["features.1.conv.0.0.weight"] == [32, 1, 3, 3])
    #expect(mobile["features.1.conv.1.weight"] == [16, 32, 1, 1])
    #expect(mobile["features.2.conv.1.0.weight"] == [96, 1, 3, 3])
    #expect(mobile["features.17.conv.3.running_var"] == [320])
    #expect(mobile["features.18.0.weight"] == [1280, 320, 1, 1])
    #expect(mobile["classifier.1.bias"] == [1000])
  }

  /// d-li14/octconv.pytorch's `oct_mobilenet`.
  @Test func octconvPyTorch() throws {
    let keys = try shapes("mobilenet_v1", alpha: 0.5)
    #expect(keys["features.0.0.weight"] == [32, 3, 3, 3] && keys["features.0.1.weight"] == [32])
    #expect(keys["features.1.0.conv.conv_h2h.weight"] == [32, 1, 3, 3])
    #expect(keys["features.1.1.conv.conv_h2l.weight"] == [32, 32, 1, 1])
    #expect(keys["features.2.0.conv.conv_l2l.weight"] == [32, 1, 3, 3])
    #expect(keys["features.2.0.conv.conv_h2l.weight"] == nil)
    #expect(keys["features.2.0.bn_l.weight"] == [32])
    #expect(keys["features.11.1.conv.conv_l2h.weight"] == [512, 256, 1, 1])
    #expect(keys["features.11.1.conv.conv_l2l.weight"] == nil)
    #expect(keys["features.13.1.bn_h.weight"] == [1024] && keys["fc.weight"] == [1000, 1024])
  }

  /// A classifier of other classes stays as the network has it, whatever the family calls it.
  @Test(arguments: ["densenet121", "mobilenet_v1", "mobilenet_v2"])
  func classifierOfOtherClasses(name: String) throws {
    func network(classes: Int) throws -> Network {
      try ModelConfiguration(name: name, stem: .cifar, classes: classes).makeNetwork()
    }
    let state = try network(classes: 7).stateDictionary()
    let tuned = try network(classes: 3)
    #expect(throws: OctNetError.self) { try tuned.load(state) }
    let report = try tuned.loadPretrained(state)
    #expect(report.head == .otherClasses(7) && report.keptKeys.count == 2)
  }
}
