import CKernels

/// Parameters, gradients and running statistics as the operations see them.
package struct ParameterMemory {
  let values: UnsafeMutablePointer<Float>
  let gradients: UnsafeMutablePointer<Float>
  let buffers: UnsafeMutablePointer<Float>
  let parameterOffsets: [Int]
  let gradientOffsets: [Int]
  let bufferOffsets: [Int]
  /// Of each parameter: nobody asks for its gradient.
  let isFrozen: [Bool]
  /// Where operations leave gradients that nobody asks for; room for the largest of them.
  var unread: UnsafeMutablePointer<Float>?
  /// Other forms of parameters, see `WeightPreparation`.
  var prepared: [ParameterID: UnsafePointer<Float>] = [:]

  func value(_ id: ParameterID) -> UnsafeMutablePointer<Float> { values + parameterOffsets[id.index] }
  func gradient(_ id: ParameterID) -> UnsafeMutablePointer<Float> {
    if isFrozen[id.index], let unread { return unread }
    return gradients + gradientOffsets[id.index]
  }
  func buffer(_ id: BufferID) -> UnsafeMutablePointer<Float> { buffers + bufferOffsets[id.index] }
}

/// What an operation has for its forward pass. Valid during the call only.
public struct ForwardContext {
  /// Images in this pass, at most as many as the plan was made for.
  public let batch: Int
  /// Whether statistics are those of the batch, and elements are dropped.
  public let isTraining: Bool
  /// Threads that the pass may use.
  public let threads: Int
  /// Seed of this step's random draws for this node.
  public let seed: UInt64
  let memory: ParameterMemory
  let inputs: [UnsafePointer<Float>]
  /// batch × the output's shape; every element is to be written.
  public let output: UnsafeMutablePointer<Float>
  /// The bytes that `Operation.savedBytes` asked for, which backward finds again; empty at inference. Begins at a cache
  /// line.
  public let saved: UnsafeMutableRawBufferPointer
  /// The bytes that `Operation.scratchBytes` asked for; their content is undefined. Begins at a cache line.
  public let scratch: UnsafeMutableRawBufferPointer

  /// batch × the shape of an input.
  public func input(_ index: Int) -> UnsafePointer<Float> { inputs[index] }

  /// A parameter in its layout.
  public func value(_ id: ParameterID) -> UnsafePointer<Float> { UnsafePointer(memory.value(id)) }

  /// The other form of a parameter that the operation asked for; nil in passes that have none.
  public func prepared(_ id: ParameterID) -> UnsafePointer<Float>? { memory.prepared[id] }

  /// A running statistic. In training it may be changed, by one thread.
  public func buffer(_ id: BufferID) -> UnsafeMutablePointer<Float> { memory.buffer(id) }

  /// Divides 0 ..< count between the pass's threads and waits for all: `body` gets a part each time, on several threads at
  /// once. Parts are contiguous and their sizes differ by at most one; each thread gets at most one.
  public func parallel(_ count: Int, _ body: (Range<Int>) -> Void) {
    OctNetCore.parallel(count, threads: threads, body)
  }
}

/// Where the gradient of an input goes: the first contribution assigns, later ones add.
public struct GradientSink {
  /// batch × the input's shape.
  public let pointer: UnsafeMutablePointer<Float>
  /// Whether another reader of the input has left its contribution here already.
  public let accumulate: Bool
}

/// What an operation has for its backward pass. Valid during the call only.
public struct BackwardContext {
  /// Images in this pass, as in forward.
  public let batch: Int
  /// Threads that the pass may use.
  public let threads: Int
  /// Seed of this step's random draws for this node, as in forward.
  public let seed: UInt64
  let memory: ParameterMemory
  let inputs: [UnsafePointer<Float>]
  /// As forward left it, where `Operation.backwardReads` asked for it; undefined elsewhere.
  public let output: UnsafePointer<Float>
  /// ∂loss/∂output, batch × the output's shape.
  public let outputGradient: UnsafePointer<Float>
  /// nil where no parameter lies upstream.
  let inputGradients: [GradientSink?]
  /// What forward left.
  public let saved: UnsafeMutableRawBufferPointer
  /// The bytes that `Operation.scratchBytes` asked for; their content is undefined. Begins at a cache line.
  public let scratch: UnsafeMutableRawBufferPointer
  let profiler: Profiler?
  let updates: UpdateQueue?

  /// As forward read it, where `Operation.backwardReads` asked for it; undefined elsewhere.
  public func input(_ index: Int) -> UnsafePointer<Float> { inputs[index] }

  /// Where ∂loss/∂input goes; nil where nobody asks for it.
  public func inputGradient(_ index: Int) -> GradientSink? { inputGradients[index] }

  /// A parameter in its layout.
  public func value(_ id: ParameterID) -> UnsafePointer<Float> { UnsafePointer(memory.value(id)) }

  /// Whether anybody asks for a parameter's gradient; nobody does where it is frozen.
  public func needsGradient(_ id: ParameterID) -> Bool { !memory.isFrozen[id.index] }

  /// Where ∂loss/∂parameter goes, in the parameter's layout: every element is to be assigned, not added to. What
  /// is written for a parameter that is frozen is lost.
  public func gradient(_ id: ParameterID) -> UnsafeMutablePointer<Float> {
    memory.gradient(id)
  }

  /// A running statistic.
  public func buffer(_ id: BufferID) -> UnsafePointer<Float> { UnsafePointer(memory.buffer(id)) }

  /// As `ForwardContext.parallel(_:_:)`.
  public func parallel(_ count: Int, _ body: (Range<Int>) -> Void) {
    OctNetCore.parallel(count, threads: threads, body)
  }

  /// Runs a kernel with the updates that wait, where there are some.
  func besideUpdates(_ kernel: (UnsafePointer<oct_side_work>?) -> oct_status) -> oct_status {
    updates.map { $0.beside(kernel) } ?? kernel(nil)
  }
}

/// Divides 0 ..< count between so many of OpenMP's threads and waits for all of them.
package func parallel(_ count: Int, threads: Int, _ body: (Range<Int>) -> Void) {
  precondition(count >= 0 && threads > 0)
  withoutActuallyEscaping(body) { body in
    withUnsafePointer(to: body) { body in
      oct_parallel(
        count, Int32(threads),
        { context, first, end in
          context?.assumingMemoryBound(to: ((Range<Int>) -> Void).self).pointee(first..<end)
        }, body)
    }
  }
}

/// Kernels validate their descriptors; the graph has checked the same sizes, so a refusal is a programmer's mistake.
@inline(__always)
package func check(_ status: oct_status, _ kind: StaticString = #function) {
  precondition(status == OCT_OK, "kernel refused its descriptor in \(kind)")
}
