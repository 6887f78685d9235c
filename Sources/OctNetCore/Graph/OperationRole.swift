/// What an operation is to the passes over the graph. They join operations that share their memory traffic, and know them by
/// their roles alone: an operation takes part by saying what it is.
public struct OperationRole: Sendable {
  enum Kind: Sendable {
    case opaque
    case addition
    case activation(Activation)
    case upsampling
    case convolution(any JoinableConvolution)
    case norm(any JoinableNorm)
  }

  let kind: Kind

  private init(_ kind: Kind) { self.kind = kind }

  /// Nothing that a pass knows.
  public static let opaque = OperationRole(.opaque)
  /// The sum of its two inputs, element by element.
  public static let addition = OperationRole(.addition)
  /// A function of each element of its input.
  public static func activation(_ activation: Activation) -> OperationRole { .init(.activation(activation)) }
  /// Nearest upsampling of its input by two, cropped.
  static let upsampling = OperationRole(.upsampling)
  static func convolution(_ operation: any JoinableConvolution) -> OperationRole {
    .init(.convolution(operation))
  }
  static func norm(_ operation: any JoinableNorm) -> OperationRole { .init(.norm(operation)) }
}

/// A convolution that can take what follows it into its accumulation. Each function returns nil where it cannot.
protocol JoinableConvolution: Operation {
  /// This sum and another one. Inputs: this one's, then the other's.
  func adding(_ other: any JoinableConvolution) -> (any JoinableConvolution)?
  /// This sum and a map of this shape upsampled by two, which is one more input.
  func adding(upsampled low: MapShape) -> (any JoinableConvolution)?
  /// The norm of this sum with running statistics, for inference. Further inputs: those of the norm behind its first.
  func normalized(by norm: any JoinableNorm) -> (any JoinableConvolution)?
  /// An activation of this sum. In training only one whose derivative follows from the output.
  func activated(by activation: Activation) -> (any JoinableConvolution)?
}

/// A norm that can take what follows it into its pass over memory. Each function returns nil where it cannot.
protocol JoinableNorm: Operation {
  /// Whether it normalises with its running statistics in training too.
  var isFrozen: Bool { get }
  /// The same with running statistics in training, which stand still.
  func frozen() -> any JoinableNorm
  func activated(by activation: Activation) -> (any JoinableNorm)?
  /// The sum of the norm and a second input.
  func addingResidual() -> (any JoinableNorm)?
}
