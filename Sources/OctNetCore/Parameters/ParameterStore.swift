import OctNetSupport

/// Every trainable parameter of a network in one aligned buffer, its gradients in a second, and the running
/// statistics in a third.
///
/// Convolution weights are in the kernels' blocked layout; its padding is zero and stays zero under every
/// optimizer, so an optimizer may treat the buffer as one long vector.
public final class ParameterStore {
  /// A parameter's place in the buffers.
  public struct Entry: Sendable {
    /// Dotted, as in the state dictionary.
    public let name: String
    /// What it is for; weight decay may leave out norms and biases.
    public let kind: ParameterKind
    /// Floats of the buffers that belong to this parameter.
    public let range: Range<Int>
    /// Training leaves it as it is: no gradient is computed and no optimizer changes it (`Network.freeze`).
    public package(set) var isFrozen = false
    /// As in the state dictionary.
    package let shape: [Int]
    /// How it lies in `range`; nil where that is the order of the state dictionary.
    package let layout: (any ParameterLayout)?
    /// Of filters that are not alone.
    package let target: FilterTarget?

    /// From the state dictionary's order to where the parameter, or what an optimizer remembers of it, is stored.
    package func pack(_ source: UnsafePointer<Float>, into stored: UnsafeMutablePointer<Float>) {
      if let layout {
        layout.pack(source, into: stored)
      } else {
        stored.update(from: source, count: range.count)
      }
    }

    /// The way back.
    package func unpack(_ stored: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>) {
      if let layout {
        layout.unpack(stored, into: target)
      } else {
        target.update(from: stored, count: range.count)
      }
    }
  }

  /// In the order of the graph's parameters.
  public package(set) var entries: [Entry]
  /// Floats in each of the two buffers, alignment gaps included (they hold zeros).
  public let count: Int

  private let valueBuffer, gradientBuffer, stateBuffer: AlignedBuffer
  private let bufferOffsets: [Int]
  /// Floats of the running statistics, alignment gaps included.
  package let stateCount: Int

  init(graph: Graph) {
    let ranges = Self.ranges(of: graph)
    entries = zip(graph.parameters, ranges).map { parameter, range in
      Entry(
        name: parameter.name, kind: parameter.kind, range: range, isFrozen: parameter.isFrozen,
        shape: parameter.shape, layout: parameter.layout, target: parameter.target)
    }
    count = Self.count(of: graph)
    let (offsets, end) = Self.aligned(graph.buffers.map(\.count))
    bufferOffsets = offsets
    stateCount = end
    valueBuffer = AlignedBuffer(byteCount: count * MemoryLayout<Float>.stride)
    gradientBuffer = AlignedBuffer(byteCount: count * MemoryLayout<Float>.stride)
    stateBuffer = AlignedBuffer(byteCount: end * MemoryLayout<Float>.stride)
  }

  /// Where each of a graph's parameters would be.
  package static func ranges(of graph: Graph) -> [Range<Int>] {
    let sizes = graph.parameters.map(\.storedCount)
    return zip(aligned(sizes).offsets, sizes).map { $0..<$0 + $1 }
  }

  /// Floats of all of them, and of the running statistics, gaps included.
  package static func count(of graph: Graph) -> Int { aligned(graph.parameters.map(\.storedCount)).count }
  package static func stateCount(of graph: Graph) -> Int { aligned(graph.buffers.map(\.count)).count }

  /// Each begins a cache line.
  private static func aligned(_ sizes: [Int]) -> (offsets: [Int], count: Int) {
    let lane = AlignedBuffer.cacheLine / MemoryLayout<Float>.stride
    var end = 0
    let offsets = sizes.map { size in
      defer { end = (end + size + lane - 1) / lane * lane }
      return end
    }
    return (offsets, end)
  }

  /// Ask for the pointer again before each change: that is how an inference session, which keeps some weights in another
  /// form, notices it.
  ///
  /// - Precondition: no inference session took the parameters over.
  public var values: UnsafeMutablePointer<Float> {
    precondition(!isReleased, "an inference session has taken the parameters of this network over")
    accesses &+= 1
    return valueBuffer.floats
  }
  /// How often somebody may have begun to change the values.
  private(set) var accesses = 0
  /// Of the last step, in the order of `values`; zeros before the first.
  public var gradients: UnsafeMutablePointer<Float> { gradientBuffer.floats }
  /// Running statistics.
  package var states: UnsafeMutablePointer<Float> { stateBuffer.floats }

  package func buffer(_ id: BufferID) -> UnsafeMutablePointer<Float> {
    stateBuffer.floats + bufferOffsets[id.index]
  }

  /// Nobody computes them, so nothing else would.
  package func clearGradients(isFrozen: [Bool]) {
    for (entry, isFrozen) in zip(entries, isFrozen) where isFrozen {
      (gradientBuffer.floats + entry.range.lowerBound).update(repeating: 0, count: entry.range.count)
    }
  }

  /// Whether some parameters are no longer here.
  private(set) var isReleased = false

  /// Gives the memory of a parameter back to the system.
  func release(_ id: ParameterID) {
    isReleased = true
    let range = entries[id.index].range, stride = MemoryLayout<Float>.stride
    valueBuffer.release(range.lowerBound * stride..<range.upperBound * stride)
  }

  package var memory: ParameterMemory { memory(isFrozen: entries.map(\.isFrozen)) }

  /// - Parameter isFrozen: of each parameter: nobody asks for its gradient.
  package func memory(isFrozen: [Bool]) -> ParameterMemory {
    precondition(!isReleased, "an inference session has taken the parameters of this network over")
    let offsets = entries.map(\.range.lowerBound)
    return ParameterMemory(
      values: valueBuffer.floats, gradients: gradients, buffers: stateBuffer.floats,
      parameterOffsets: offsets,
      gradientOffsets: offsets, bufferOffsets: bufferOffsets, isFrozen: isFrozen)
  }
}
