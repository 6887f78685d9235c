import OctNetCore
import OctNetSupport

/// A stem, stages of residual blocks, and a classifier: what residual networks share, whatever their blocks are.
public protocol ResidualNetwork: Layer {
  /// The numbers of the networks that have a name.
  static var shapes: [(name: String, shape: ResidualShape)] { get }
  /// Its numbers.
  var shape: ResidualShape { get }
  /// Everything else that determines it.
  var configuration: ModelConfiguration { get }
  /// The layers before the first stage.
  func stem(_ x: OctFeature) throws -> OctFeature
  /// One of the stages, counted from 0, of what the one before it gives.
  func stage(_ stage: Int, _ x: OctFeature) throws -> OctFeature
  /// The classifier of what the last stage gives.
  func head(_ x: OctFeature) throws -> OctFeature
  /// A network of any numbers, whatever the configuration's name.
  init(_ shape: ResidualShape, _ configuration: ModelConfiguration)
}

extension ResidualNetwork {
  public var name: String { "" }

  /// The network of the configuration's name.
  ///
  /// - Parameter configuration: its classes are those of the classifier; its input's height and width are not read.
  /// - Throws: `OctNetError.configuration` for an unknown name.
  public init(_ configuration: ModelConfiguration) throws(OctNetError) {
    guard let shape = Self.shapes.first(where: { $0.name == configuration.name })?.shape else {
      throw .unknownModel(configuration.name, expected: Self.shapes.map(\.name))
    }
    self.init(shape, configuration)
  }

  /// The logits, a 1×1 map of as many channels as there are classes.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    var x = try stem(x)
    for stage in shape.blocks.indices { x = try self.stage(stage, x) }
    return try head(x)
  }

  /// What each part of the network gives, for a network that ends there: `stem`, `layer1`, … up to the last stage. Stages
  /// but the last are octave features. A checkpoint's weights load with `strict: false`, which leaves the classifier out.
  public func features(_ x: OctFeature) throws -> [(name: String, feature: OctFeature)] {
    var result = [(name: "stem", feature: try stem(x))]
    for stage in shape.blocks.indices {
      result.append(("layer\(stage + 1)", try self.stage(stage, result[stage].feature)))
    }
    return result
  }

  /// Channels behind a stage, counted from 0.
  public func channels(ofStage stage: Int) -> Int { shape.channels(ofStage: stage) }

  /// Mean over the pixels, then one linear layer.
  func classifier(_ x: OctFeature) throws -> OctFeature {
    try Linear(
      "fc", inputChannels: channels(ofStage: shape.blocks.count - 1), outputChannels: configuration.classes)(
        GlobalAvgPool()(x))
  }

  /// The blocks of a stage, and how α runs through them: all stages but the last are octave, and the last merges in its
  /// first block (octave paper, section 3.3).
  func blocks(ofStage stage: Int, style: ConvNormStyle, activation: any Layer) -> [ResidualPlan] {
    let isLast = stage == shape.blocks.count - 1
    let alphaOut = isLast ? 0 : configuration.alpha
    return (0..<shape.blocks[stage]).map { position in
      let isFirst = position == 0
      let alphaIn = isFirst ? (stage == 0 ? 0 : configuration.alpha) : alphaOut
      // The seed's first block of the last stage stays octave up to its last convolution.
      let staysOctave = isLast && isFirst && configuration.variant == .seed
      let before = stage == 0 ? shape.stemChannels : channels(ofStage: stage - 1)
      return ResidualPlan(
        name: "layer\(stage + 1).\(position)", style: style, activation: activation, shape: shape,
        inputChannels: isFirst ? before : channels(ofStage: stage), width: shape.width << stage,
        outputChannels: channels(ofStage: stage), stride: isFirst && stage > 0 ? 2 : 1, alphaIn: alphaIn,
        alphaInner: staysOctave ? alphaIn : alphaOut, alphaOut: alphaOut)
    }
  }
}
