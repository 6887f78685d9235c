/// The numbers of a residual network (He et al. 2015, arXiv 1512.03385, table 1, and its relatives).
public struct ResidualShape: Equatable, Sendable {
  /// Of each stage: three stages are a network for images of CIFAR's size.
  public var blocks: [Int]
  /// Blocks of 1×1, 3×3 and 1×1 convolutions; else of two 3×3.
  public let isBottleneck: Bool
  /// Channels in front of the first stage.
  public let stemChannels: Int
  /// Channels of the first stage's 3×3 convolutions, and behind the stage. Both double at every stage.
  public let width, outputs: Int
  /// Of the 3×3 convolutions: more than 1 in a ResNeXt (Xie et al. 2017, arXiv 1611.05431).
  public let groups: Int
  /// Whether blocks end in squeeze and excitation of a sixteenth of their outputs (Hu et al. 2018, arXiv 1709.01507).
  public let squeezes: Bool

  /// Blocks as in a ResNet, with a 3×3 convolution of another width, in groups, or with squeeze and excitation.
  ///
  /// - Parameters:
  ///   - depth: blocks, their kind, and the channels of the stem.
  ///   - width: channels of the first stage's 3×3 convolutions; `nil` for those of the stem.
  ///   - groups: of the 3×3 convolutions; divides the width.
  ///   - squeezes: whether blocks end in squeeze and excitation.
  public init(_ depth: ResNetDepth, width: Int? = nil, groups: Int = 1, squeezes: Bool = false) {
    precondition(groups > 0 && (width ?? depth.stemChannels) % groups == 0, "groups divide the width")
    blocks = depth.blocks
    isBottleneck = depth.isBottleneck
    stemChannels = depth.stemChannels
    self.width = width ?? depth.stemChannels
    outputs = depth.stemChannels * (depth.isBottleneck ? 4 : 1)
    self.groups = groups
    self.squeezes = squeezes
  }

  /// WRN-d-k (Zagoruyko & Komodakis 2016, arXiv 1605.07146, table 1): d = 6 n + 4 layers, k times the width.
  ///
  /// - Parameters:
  ///   - depth: d, 4 more than a multiple of 6.
  ///   - factor: k.
  public init(wideDepth depth: Int, factor: Int) {
    precondition(depth > 4 && depth % 6 == 4 && factor > 0, "a Wide ResNet has 6 n + 4 layers")
    blocks = [Int](repeating: (depth - 4) / 6, count: 3)
    isBottleneck = false
    stemChannels = 16
    width = 16 * factor
    outputs = 16 * factor
    groups = 1
    squeezes = false
  }

  /// Three stages, for images of CIFAR's size.
  var isCIFAR: Bool { blocks.count == 3 }

  /// Channels behind a stage, counted from 0.
  func channels(ofStage stage: Int) -> Int { outputs << stage }

  /// A name of the table. Groups of g channels divide the low maps of the narrowest stage where α is a multiple of
  /// groups / width.
  func named(_ name: String, build: @escaping @Sendable (ModelConfiguration) throws -> any ResidualNetwork)
    -> NamedModel
  {
    NamedModel(
      name, usualStem: isCIFAR ? .cifar : .imagenet, stems: [.imagenet, .cifar, .large],
      alphas: groups == 1 ? .all : .parts(width / groups)
    ) { try build($0) }
  }
}
