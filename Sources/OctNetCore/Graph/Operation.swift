import CKernels
import OctNetSupport

/// One kind of node: what it computes, what it costs, and what its backward pass needs.
///
/// An operation has one output. It is a value: sizes and parameter indices, no memory of its own. All memory comes
/// with the context, from the arena that the planner laid out.
public protocol Operation: Sendable {
  /// Short name for profiles and tables, such as `conv` or `batch_norm`.
  var kind: String { get }
  /// Multiply–accumulates of convolutions and linear layers for one image; 0 for everything else.
  var macs: Int { get }
  /// Those of `macs` that the kernels compute; taps outside the map are skipped.
  var computedMacs: Int { get }
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

  func forward(_ context: ForwardContext)
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

public enum Pass: Sendable {
  case inference, trainingForward, backward
}

/// Forward values that a backward pass reads.
public struct BackwardReads: Sendable {
  /// So many of the inputs, from the first on.
  public var inputs = 0
  public var output = false

  public static let nothing = BackwardReads()
}

/// Parameters, gradients and running statistics as the operations see them.
public struct ParameterMemory {
  let values: UnsafeMutablePointer<Float>
  let gradients: UnsafeMutablePointer<Float>
  let buffers: UnsafeMutablePointer<Float>
  let parameterOffsets: [Int]
  let gradientOffsets: [Int]
  let bufferOffsets: [Int]
  /// Other forms of parameters, see `WeightPreparation`.
  var prepared: [ParameterID: UnsafePointer<Float>] = [:]

  func value(_ id: ParameterID) -> UnsafeMutablePointer<Float> { values + parameterOffsets[id.index] }
  func gradient(_ id: ParameterID) -> UnsafeMutablePointer<Float> { gradients + gradientOffsets[id.index] }
  func buffer(_ id: BufferID) -> UnsafeMutablePointer<Float> { buffers + bufferOffsets[id.index] }
}

public struct ForwardContext {
  let batch: Int
  let training: Bool
  let threads: Int
  /// Seed of this step's random draws for this node.
  let seed: UInt64
  let memory: ParameterMemory
  let inputs: [UnsafePointer<Float>]
  let output: UnsafeMutablePointer<Float>
  let saved: UnsafeMutableRawPointer?
  let scratch: UnsafeMutableRawPointer?
}

/// Where the gradient of an input goes: the first contribution assigns, later ones add.
public struct GradientSink {
  let pointer: UnsafeMutablePointer<Float>
  let accumulate: Bool
}

public struct BackwardContext {
  let batch: Int
  let threads: Int
  let seed: UInt64
  let memory: ParameterMemory
  let inputs: [UnsafePointer<Float>]
  let output: UnsafePointer<Float>
  let outputGradient: UnsafePointer<Float>
  /// nil where no parameter lies upstream.
  let inputGradients: [GradientSink?]
  let saved: UnsafeMutableRawPointer?
  let scratch: UnsafeMutableRawPointer?
  let profiler: Profiler?
  let updates: UpdateQueue?

  /// Runs a kernel with the updates that wait, where there are some.
  func besideUpdates(_ kernel: (UnsafePointer<oct_side_work>?) -> oct_status) -> oct_status {
    updates.map { $0.beside(kernel) } ?? kernel(nil)
  }
}

/// Kernels validate their descriptors; the graph has checked the same sizes, so a refusal is a programmer's mistake.
@inline(__always)
package func check(_ status: oct_status, _ kind: StaticString = #function) {
  precondition(status == OCT_OK, "kernel refused its descriptor in \(kind)")
}
