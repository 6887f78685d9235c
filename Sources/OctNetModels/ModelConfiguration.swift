import OctNetCore
import OctNetSupport

/// The layers before the first stage.
public enum Stem: String, Codable, CaseIterable, Sendable {
  /// 7×7 convolution with stride 2, then 3×3 max pooling with stride 2.
  case imagenet
  /// 3×3 convolution.
  case cifar
}

/// Everything that determines an Oct-ResNet; stored with every checkpoint.
public struct ModelConfiguration: Codable, Equatable, Sendable {
  /// One of `modelNames`.
  public var name: String
  /// Share of the channels at half resolution, 0 ... 1.
  public var alpha: Double
  /// The layers before the first stage.
  public var stem: Stem
  /// How stride 2 shrinks octave features.
  public var variant: Variant
  /// What makes maps smaller.
  public var downsampling: Downsampling
  /// Exchange between the octaves, for ablations.
  public var lowToHigh, highToLow: Bool
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
  ///   - lowToHigh: whether low maps reach high ones; for ablations.
  ///   - variant: how stride-2 convolutions shrink octave features.
  ///   - name: one of `modelNames`.
  ///   - stem: defaults to `cifar` for the CIFAR ResNets and `imagenet` for the others.
  ///   - downsampling: defaults to `strided` at α = 0, which is torchvision's ResNet, and `average` elsewhere.
  public init(
    name: String, alpha: Double = 0, stem: Stem? = nil, variant: Variant = .paper,
    downsampling: Downsampling? = nil, lowToHigh: Bool = true, highToLow: Bool = true, classes: Int = 10,
    inputHeight: Int = 32, inputWidth: Int = 32, inputChannels: Int = 3
  ) {
    self.name = name
    self.alpha = alpha
    self.stem = stem ?? (ResNetDepth(rawValue: name)?.isCIFAR == true ? .cifar : .imagenet)
    self.variant = variant
    self.downsampling = downsampling ?? .usual(alpha: alpha)
    self.lowToHigh = lowToHigh
    self.highToLow = highToLow
    self.classes = classes
    self.inputHeight = inputHeight
    self.inputWidth = inputWidth
    self.inputChannels = inputChannels
  }

  /// In the order of `ResNetDepth`.
  public static var modelNames: [String] { ResNetDepth.allCases.map(\.rawValue) }

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
  /// - Throws: `OctNetError.configuration` for an unknown name or a value out of range.
  public func makeGraph() throws -> Graph {
    let model = try ResNet(self)
    guard (0...1).contains(alpha) else {
      throw OctNetError.configuration(key: "alpha", "found \(alpha), expected a ratio from 0 to 1")
    }
    try SettingBounds.check(classes, in: SettingBounds.classes, "classes")
    let shape = MapShape(height: inputHeight, width: inputWidth, channels: inputChannels)
    try SettingBounds.check(image: shape)
    return try Graph(inputShape: shape) { try model($0) }
  }
}

extension Downsampling {
  /// Torchvision's ResNet at α = 0, the paper's octave network elsewhere.
  public static func usual(alpha: Double) -> Downsampling { alpha == 0 ? .strided : .average }
}
