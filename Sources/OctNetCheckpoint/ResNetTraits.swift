import OctNetCore
import OctNetModels
import OctNetSupport

/// What the keys and shapes of a state dictionary tell of the residual network that it is for, plain or octave.
///
/// Read from a file and from a network alike, so that the two can be compared where they do not fit. Downsampling has no
/// weights and cannot be told.
public struct ResNetTraits: Equatable, Sendable {
  /// Blocks of each stage.
  public var blocks: [Int]
  /// Blocks of three convolutions; else of two.
  public var isBottleneck: Bool
  /// Channels of the first stage's 3×3 convolutions.
  public var width: Int?
  /// More than 1 in a ResNeXt.
  public var groups: Int?
  /// 0 for torchvision's keys. A ratio that gives the shapes found; others may give them, too.
  public var alpha: Double?
  /// Norms stand in front of convolutions, and one behind the last stage.
  public var isPreActivation: Bool
  /// Of its stride-2 convolutions; `nil` where the weights do not tell.
  public var variant: Variant?
  /// Whether paths between the octaves are there; `nil` where the weights do not tell.
  public var lowToHigh, highToLow: Bool?
  /// Whether the path from low to high is there only where the octaves merge.
  public var keepsMerging: Bool?
  /// Whether the stem is `Stem.large`.
  public var hasLargeStem: Bool
  /// Rows and columns of the first convolution, of other stems.
  public var stemKernel: Int?
  /// Of the first convolution.
  public var inputChannels: Int?
  /// Of the classifier.
  public var classes: Int?
  /// Layers that only relatives of ResNets have: `se` in every block, a stem of several convolutions.
  public var additions: [String]

  /// The table's name of the network.
  public var modelName: String? {
    let shapes = isPreActivation ? PreActivationResNet.shapes : ResNet.shapes
    return shapes.first {
      $0.shape.blocks == blocks && $0.shape.isBottleneck == isBottleneck && $0.shape.width == width
        && $0.shape.groups == groups && additions == ($0.shape.squeezes ? ["se"] : [])
    }?.name
  }

  /// The ResNet of these blocks, which may be of another width or kind.
  public var depth: ResNetDepth? {
    ResNetDepth.allCases.first { $0.blocks == blocks && $0.isBottleneck == isBottleneck }
  }

  /// As the first convolution says; `nil` for others than OctNet's.
  public var stem: Stem? {
    if hasLargeStem { return .large }
    switch stemKernel {
    case 7: return .imagenet
    case 3: return .cifar
    default: return nil
    }
  }

  /// `nil` without a first stage, `layer1.0.…`.
  init?(_ shapes: [String: [Int]]) {
    var blocks: [Int] = []
    var additions: Set<String> = []
    for name in shapes.keys where name.hasPrefix("layer") {
      let parts = name.split(separator: ".", maxSplits: 3)
      guard parts.count > 2, let stage = Int(parts[0].dropFirst(5)), (1...9).contains(stage),
        let block = Int(parts[1]), (0..<10_000).contains(block)
      else { continue }
      while blocks.count < stage { blocks.append(0) }
      blocks[stage - 1] = max(blocks[stage - 1], block + 1)
      if !Self.layersOfABlock.contains(String(parts[2])) { additions.insert(String(parts[2])) }
    }
    guard let first = blocks.first, first > 0 else { return nil }
    self.blocks = blocks
    if shapes["conv1.0.weight"] != nil { additions.insert("conv1.0") }
    self.additions = additions.sorted()

    isPreActivation = shapes["bn.weight"] != nil
    hasLargeStem = shapes["stem.block.conv1.weight"] != nil
    isBottleneck = shapes.keys.contains { $0.hasPrefix("layer1.0.conv3.") }
    if let stem = shapes[hasLargeStem ? "stem.conv1.weight" : "conv1.weight"], stem.count == 4 {
      inputChannels = stem[1]
      if !hasLargeStem { stemKernel = stem[3] }
    }
    if let classifier = shapes["fc.weight"], classifier.count == 2 { classes = classifier[0] }
    readPlain(shapes)
    readOctaves(shapes)
  }

  private static let layersOfABlock: Set<String> = [
    "conv1", "conv2", "conv3", "bn1", "bn2", "bn3", "downsample",
  ]

  private mutating func readPlain(_ shapes: [String: [Int]]) {
    guard let first = shapes["layer1.0.conv1.weight"], let second = shapes["layer1.0.conv2.weight"],
      first.count == 4, second.count == 4
    else { return }
    alpha = 0
    width = second[0]
    if second[1] > 0 { groups = first[0] / second[1] }
  }

  private mutating func readOctaves(_ shapes: [String: [Int]]) {
    let layers = OctaveSplits.layers(shapes)
    guard !layers.isEmpty else { return }
    func channels(_ layer: String, _ paths: [String]) -> Int { OctaveSplits.channels(layer, paths, shapes) }
    func has(_ layer: String, _ path: String) -> Bool { shapes["\(layer).conv_\(path).weight"] != nil }

    alpha = Self.simplestAlpha(of: OctaveSplits.all(shapes))
    let second = channels("layer1.0.conv2.conv", ["h2h", "l2h"])
    width = second.addingReportingOverflow(channels("layer1.0.conv2.conv", ["l2l", "h2l"])).partialValue
    groups = 1
    for (path, sources) in [("h2h", ["h2h", "l2h"]), ("l2l", ["l2l", "h2l"])] {
      guard let weight = shapes["layer1.0.conv2.conv.conv_\(path).weight"], weight.count == 4, weight[1] > 0
      else { continue }
      groups = channels("layer1.0.conv1.conv", sources) / weight[1]
      break
    }
    // Where both octaves go on, that is; at α = 1 they nowhere do.
    let inner = layers.filter { has($0, "h2h") && has($0, "l2l") }
    lowToHigh = (inner.isEmpty ? layers : inner).contains { has($0, "l2h") }
    keepsMerging = lowToHigh == false && layers.contains { has($0, "l2h") }
    highToLow = layers.contains { has($0, "l2l") && has($0, "h2l") }
    let merging = "layer\(blocks.count).0.conv1.conv"
    variant = has(merging, "l2l") || has(merging, "h2l") ? .seed : .paper
  }

  /// The α of the fewest digits with ⌊α · channels⌋ = low for all of `splits`, [low, channels].
  static func simplestAlpha(of splits: Set<[Int]>) -> Double? {
    guard let some = splits.first else { return nil }
    for denominator in [8, 10, 16, 100, 1000] {
      for numerator in 1...denominator {
        let alpha = Double(numerator) / Double(denominator)
        if splits.allSatisfy({ (alpha * Double($0[1])).rounded(.down) == Double($0[0]) }) { return alpha }
      }
    }
    return Double(some[0]) / Double(some[1])
  }
}

extension ResNetTraits {
  /// In words what these have that the others have not, and the other way round, part by part.
  func differences(from other: ResNetTraits) -> (own: [String], others: [String]) {
    var own: [String] = []
    var others: [String] = []
    func compare<Value: Equatable>(_ value: (ResNetTraits) -> Value?, _ text: (Value) -> String) {
      guard let mine = value(self), let theirs = value(other), mine != theirs else { return }
      own.append(text(mine))
      others.append(text(theirs))
    }
    compare(\.layers) { $0 }
    compare(\.additions) {
      $0.isEmpty ? "usual layers" : "\($0.prefix(3).joined(separator: ", ")) beside the usual layers"
    }
    compare(\.isPreActivation) { $0 ? "norms in front of convolutions" : "norms behind convolutions" }
    // Where the layers say it already, the width adds nothing.
    if !hasUsualWidth || !other.hasUsualWidth {
      compare(\.width) { numbered($0, "channel") + " in the first stage" }
    }
    compare(\.groups) { $0 == 1 ? "ungrouped convolutions" : "convolutions in \($0) groups" }
    compare(\.alpha) { "α = \($0 == 0 ? "0" : "\($0)")" }
    compare(\.variant) { "variant \($0)" }
    compare(\.lowToHigh) { $0 ? "a path from low to high" : "no path from low to high" }
    compare(\.highToLow) { $0 ? "a path from high to low" : "no path from high to low" }
    compare(\.keepsMerging) { $0 ? "octaves that merge" : "no path from low to high where the octaves merge" }
    if hasLargeStem != other.hasLargeStem {
      compare(\.stem) { "the \($0) stem" }
    }
    compare(\.stemKernel) { kernel in
      let name = kernel == 7 ? " (imagenet)" : kernel == 3 ? " (cifar)" : ""
      return "a \(kernel)×\(kernel) stem\(name)"
    }
    compare(\.inputChannels) { numbered($0, "input channel") }
    compare(\.classes) { numbered($0, "class", plural: "classes") }
    return (own, others)
  }

  /// What to set, as `ModelConfiguration` calls it, to get the network of these traits instead of the other; empty where
  /// no settings make one.
  func settings(insteadOf other: ResNetTraits) -> [StateMismatch.Setting] {
    guard let modelName, let stem else { return [] }
    var settings: [StateMismatch.Setting] = []
    if modelName != other.modelName { settings.append(.init("name", modelName)) }
    if let alpha, alpha != other.alpha { settings.append(.init("alpha", alpha == 0 ? "0" : "\(alpha)")) }
    // The stem follows the model's name.
    let usual = NamedModel.named(modelName)?.usualStem
    if stem != other.stem || (modelName != other.modelName && stem != usual) {
      settings.append(.init("stem", stem.rawValue))
    }
    if alpha != 0 {
      if let variant, variant != other.variant ?? .paper {
        settings.append(.init("variant", variant.rawValue))
      }
      if lowToHigh == false, other.lowToHigh != false { settings.append(.init("lowToHigh", "false")) }
      if keepsMerging == true, other.keepsMerging != true { settings.append(.init("keepsMerging", "true")) }
      if highToLow == false, other.highToLow != false { settings.append(.init("highToLow", "false")) }
    }
    if let classes, classes != other.classes { settings.append(.init("classes", "\(classes)")) }
    return settings
  }

  private var hasUsualWidth: Bool { depth.map { $0.stemChannels == width } ?? false }

  private var layers: String? {
    if let depth { return depth.rawValue }
    let counts = blocks.map(String.init).joined(separator: " + ")
    return "\(counts) \(isBottleneck ? "bottlenecks" : "basic blocks")"
  }
}
