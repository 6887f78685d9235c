import OctNetCore
import OctNetModels
import OctNetSupport

extension ModelConfiguration {
  /// The network of `NamedModel.all` that has these keys and shapes, but for the classifier, which need not be there, and
  /// counters; nil where none has. A prefix that all keys share (`module.`) is seen through.
  ///
  /// What has no weights cannot be told: downsampling (that of a network of its α is assumed), the stem of MobileNets, and
  /// the size of images (that of the stem).
  public static func recognized(in state: StateDictionary) -> ModelConfiguration? {
    recognized(state.filter { !$0.value.isCounter }.map { ($0.name, $0.value.shape) })
  }

  static func recognized(_ shapes: [(name: String, shape: [Int])]) -> ModelConfiguration? {
    first(of: shapes) { guess, stripped in guess.hasKeys(of: stripped) }
  }

  /// The network that a few of the keys and shapes are of, whatever the others: what a file looks like that is of none.
  public static func resembled(by state: StateDictionary) -> ModelConfiguration? {
    first(of: state.filter { !$0.value.isCounter }.map { ($0.name, $0.value.shape) }) { _, _ in true }
  }

  private static func first(
    of shapes: [(name: String, shape: [Int])], where isMatch: (ModelConfiguration, [String: [Int]]) -> Bool
  ) -> ModelConfiguration? {
    for prefix in sharedPrefixes(shapes.map(\.name)) {
      let stripped = Dictionary(
        shapes.map { (String($0.name.dropFirst(prefix.count)), $0.shape) },
        uniquingKeysWith: { first, _ in first })
      if let guess = guess(stripped), isMatch(guess, stripped) { return guess }
    }
    return nil
  }

  /// The empty one first; wrappers are not nested deeper than eight.
  private static func sharedPrefixes(_ names: [String]) -> [String] {
    var prefixes = [""]
    for part in (names.first ?? "").split(separator: ".", omittingEmptySubsequences: false).dropLast().prefix(
      8)
    {
      let prefix = (prefixes.last ?? "") + part + "."
      guard names.allSatisfy({ $0.hasPrefix(prefix) }) else { break }
      prefixes.append(prefix)
    }
    return prefixes
  }

  /// As a few keys say.
  private static func guess(_ shapes: [String: [Int]]) -> ModelConfiguration? {
    if let traits = ResNetTraits(shapes) { return guess(traits) }
    guard let traits = NonResidualTraits(shapes), traits.isNamed, let inputs = traits.inputChannels else {
      return nil
    }
    return ModelConfiguration(
      name: traits.name, alpha: traits.alpha, widthMultiplier: traits.widthMultiplier, stem: traits.stem,
      inputChannels: inputs, classes: traits.classes)
  }

  private static func guess(_ traits: ResNetTraits) -> ModelConfiguration? {
    guard let name = traits.modelName, let stem = traits.stem, let alpha = traits.alpha else { return nil }
    var guess = ModelConfiguration(
      name: name, alpha: alpha, stem: stem, inputChannels: traits.inputChannels ?? 3,
      classes: traits.classes)
    guess.variant = traits.variant ?? .paper
    guess.lowToHigh = traits.lowToHigh ?? true
    guess.highToLow = traits.highToLow ?? true
    guess.keepsMerging = traits.keepsMerging == true ? true : nil
    return guess
  }

  private init(
    name: String, alpha: Double, widthMultiplier: Double? = nil, stem: Stem? = nil, inputChannels: Int,
    classes: Int?
  ) {
    let stem = stem ?? NamedModel.named(name)?.usualStem ?? .imagenet
    self.init(
      name: name, alpha: alpha, widthMultiplier: widthMultiplier, stem: stem,
      classes: classes ?? stem.usualClasses, inputHeight: stem.usualImageSize,
      inputWidth: stem.usualImageSize, inputChannels: inputChannels)
  }

  /// Whether the network has all these keys in these shapes and no others, the classifier aside.
  private func hasKeys(of shapes: [String: [Int]]) -> Bool {
    // Nobody builds a graph of what a hostile file says of itself without a look at it: as many keys bound it.
    guard shapes.count < 20_000, classes > 0, inputChannels > 0, let graph = try? makeGraph() else {
      return false
    }
    let slots = StateFitting.slots(of: graph).filter { !$0.isCounter && !StateFitting.isHead($0.name) }
    let body = shapes.keys.count { !StateFitting.isHead($0) && !$0.hasSuffix("num_batches_tracked") }
    return body == slots.count && slots.allSatisfy { shapes[$0.name] == $0.shape }
  }
}
