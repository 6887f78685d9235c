import OctNetCore
import OctNetModels
import OctNetSupport

/// What the keys and shapes of a state dictionary tell of a DenseNet, a MobileNet or `airbench94`.
struct NonResidualTraits: Equatable {
  /// "densenet121", or the layers of a DenseNet that OctNet has no name for.
  var name: String
  /// Whether the name is one of `NamedModel`.
  var isNamed = true
  var alpha: Double
  /// `nil` for 1 and for networks of one width.
  var widthMultiplier: Double?
  /// `nil` where the weights do not tell: MobileNets have the same ones with either.
  var stem: Stem?
  var inputChannels: Int?
  var classes: Int?

  /// `nil` for other networks.
  init?(_ shapes: [String: [Int]]) {
    /// Outputs of a layer, whether or not it is octave.
    func outputs(_ layer: String, _ octave: String) -> Int? {
      if let plain = shapes["\(layer).weight"] { return plain.first }
      let paths = [["l2l", "h2l"], ["h2h", "l2h"]].map { OctaveSplits.channels(octave, $0, shapes) }
      let (sum, overflow) = paths[0].addingReportingOverflow(paths[1])
      return sum > 0 && !overflow ? sum : nil
    }
    let stemName: String, classifier: String
    var widths: [(usual: Int, found: Int?)] = []
    if outputs("features.denseblock1.denselayer1.conv1", "features.denseblock1.denselayer1.conv1.conv") != nil
    {
      (stemName, classifier) = ("features.conv0.weight", "classifier.weight")
      let layers = Self.layers(shapes)
      let shape = DenseNet.shapes.first {
        $0.shape.blocks == layers && $0.shape.stemChannels == shapes[stemName]?.first
      }
      name = shape?.name ?? "a DenseNet of \(layers.map(String.init).joined(separator: " + ")) layers"
      isNamed = shape != nil
      if let kernel = shapes[stemName], kernel.count == 4 { stem = kernel[3] == 3 ? .cifar : .imagenet }
    } else if let last = outputs("features.13.1.0", "features.13.1.conv") {
      (stemName, classifier) = ("features.0.0.weight", "fc.weight")
      name = "mobilenet_v1"
      widths = [(1024, last)]
    } else if let last = outputs("features.17.conv.2", "features.17.conv.2.conv") {
      (stemName, classifier) = ("features.0.0.weight", "classifier.1.weight")
      name = "mobilenet_v2"
      widths = [(320, last)]
    } else if let first = outputs("body.1", "body.1"), let last = outputs("body.15", "body.15"),
      shapes["whiten.weight"] != nil
    {
      (stemName, classifier) = ("whiten.weight", "head.weight")
      name = "airbench94"
      widths = [(64, first), (256, last)]
      stem = .cifar
    } else {
      return nil
    }
    let kernel = shapes[stemName]
    if let kernel, kernel.count == 4 { inputChannels = kernel[1] }
    if name.hasPrefix("mobilenet") { widths.append((32, kernel?.first)) }
    if let multiplier = Self.multiplier(widths), multiplier != 1 { widthMultiplier = multiplier }
    classes = shapes[classifier]?.first
    alpha = ResNetTraits.simplestAlpha(of: OctaveSplits.all(shapes)) ?? 0
  }

  /// Of each dense block, as many as are there without a gap.
  private static func layers(_ shapes: [String: [Int]]) -> [Int] {
    (1...4).map { block in
      var count = 0
      func has(_ layer: Int) -> Bool {
        let base = "features.denseblock\(block).denselayer\(layer).conv1"
        return shapes["\(base).weight"] != nil || shapes["\(base).conv.conv_h2h.weight"] != nil
      }
      while has(count + 1) { count += 1 }
      return count
    }
  }

  /// The multiplier of the fewest digits with ⌊usual · m⌋ = found for all of `widths`.
  private static func multiplier(_ widths: [(usual: Int, found: Int?)]) -> Double? {
    for denominator in [1, 4, 8, 10, 20, 100, 1000] {
      for numerator in 1...16 * denominator {
        let multiplier = Double(numerator) / Double(denominator)
        if widths.allSatisfy({ Int(Double($0.usual) * multiplier) == $0.found }) { return multiplier }
      }
    }
    return nil
  }
}

extension StateMismatch.Cause {
  /// The network that a file looks like, where it or the network that was expected is no residual one.
  static func family(
    of file: [String: [Int]], insteadOf network: [String: [Int]], ignoringClasses: Bool
  ) -> StateMismatch.Cause? {
    guard NonResidualTraits(file) != nil || NonResidualTraits(network) != nil,
      let found = Look(file, ignoringClasses: ignoringClasses),
      let expected = Look(network, ignoringClasses: ignoringClasses)
    else { return nil }
    let own = found.words.filter { !expected.words.contains($0) }
    let others = expected.words.filter { !found.words.contains($0) }
    guard !own.isEmpty else { return nil }
    return .architecture(
      found: own, expected: others, settings: found.settings.filter { !expected.settings.contains($0) })
  }

  /// Which network keys and shapes look like, whatever its family, in words and as settings.
  private struct Look {
    var words: [String]
    var settings: [StateMismatch.Setting] = []

    /// `nil` for an unknown one.
    init?(_ shapes: [String: [Int]], ignoringClasses: Bool) {
      let name: String
      let isNamed: Bool
      let alpha: Double?
      var classes: Int?
      var width: Double?
      if let traits = NonResidualTraits(shapes) {
        (name, isNamed, alpha) = (traits.name, traits.isNamed, traits.alpha)
        (classes, width) = (traits.classes, traits.widthMultiplier)
      } else if let traits = ResNetTraits(shapes), let found = traits.modelName ?? traits.depth?.rawValue {
        (name, isNamed, alpha) = (found, traits.modelName != nil, traits.alpha)
        classes = traits.classes
      } else {
        return nil
      }
      words = [name]
      if let alpha { words.append("α = \(alpha == 0 ? "0" : "\(alpha)")") }
      if let width { words.append("width \(format(width, digits: 3))") }
      if let classes, !ignoringClasses { words.append(numbered(classes, "class", plural: "classes")) }
      guard isNamed else { return }
      settings.append(.init("name", name))
      if let alpha { settings.append(.init("alpha", alpha == 0 ? "0" : "\(alpha)")) }
      if let width { settings.append(.init("widthMultiplier", format(width, digits: 3))) }
      if let classes, !ignoringClasses { settings.append(.init("classes", "\(classes)")) }
    }
  }
}
