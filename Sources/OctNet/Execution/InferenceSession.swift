/// Forward passes of a network with its running statistics, for batches up to a fixed size.
///
/// Call it from one thread only: the worker threads belong to the thread that started them.
public final class InferenceSession {
  /// The executor reads its parameters through plain pointers.
  private let network: Network
  private let executor: Executor
  private let classes: Int

  /// - Throws: `OctNetError.graph` where the output is not a vector of logits.
  public init(network: Network, batchSize: Int, threads: Int, fused: Bool = true) throws {
    precondition(batchSize > 0 && threads > 0)
    classes = try network.requireLogits()
    self.network = network
    executor = Executor(
      graph: fused ? network.graph.fused(for: .inference) : network.graph,
      memory: network.parameters.memory, batch: batchSize, training: false, threads: threads)
  }

  /// Receives the time of every operation from now on; nil measures nothing.
  public var profiler: Profiler? {
    get { executor.profiler }
    set { executor.profiler = newValue }
  }

  /// Bytes of the arena that holds all maps and scratch memory.
  public var arenaBytes: Int { executor.arenaBytes }

  /// - Parameter images: [count, height, width, channels], count up to the session's batch size.
  /// - Returns: [count, classes], valid until the next call.
  public func logits(images: UnsafePointer<Float>, count: Int) -> UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: executor.forward(images: images, count: count), count: count * classes)
  }
}
