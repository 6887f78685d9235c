import OctNetCore
import OctNetSupport

/// The layers before the first stage.
public enum Stem: String, Codable, CaseIterable, Sendable {
  /// 7×7 convolution with stride 2, then 3×3 max pooling with stride 2.
  case imagenet
  /// 3×3 convolution.
  case cifar
  /// 3×3 convolutions to an eighth, half (stride 2) and all of the channels, then a bottleneck with stride 2: that of the
  /// octave paper's ResNet-152 (tables 6 and 7), for residual networks.
  case large

  /// Height and width of the images that it is for.
  public var usualImageSize: Int { self == .cifar ? 32 : 224 }
  /// Classes of CIFAR-10, or of ImageNet.
  public var usualClasses: Int { self == .cifar ? 10 : 1000 }
}

/// Everything that determines a network of `NamedModel.all`; stored with every checkpoint.
public struct ModelConfiguration: Codable, Equatable, Sendable {
  /// One of `modelNames`.
  public var name: String
  /// Share of the channels at half resolution, 0 ... 1.
  public var alpha: Double
  /// Factor of all channels but the classifier's; `nil` where the network has none, or is as its authors have it.
  public var widthMultiplier: Double?
  /// The layers before the first stage.
  public var stem: Stem
  /// How stride 2 shrinks octave features.
  public var variant: Variant
  /// What makes maps smaller.
  public var downsampling: Downsampling
  /// Exchange between the octaves, for ablations.
  public var lowToHigh, highToLow: Bool
  /// Whether the convolutions that merge the octaves keep their path from low to high where `lowToHigh` leaves out all
  /// others, so that low maps reach the output; `nil` is no.
  public var keepsMerging: Bool?
  /// Outputs of the classifier.
  public var classes: Int
  /// Of an image.
  public var inputHeight, inputWidth, inputChannels: Int

  /// - Parameters:
  ///   - alpha: share of the channels in the low map, 0 ... 1.
  ///   - classes: outputs of the classifier.
  ///   - highToLow: whether high maps reach low ones; for ablations.
  ///   - inputChannels: channels of its input.
  ///   - inputHeight: rows of an image.
  ///   - inputWidth: columns of an image.
  ///   - keepsMerging: whether the convolutions that merge the octaves read low maps although `lowToHigh` is false.
  ///   - lowToHigh: whether low maps reach high ones; for ablations.
  ///   - variant: how stride-2 convolutions shrink octave features.
  ///   - name: one of `modelNames`.
  ///   - stem: defaults to the model's usual one.
  ///   - widthMultiplier: factor of all channels but the classifier's, for networks that take one.
  ///   - downsampling: defaults to `strided` at α = 0, which is torchvision's ResNet, and `average` elsewhere.
  public init(
    name: String, alpha: Double = 0, widthMultiplier: Double? = nil, stem: Stem? = nil,
    variant: Variant = .paper,
    downsampling: Downsampling? = nil, lowToHigh: Bool = true, highToLow: Bool = true,
    keepsMerging: Bool? = nil, classes: Int = 10,
    inputHeight: Int = 32, inputWidth: Int = 32, inputChannels: Int = 3
  ) {
    self.name = name
    self.alpha = alpha
    self.widthMultiplier = widthMultiplier
    self.stem = stem ?? NamedModel.named(name)?.usualStem ?? .imagenet
    self.variant = variant
    self.downsampling = downsampling ?? .usual(alpha: alpha)
    self.lowToHigh = lowToHigh
    self.highToLow = highToLow
    self.keepsMerging = keepsMerging
    self.classes = classes
    self.inputHeight = inputHeight
    self.inputWidth = inputWidth
    self.inputChannels = inputChannels
  }

  /// In the order of `NamedModel.all`.
  public static var modelNames: [String] { NamedModel.all.map(\.name) }

  /// Builds the network and initialises its parameters from `seed`.
  ///
  /// - Throws: as `makeGraph`; `OctNetError.configuration` where the parameters need more memory than there is.
  public func makeNetwork(seed: UInt64 = 0) throws -> Network {
    let graph = try makeGraph()
    // Initial values are made beside the parameters; gradients are counted where they are written.
    let numbers =
      graph.parameters.reduce(0) { $0 + $1.storedCount } + (graph.parameters.map(\.count).max() ?? 0)
    try MemoryDemand.check(
      numbers * MemoryLayout<Float>.stride,
      for: "the parameters of \(name) with \(numbered(classes, "class", plural: "classes"))",
      key: "model")
    return Network(graph: graph, seed: seed)
  }

  /// The network without memory, for tables and plans.
  ///
  /// - Throws: `OctNetError.configuration` for an unknown name or a value out of range; `OctNetError.graph`, naming the
  ///   layer, for an α at which groups do not divide the channels of a path.
  public func makeGraph() throws -> Graph {
    guard let known = NamedModel.named(name) else {
      throw OctNetError.unknownModel(name, expected: Self.modelNames)
    }
    try known.check(self)
    try SettingBounds.check(classes, in: SettingBounds.classes, "classes")
    let shape = MapShape(height: inputHeight, width: inputWidth, channels: inputChannels)
    try SettingBounds.check(image: shape)
    let model = try known.build(self)
    return try Graph(inputShape: shape) { try model($0) }
  }
}

extension ModelConfiguration {
  /// Whether a convolution from maps of one ratio to those of another reads low maps for its high ones.
  func readsLow(alphaOut: Double) -> Bool { lowToHigh || keepsMerging == true && alphaOut == 0 }
}

extension Downsampling {
  /// Torchvision's ResNet at α = 0, the paper's octave network elsewhere.
  public static func usual(alpha: Double) -> Downsampling { alpha == 0 ? .strided : .average }
}
