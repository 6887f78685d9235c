import OctNetSupport

/// The weights of a network in the form that inference reads, which never change: any number of sessions on any threads
/// share them.
///
/// ```swift
/// let model = try InferenceModel(checkpoint.makeNetwork(), batchSize: 8, threads: 2)
/// let session = try InferenceSession(model)  // memory for maps, and nothing else
/// ```
///
/// Unchecked: after `init` nothing here is written, and nobody else has the network.
public final class InferenceModel: @unchecked Sendable {
  /// Images that a session takes at most. It decides how convolutions are computed, so that all sessions of a model give the
  /// same bits.
  public let batchSize: Int
  /// Threads of a session.
  public let threads: Int
  /// Of one image.
  public let inputShape: MapShape
  /// Names and shapes, for one image.
  public let outputs: [Network.Output]

  let network: Network
  let graph: Graph
  let plan: ExecutionPlan
  let memory: ParameterMemory
  private let preparedWeights: PreparedWeights

  /// - Parameters:
  ///   - threads: of each session.
  ///   - network: handed over, and no longer the caller's. Weights that inference keeps in another form leave it, so that
  ///     none is in memory twice.
  ///   - batchSize: images that a session takes at most.
  ///   - fused: false runs every layer as it was recorded.
  /// - Throws: `OctNetError.configuration` for sizes that are out of bounds or need more memory than there is.
  public init(_ network: sending Network, batchSize: Int, threads: Int, fused: Bool = true)
    throws(OctNetError)
  {
    try SettingBounds.check(batchSize: batchSize, threads: threads, of: network.inputShape)
    let passes = InferencePasses(network.graph, fused: fused)
    let images = passes.images(of: batchSize)
    let weights = PreparedWeights.bytes(graph: passes.graph, images: images)
    try MemoryDemand.check(weights, for: "the weights of the network", key: "model")
    preparedWeights = PreparedWeights(graph: passes.graph, images: images)
    var memory = network.parameters.memory
    let released = PreparedWeights.replaced(in: passes.graph, images: images)
    preparedWeights.update(from: memory, threads: threads) { parameter in
      // One after the other: the peak is hardly higher than what remains.
      if released.contains(parameter) { network.parameters.release(parameter) }
    }
    memory.prepared = preparedWeights.pointers
    self.memory = memory
    self.batchSize = batchSize
    self.threads = threads
    graph = passes.graph
    plan = Executor.plan(graph: passes.graph, batch: images, training: false, threads: threads)
    inputShape = network.inputShape
    outputs = network.outputs
    self.network = network
  }
}

/// A graph as inference runs it, a few images at a time.
struct InferencePasses {
  let graph: Graph

  init(_ graph: Graph, fused: Bool) {
    self.graph = fused ? graph.fused(for: .inference) : graph
  }

  /// Images of a pass: passes of equal size, as few as the cache allows.
  func images(of batchSize: Int) -> Int {
    let image = ExecutionPlan(graph: graph, batch: 1, training: false, threads: 1, recomputes: false).mapBytes
    let most = max(1, InferenceSession.mapBytesOfAPass / max(1, image))
    let passes = (batchSize + most - 1) / most
    return (batchSize + passes - 1) / passes
  }
}
