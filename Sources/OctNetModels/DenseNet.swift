import OctNetCore
import OctNetSupport

/// The numbers of a DenseNet.
public struct DenseShape: Equatable, Sendable {
  /// Layers of each block.
  public var blocks: [Int]
  /// Channels that a layer adds (k in the paper).
  public var growth = 32
  /// Channels in front of the first block.
  public var stemChannels = 64

  /// At least one block, each number positive.
  public init(blocks: [Int], growth: Int = 32, stemChannels: Int = 64) {
    precondition(!blocks.isEmpty && growth > 0 && stemChannels > 0)
    self.blocks = blocks
    self.growth = growth
    self.stemChannels = stemChannels
  }
}

/// A DenseNet (Huang et al. 2017, arXiv 1608.06993, table 1), at α = 0 torchvision's. Blocks 1 to 3 are octave, as in the
/// octave paper's ablations: each layer adds to both maps, and the transition to the last block merges them.
///
/// ε of the norms is torchvision's 1e-5 at α = 0 and the authors' 1e-4 elsewhere.
public struct DenseNet: Layer {
  package static let shapes: [(name: String, shape: DenseShape)] = [
    ("densenet121", DenseShape(blocks: [6, 12, 24, 16])),
    ("densenet161", DenseShape(blocks: [6, 12, 36, 24], growth: 48, stemChannels: 96)),
    ("densenet169", DenseShape(blocks: [6, 12, 32, 32])),
    ("densenet201", DenseShape(blocks: [6, 12, 48, 32])),
  ]
  static let models = shapes.map { name, shape in NamedModel(name) { DenseNet(shape, $0) } }

  public let name = ""
  /// Its numbers.
  public let shape: DenseShape
  /// Everything else that determines it.
  public let configuration: ModelConfiguration
  /// Behind every norm.
  public var activation: any Layer = ReLU()
  private let style: ConvNormStyle

  /// - Parameter configuration: its classes are those of the classifier; its input's height and width are not read.
  /// - Throws: `OctNetError.configuration` for an unknown name.
  public init(_ configuration: ModelConfiguration) throws(OctNetError) {
    guard let shape = Self.shapes.first(where: { $0.name == configuration.name })?.shape else {
      throw .unknownModel(configuration.name, expected: Self.shapes.map(\.name))
    }
    self.init(shape, configuration)
  }

  /// A DenseNet of any numbers, whatever the configuration's name.
  public init(_ shape: DenseShape, _ configuration: ModelConfiguration) {
    self.shape = shape
    self.configuration = configuration
    style = ConvNormStyle(
      configuration, epsilon: configuration.alpha == 0 ? 1e-5 : 1e-4, normsFirst: true)
  }

  /// The logits, a 1×1 map of as many channels as there are classes.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    let features = try x.builder.scoped("features") {
      var x = try stem(x)
      for block in shape.blocks.indices {
        if block > 0 { x = try transition(before: block, x) }
        for layer in 0..<shape.blocks[block] {
          x = try DenseLayer(
            name: "denseblock\(block + 1).denselayer\(layer + 1)", style: style,
            activation: activation, growth: shape.growth, alpha: alpha(of: block))(x)
        }
      }
      return try activation(BatchNorm2d("norm5", channels: x.channels, epsilon: style.epsilon)(x))
    }
    return try Linear(
      "classifier", inputChannels: features.channels, outputChannels: configuration.classes)(
        GlobalAvgPool()(features))
  }

  /// All blocks but the last are octave.
  private func alpha(of block: Int) -> Double { block == shape.blocks.count - 1 ? 0 : configuration.alpha }

  /// Plain at every α; `cifar` has a 3×3 convolution with stride 1 and no pool.
  private func stem(_ x: OctFeature) throws -> OctFeature {
    let isSmall = configuration.stem == .cifar
    let conv = Conv2d(
      "conv0", inputChannels: configuration.inputChannels, outputChannels: shape.stemChannels,
      kernelSize: isSmall ? 3 : 7, stride: isSmall ? 1 : 2, padding: isSmall ? 1 : 3, bias: false)
    let norm = BatchNorm2d("norm0", channels: shape.stemChannels, epsilon: style.epsilon)
    let y = try activation(norm(conv(x)))
    return isSmall ? y : try MaxPool2d(kernelSize: 3, stride: 2, padding: 1)(y)
  }

  /// Half the channels, divided by the next block's α, at half the size. Odd sizes are rounded down as torchvision does,
  /// or up where low maps have to stay half of high ones.
  private func transition(before block: Int, _ x: OctFeature) throws -> OctFeature {
    let unit = ConvNorm(
      style: style, convName: "conv", normName: "norm", inputChannels: x.channels,
      outputChannels: x.channels / 2, kernelSize: 1, stride: 1, alphaIn: x.splitRatio,
      alphaOut: alpha(of: block))
    let y = try x.builder.scoped("transition\(block)") { try unit.conv(activation(unit.norm(x))) }
    return try AvgPool2d(kernelSize: 2, stride: 2, ceilMode: configuration.alpha > 0)(y)
  }
}

/// Norm, activation, 1×1 convolution to 4 k channels; norm, activation, 3×3 convolution to k channels, beside the layer's input.
private struct DenseLayer: Layer {
  let name: String
  let style: ConvNormStyle
  let activation: any Layer
  let growth: Int
  let alpha: Double

  func forward(_ x: OctFeature) throws -> OctFeature {
    let narrow = ConvNorm(
      style: style, convName: "conv1", normName: "norm1", inputChannels: x.channels,
      outputChannels: 4 * growth, kernelSize: 1, stride: 1, alphaIn: x.splitRatio, alphaOut: alpha)
    let wide = ConvNorm(
      style: style, convName: "conv2", normName: "norm2", inputChannels: 4 * growth,
      outputChannels: growth, kernelSize: 3, stride: 1, alphaIn: alpha, alphaOut: alpha)
    let y = try narrow.conv(activation(narrow.norm(x)))
    return try concatenated([x, wide.conv(activation(wide.norm(y)))])
  }
}

extension OctFeature {
  /// A ratio that divides `channels` as the maps do: what was concatenated has the low channels of its parts, which need
  /// not be ⌊α · channels⌋ for the α of any of them.
  fileprivate var splitRatio: Double {
    if lowChannels == 0 { return 0 }
    return highChannels == 0 ? 1 : (Double(lowChannels) + 0.5) / Double(channels)
  }
}
