import OctNetCore
import OctNetModels
import OctNetSupport

/// What the keys and shapes of a state dictionary tell of a DenseNet or MobileNet.
struct MobileTraits: Equatable {
  /// "densenet121", or the layers of a DenseNet that OctNet has no name for.
  var name: String
  /// Whether the name is one of `NamedModel`.
  var isNamed: Bool
  var alpha: Double
  var widthMultiplier: Double?
  var classes: Int?

  /// `nil` for other networks.
  init?(_ shapes: [String: [Int]]) {
    if shapes["features.denseblock1.denselayer1.conv1.weight"] != nil
      || shapes["features.denseblock1.denselayer1.conv1.conv.conv_h2h.weight"] != nil
    {
      self.init(dense: shapes)
    } else if let last = shapes["features.13.1.0.weight"] ?? shapes["features.13.1.conv.conv_h2h.weight"] {
      self.init(mobile: shapes, name: "mobilenet_v1", width: last.first, of: 1024)
    } else if shapes["features.2.conv.1.0.weight"] != nil
      || shapes["features.2.conv.1.conv.conv_h2h.weight"] != nil,
      let third = shapes["features.17.conv.2.weight"] ?? shapes["features.17.conv.2.conv.conv_h2h.weight"]
    {
      self.init(mobile: shapes, name: "mobilenet_v2", width: third.first, of: 320)
    } else {
      return nil
    }
  }

  private init(mobile shapes: [String: [Int]], name: String, width: Int?, of usual: Int) {
    self.name = name
    isNamed = true
    alpha = Self.alpha(shapes)
    // ⌊·m⌋ of several numbers; hundredths are what people take.
    if let width, width > 0, width != usual {
      let rounded = ((Double(width) / Double(usual)) * 1000).rounded(.up) / 1000
      widthMultiplier = rounded
    }
    classes = (shapes["fc.weight"] ?? shapes["classifier.1.weight"])?.first
  }

  private init(dense shapes: [String: [Int]]) {
    var layers: [Int] = []
    for block in 1...4 {
      var count = 0
      func has(_ layer: Int) -> Bool {
        let base = "features.denseblock\(block).denselayer\(layer).conv1"
        return shapes["\(base).weight"] != nil || shapes["\(base).conv.conv_h2h.weight"] != nil
      }
      while has(count + 1) { count += 1 }
      layers.append(count)
    }
    let known = [
      "densenet121": [6, 12, 24, 16], "densenet161": [6, 12, 36, 24],
      "densenet169": [6, 12, 32, 32], "densenet201": [6, 12, 48, 32],
    ]
    let found = known.first { $0.value == layers }?.key
    name = found ?? "a DenseNet of \(layers.map(String.init).joined(separator: " + ")) layers"
    isNamed = found != nil
    alpha = Self.alpha(shapes)
    classes = shapes["classifier.weight"]?.first
  }

  private static func alpha(_ shapes: [String: [Int]]) -> Double {
    var splits: Set<[Int]> = []
    for (name, shape) in shapes.sorted(by: { $0.key < $1.key }) where splits.count < 32 {
      guard name.hasSuffix(".conv.conv_h2l.weight"), let low = shape.first else { continue }
      let base = name.dropLast("h2l.weight".count)
      guard let high = shapes["\(base)h2h.weight"]?.first else { continue }
      let (sum, overflow) = low.addingReportingOverflow(high)
      if low > 0, !overflow { splits.insert([low, sum]) }
    }
    return ResNetTraits.simplestAlpha(of: splits) ?? 0
  }
}

extension StateMismatch.Cause {
  /// The network that a file looks like, where it or the network that was expected is no residual one.
  static func family(
    of file: [String: [Int]], insteadOf network: [String: [Int]], ignoringClasses: Bool
  ) -> StateMismatch.Cause? {
    guard MobileTraits(file) != nil || MobileTraits(network) != nil,
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
      if let traits = MobileTraits(shapes) {
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
