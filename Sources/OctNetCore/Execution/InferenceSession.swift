import OctNetSupport

/// Forward passes of a network with its running statistics, for batches up to a fixed size.
///
/// A large batch goes through the network a few images at a time, so that the maps between two operations are still
/// in the cache when the next one reads them. No result depends on it: every image is computed on its own. Only a session for
/// another batch size may choose another algorithm for a convolution, and so differ in the last bits.
///
/// Call it from one thread only: the worker threads belong to the thread that started them. For callers on many threads
/// there is `InferenceService`.
public final class InferenceSession {
  /// Bytes of maps that may be alive in one pass. Measured on a processor with 32 MiB of shared cache: ResNet-50 at
  /// 224×224 takes 4 images at a time, which is 4 % (α = 0) to 17 % (α = 0.5) faster than 16.
  package static let mapBytesOfAPass = 40 << 20

  /// Where the executor's plain pointers to weights lead.
  private enum Weights {
    /// A network that may be trained meanwhile: the session follows its weights.
    case network(Network, PreparedWeights)
    case model(InferenceModel)
  }

  /// Of one image.
  public let inputShape: MapShape
  /// Names and shapes, for one image.
  public let outputs: [Network.Output]
  /// Images that the session takes at most.
  public let batchSize: Int
  private let weights: Weights
  private let executor: Executor
  /// `accesses` of the parameters when their other forms were made.
  private var preparedAt = 0
  private var governor: ThreadGovernor
  private let results: [AlignedBuffer]

  /// A session whose weights follow those of a network.
  ///
  /// - Parameters:
  ///   - batchSize: images that a call takes at most.
  ///   - network: what is run.
  ///   - threads: OpenMP threads that it uses.
  ///   - fused: false runs every layer as it was recorded.
  /// - Throws: `OctNetError.configuration` for sizes that are out of bounds or need more memory than there is.
  public convenience init(network: Network, batchSize: Int, threads: Int, fused: Bool = true) throws {
    try self.init(network: network, batchSize: batchSize, threads: threads, fused: fused) { _ in 0 }
  }

  /// - Parameters:
  ///   - wholeBatch: images of a batch that other sessions compute the rest of: the convolutions' algorithms are those of a
  ///     session for all of it, and so are the bits.
  ///   - bytesBeside: what the caller is going to allocate beside the session, by the size of a batch.
  package init(
    network: Network, batchSize: Int, wholeBatch: Int? = nil, threads: Int, fused: Bool = true,
    bytesBeside: (Int) -> Int
  ) throws {
    try SettingBounds.check(batchSize: batchSize, threads: threads, of: network.inputShape)
    let passes = InferencePasses(network.graph, fused: fused)
    let images = passes.images(of: batchSize)
    let plan = Executor.plan(graph: passes.graph, batch: images, training: false, threads: threads)
    let preparedFor = passes.images(of: wholeBatch ?? batchSize)
    let weights = PreparedWeights.bytes(graph: passes.graph, images: preparedFor)
    try Self.checkMemory(passes.graph, plan, batchSize: batchSize, threads: threads, outputs: network.outputs)
    {
      weights + bytesBeside($0)
    }
    let prepared = PreparedWeights(graph: passes.graph, images: preparedFor)
    var memory = network.parameters.memory
    prepared.update(from: memory, threads: threads)
    preparedAt = network.parameters.accesses
    memory.prepared = prepared.pointers
    self.weights = .network(network, prepared)
    self.batchSize = batchSize
    governor = ThreadGovernor(threads: threads)
    inputShape = network.inputShape
    outputs = network.outputs
    executor = try Executor(graph: passes.graph, memory: memory, plan: plan, threads: threads)
    results = Self.results(outputs, batchSize)
  }

  /// A session of shared weights, with memory of its own for maps only.
  ///
  /// - Throws: `OctNetError.configuration` where there is not so much memory.
  public convenience init(_ model: InferenceModel) throws(OctNetError) {
    try self.init(model) { _ in 0 }
  }

  /// - Parameter bytesBeside: what the caller is going to allocate beside the session, by the size of a batch.
  package init(_ model: InferenceModel, bytesBeside: (Int) -> Int) throws(OctNetError) {
    try Self.checkMemory(
      model.graph, model.plan, batchSize: model.batchSize, threads: model.threads, outputs: model.outputs
    ) { bytesBeside($0) }
    weights = .model(model)
    batchSize = model.batchSize
    governor = ThreadGovernor(threads: model.threads)
    inputShape = model.inputShape
    outputs = model.outputs
    executor = try Executor(
      graph: model.graph, memory: model.memory, plan: model.plan, threads: model.threads)
    results = Self.results(outputs, batchSize)
  }

  private static func checkMemory(
    _ graph: Graph, _ plan: ExecutionPlan, batchSize: Int, threads: Int, outputs: [Network.Output],
    beside: (Int) -> Int
  ) throws(OctNetError) {
    let output = outputs.reduce(0) { $0 + $1.shape.count } * MemoryLayout<Float>.stride
    let passes = InferencePasses(graph, fused: false)
    try MemoryDemand.check(batchSize: batchSize, threads: threads, stack: KernelThreads.stackBytes) { batch in
      let pass =
        batch == batchSize
        ? plan
        : Executor.plan(graph: graph, batch: passes.images(of: batch), training: false, threads: threads)
      return pass.arenaBytes + batch * output + beside(batch)
    }
  }

  private static func results(_ outputs: [Network.Output], _ batchSize: Int) -> [AlignedBuffer] {
    outputs.map { AlignedBuffer(byteCount: batchSize * $0.shape.count * MemoryLayout<Float>.stride) }
  }

  /// Receives the time of every operation from now on; nil measures nothing.
  public var profiler: Profiler? {
    get { executor.profiler }
    set { executor.profiler = newValue }
  }

  /// Bytes of the arena that holds all maps and scratch memory.
  public var arenaBytes: Int { executor.arenaBytes }

  // MARK: Passes

  /// The first output, which are the logits of a classifier.
  ///
  /// - Parameter images: [count, height, width, channels], normalised, up to the session's batch size of them.
  /// - Returns: [count, …].
  /// - Throws: `OctNetError.configuration` for an array of another length.
  public func logits(images: [Float]) throws(OctNetError) -> [Float] {
    let count = try inputShape.checkedCount(ofNumbers: images.count, batchSize: batchSize)
    run(images, count: count)
    return Array(output(0, count: count))
  }

  /// All outputs by their names.
  ///
  /// - Parameter images: [count, height, width, channels], normalised, up to the session's batch size of them.
  /// - Returns: [count, …] each.
  /// - Throws: `OctNetError.configuration` for an array of another length.
  public func outputs(images: [Float]) throws(OctNetError) -> [String: [Float]] {
    let count = try inputShape.checkedCount(ofNumbers: images.count, batchSize: batchSize)
    run(images, count: count)
    var result: [String: [Float]] = [:]
    for (index, output) in outputs.enumerated() {
      result[output.name] = Array(self.output(index, count: count))
    }
    return result
  }

  /// The outputs where they lie, without a copy.
  ///
  /// - Parameters:
  ///   - images: [count, height, width, channels], normalised, up to the session's batch size of them.
  ///   - body: gets [count, …] of each output in the order of `outputs`, which are gone when it returns.
  /// - Throws: `OctNetError.configuration` for a buffer of another length, and what `body` throws.
  public func withOutputs<Result>(
    images: UnsafeBufferPointer<Float>, _ body: ([UnsafeBufferPointer<Float>]) throws -> Result
  ) throws -> Result {
    let count = try inputShape.checkedCount(ofNumbers: images.count, batchSize: batchSize)
    if let base = images.baseAddress { run(base, count: count) }
    return try body(outputs.indices.map { output($0, count: count) })
  }

  /// Of those that were asked for, the threads that the next call uses (`ThreadGovernor`).
  package var activeThreads: Int { governor.threads }

  /// The first output without a copy, and without a check of the length.
  package func logits(images: UnsafePointer<Float>, count: Int) -> UnsafeBufferPointer<Float> {
    precondition(count > 0 && count <= batchSize)
    run(images, count: count)
    return output(0, count: count)
  }

  private func output(_ index: Int, count: Int) -> UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: results[index].floats, count: count * outputs[index].shape.count)
  }

  private func run(_ images: UnsafePointer<Float>, count: Int) {
    governor.measure(images: count) { run(images, count: count, threads: $0) }
  }

  private func run(_ images: UnsafePointer<Float>, count: Int, threads: Int) {
    executor.threads = threads
    if case .network(let network, let prepared) = weights, preparedAt != network.parameters.accesses {
      prepared.update(from: network.parameters.memory, threads: threads)
      preparedAt = network.parameters.accesses
    }
    for first in stride(from: 0, to: count, by: executor.batch) {
      let part = min(executor.batch, count - first)
      _ = executor.forward(images: images + first * inputShape.count, count: part)
      for (index, output) in outputs.enumerated() {
        let size = output.shape.count
        (results[index].floats + first * size).update(from: executor.output(index), count: part * size)
      }
    }
  }
}
