import CKernels
import OctNetSupport

/// One kind of node: what it computes, what it costs, and what its backward pass needs.
///
/// An operation has one output. It is a value: sizes and parameter indices, no memory of its own. All memory comes
/// with the context, from the arena that the planner laid out. Maps are float32, [image, row, column, channel].
///
/// An operation of one's own implements `kind`, `outputShape`, `forward`, `backward` and what it needs of the rest;
/// `SymbolicMap.applying(_:_:)` records it. It keeps the promise of the others when each number it writes depends on its
/// place alone and not on how many threads there are: `parallel` divides places, and a sum over many places goes through
/// partial sums whose number follows from the shapes.
public protocol Operation: Sendable {
  /// Short name for profiles and tables, such as `conv` or `batch_norm`.
  var kind: String { get }
  /// Shape of the output for one image.
  /// - Throws: `OctNetError.graph` for inputs that do not fit, with an empty layer: the graph adds its path.
  func outputShape(_ inputs: [MapShape]) throws(OctNetError) -> MapShape
  /// Multiply–accumulates of convolutions and linear layers for one image; 0 for everything else.
  var macs: Int { get }
  /// Those of `macs` that the kernels compute; taps outside the map are skipped.
  var computedMacs: Int { get }
  /// Those that it reads, each once.
  var parameters: [ParameterID] { get }
  /// What the passes that join operations may take it for.
  var role: OperationRole { get }
  /// Which forward values must stay in memory until backward has run.
  var backwardReads: BackwardReads { get }
  /// Inputs whose gradient may overwrite the output's, the best one first: backward has read an element of the one
  /// when it writes that of the other, and they are of equal shape.
  var inPlaceGradients: [Int] { get }

  /// Whether `recompute` can make the output again from the inputs and what forward saved, in one pass over memory.
  var isRecomputable: Bool { get }

  /// Images that a training batch needs at least: 2 for statistics over the batch of maps of one pixel.
  var leastTrainingBatch: Int { get }

  /// Bytes that forward leaves for backward, such as saved statistics.
  func savedBytes(batch: Int) -> Int
  /// Bytes of scratch one call needs.
  func scratchBytes(_ pass: Pass, batch: Int, threads: Int) -> Int

  /// Other forms of its parameters that inference passes of so many images read.
  func preparations(images: Int) -> [WeightPreparation]

  /// Writes every element of the output.
  func forward(_ context: ForwardContext)
  /// Writes the gradients of its parameters, and those of its inputs that somebody asks for.
  func backward(_ context: BackwardContext)
  /// The same output as that of `forward`, bit for bit, and nothing else changes. Only where `isRecomputable`.
  func recompute(_ context: ForwardContext)
  /// Whether backward reports its parts to the profiler itself.
  var profilesBackward: Bool { get }
  /// Whether backward runs the updates that wait beside its own work.
  var runsUpdates: Bool { get }
}

extension Operation {
  public var macs: Int { 0 }
  public var computedMacs: Int { macs }
  public var role: OperationRole { .opaque }
  public var parameters: [ParameterID] { [] }
  public var profilesBackward: Bool { false }
  public var runsUpdates: Bool { false }
  public var inPlaceGradients: [Int] { [] }
  public var isRecomputable: Bool { false }
  public var leastTrainingBatch: Int { 1 }
  public func recompute(_ context: ForwardContext) {
    preconditionFailure("\(kind) is not made again")
  }
  public func preparations(images: Int) -> [WeightPreparation] { [] }
  public func savedBytes(batch: Int) -> Int { 0 }
  public func scratchBytes(_ pass: Pass, batch: Int, threads: Int) -> Int { 0 }
}

/// What a graph is run for: scratch memory and fusion differ.
public enum Pass: Sendable {
  /// With running statistics; a training step's forward; a training step's backward.
  case inference, trainingForward, backward
}

/// Forward values that a backward pass reads.
public struct BackwardReads: Sendable {
  /// So many of the inputs, from the first on.
  public var inputs = 0
  /// Whether it reads the output.
  public var output = false

  /// - Parameters:
  ///   - output: whether it reads the output.
  ///   - inputs: how many of the inputs, from the first on.
  public init(inputs: Int = 0, output: Bool = false) {
    self.inputs = inputs
    self.output = output
  }

  /// Gradients alone are enough, as for a sum.
  public static let nothing = BackwardReads()
}
