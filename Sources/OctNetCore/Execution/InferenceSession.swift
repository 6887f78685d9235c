import OctNetSupport

/// Forward passes of a network with its running statistics, for batches up to a fixed size.
///
/// A large batch goes through the network a few images at a time, so that the maps between two operations are still
/// in the cache when the next one reads them. No result depends on it: every image is computed on its own. Only a session for
/// another batch size may choose another algorithm for a convolution, and so differ in the last bits.
///
/// Call it from one thread only: the worker threads belong to the thread that started them.
public final class InferenceSession {
  /// Bytes of maps that may be alive in one pass. Measured on a processor with 32 MiB of shared cache: ResNet-50 at
  /// 224×224 takes 4 images at a time, which is 4 % (α = 0) to 17 % (α = 0.5) faster than 16.
  package static let mapBytesOfAPass = 40 << 20

  /// The executor reads its parameters through plain pointers.
  private let network: Network
  private let executor: Executor
  private let preparedWeights: PreparedWeights
  /// `accesses` of the parameters when they were transformed.
  private var preparedAt: Int
  private let threads: Int
  private let batchSize: Int
  private let classes: Int
  private let results: AlignedBuffer

  /// - Parameters:
  ///   - fused: false runs every layer as it was recorded.
  ///   - takesParameters: weights that the session keeps in another form leave the network, so that no weight is in
  ///     memory twice. The network serves this session only from now on; reading or changing its parameters, or
  ///     another session, is a programmer's mistake that ends the process.
  /// - Throws: `OctNetError.graph` where the output is not a vector of logits; `OctNetError.configuration` for sizes that
  ///   are out of bounds or need more memory than there is.
  public convenience init(
    network: Network, batchSize: Int, threads: Int, fused: Bool = true, takesParameters: Bool = false
  ) throws {
    try self.init(
      network: network, batchSize: batchSize, threads: threads, fused: fused,
      takesParameters: takesParameters
    ) { _ in 0 }
  }

  /// - Parameter bytesBeside: what the caller is going to allocate beside the session, by the size of a batch.
  package init(
    network: Network, batchSize: Int, threads: Int, fused: Bool = true, takesParameters: Bool = false,
    bytesBeside: (Int) -> Int
  ) throws {
    let classes = try network.requireLogits()
    try SettingBounds.check(batchSize: batchSize, threads: threads, of: network.inputShape)
    self.classes = classes
    self.network = network
    self.batchSize = batchSize
    self.threads = threads
    let graph = fused ? network.graph.fused(for: .inference) : network.graph
    func makePlan(_ images: Int) -> ExecutionPlan {
      Executor.plan(graph: graph, batch: images, training: false, threads: threads)
    }
    let images = Self.imagesOfAPass(graph, of: batchSize)
    let plan = makePlan(images)
    let weights = PreparedWeights.bytes(graph: graph, images: images)
    try MemoryDemand.check(batchSize: batchSize, threads: threads, stack: KernelThreads.stackBytes) { batch in
      let pass = batch == batchSize ? plan : makePlan(Self.imagesOfAPass(graph, of: batch))
      return weights + pass.arenaBytes + batch * classes * MemoryLayout<Float>.stride + bytesBeside(batch)
    }
    preparedWeights = PreparedWeights(graph: graph, images: images)
    var memory = network.parameters.memory
    let released = takesParameters ? PreparedWeights.replaced(in: graph, images: images) : []
    preparedWeights.update(from: memory, threads: threads) { parameter in
      // One after the other: the peak is hardly higher than what remains.
      if released.contains(parameter) { network.parameters.release(parameter) }
    }
    preparedAt = network.parameters.accesses
    memory.prepared = preparedWeights.pointers
    executor = try Executor(graph: graph, memory: memory, plan: plan, threads: threads)
    results = AlignedBuffer(byteCount: batchSize * classes * MemoryLayout<Float>.stride)
  }

  /// Passes of equal size, as few as the cache allows.
  static func imagesOfAPass(_ graph: Graph, of batchSize: Int) -> Int {
    let image = ExecutionPlan(graph: graph, batch: 1, training: false, threads: 1, recomputes: false).mapBytes
    let most = max(1, mapBytesOfAPass / max(1, image))
    let passes = (batchSize + most - 1) / most
    return (batchSize + passes - 1) / passes
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
    precondition(count > 0 && count <= batchSize)
    if preparedAt != network.parameters.accesses {
      preparedWeights.update(from: network.parameters.memory, threads: threads)
      preparedAt = network.parameters.accesses
    }
    for first in stride(from: 0, to: count, by: executor.batch) {
      let part = min(executor.batch, count - first)
      let logits = executor.forward(images: images + first * network.inputShape.count, count: part)
      (results.floats + first * classes).update(from: logits, count: part * classes)
    }
    return UnsafeBufferPointer(start: results.floats, count: count * classes)
  }
}
