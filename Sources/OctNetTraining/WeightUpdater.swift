import OctNetCore
import OctNetData
import OctNetSupport

/// What lies between two updates of the weights: the passes over one or more batches, clipping, the update itself and
/// the moving average.
final class WeightUpdater {
  let optimizer: Optimizer
  let average: WeightAverage?
  private let network: Network
  /// `nil` between two sizes of images alone: there may not be the memory for both.
  private var passes: Passes?
  private let makePasses: (Graph, _ resting: Set<Int>) throws -> Passes
  /// That `passes` are made for.
  private var graph: Graph
  /// Parameters whose groups' schedules are over, as `passes` know them.
  private var resting: Set<Int> = []
  private let accumulator: GradientAccumulator?
  /// Whether each rank updates, and remembers for it, its slices of the parameters only.
  private let isDivided: Bool
  private let largestNorm: Double?
  /// Of ranks.
  let meter = ExchangeMeter()
  private let configuration: TrainingConfiguration

  /// Over images of one size.
  private struct Passes {
    let session: TrainingSession
    let shards: ShardedPass?
  }

  /// - Parameters:
  ///   - graphs: the network's for all sizes of images that it will be trained with, of which the first comes first;
  ///     empty for its own.
  ///   - bucket: floats that ranks exchange at once.
  ///   - bytesBeside: what the caller is going to allocate itself, by the size of a batch.
  /// - Throws: as `TrainingSession`, with all that the updates need.
  init(
    network: Network, graphs: [Graph] = [], configuration: TrainingConfiguration, loss: any Loss,
    ranks: (any RankExchange)? = nil, bucket: Int = RankSum.usualBucket,
    bytesBeside: @escaping (Int) -> Int = { _ in 0 }
  ) throws {
    self.network = network
    self.configuration = configuration
    let threads = configuration.threads
    let groups = configuration.parameterGroups ?? []
    let exchange = ranks.flatMap { $0.ranks > 1 ? $0 : nil }
    isDivided = exchange != nil && configuration.dividesUpdates
    let stateCopies = configuration.optimizer.stateCount(groups)
    let copies =
      (configuration.emaDecay == nil ? 0 : 1) + (configuration.accumulationSteps > 1 ? 1 : 0)
      + (isDivided ? 0 : stateCopies)
    let parameterBytes = network.parameters.count * MemoryLayout<Float>.stride
    let stateBytes = isDivided ? stateCopies * parameterBytes / (exchange?.ranks ?? 1) : 0
    let plan = configuration.shardPlan(of: network.graph.freezingNorms(network.demand()))
    let dtype = configuration.reduceDtype ?? .float32
    let shardBytes =
      plan.map { ShardedPass.bytes(of: network, plan: $0, dtype: dtype, ranks: exchange?.ranks ?? 1) } ?? 0
    let copiedBytes =
      copies * parameterBytes + stateBytes + shardBytes
      + configuration.optimizer.scratchBytes(groups, network.parameters, threads: threads)
    makePasses = { [meter] graph, resting in
      let plan = configuration.shardPlan(of: graph.freezingNorms(network.demand()))
      let batchSize = configuration.batchSize
      let passSize = plan?.largestShard(batchSize: batchSize) ?? batchSize
      let session = try TrainingSession(
        network: network, graph: graph, batchSize: passSize, threads: threads,
        loss: loss, reduction: configuration.lossReduction ?? .mean, resting: resting
      ) { images in
        // Beside a pass of one shard lie the images of the whole batch.
        copiedBytes + bytesBeside(images == passSize ? batchSize : images * (plan?.shards ?? 1))
      }
      return Passes(
        session: session,
        shards: plan.map {
          ShardedPass(
            network: network, session: session, plan: $0, dtype: dtype, exchange: exchange, bucket: bucket,
            threads: threads, meter: meter)
        })
    }
    // What a later size needs is told before the first step.
    for graph in graphs.dropFirst() { _ = try makePasses(graph, []) }
    graph = graphs.first ?? network.graph
    passes = try makePasses(graph, [])
    optimizer = try Optimizer(
      parameters: network.parameters, configuration: configuration.optimizer,
      weightDecay: configuration.weightDecay, excludeNormsAndBiases: configuration.excludeNormsAndBiases,
      groups: groups, threads: threads)
    average = configuration.emaDecay.map { WeightAverage(of: network, decay: $0, threads: threads) }
    accumulator =
      configuration.accumulationSteps > 1
      ? GradientAccumulator(parameters: network.parameters, threads: threads) : nil
    largestNorm = configuration.clipGradientNorm
  }

  /// The weights to evaluate and to keep.
  var result: Network { average?.network ?? network }

  /// Rates of the groups with a schedule of their own, see `Optimizer.courses`.
  var courses: [Int: Double] = [:]

  /// Goes on with images of another size.
  /// - Precondition: no batches are accumulated.
  func use(_ graph: Graph) throws {
    precondition(accumulator?.images ?? 0 == 0, "an update is under way")
    self.graph = graph
    passes = nil
    passes = try makePasses(graph, resting)
  }

  /// What no longer changes need not be differentiated: where a group's schedule has ended, passes are planned again.
  private func rest() throws(OctNetError) {
    // Ranks divide the gradients of all parameters among them.
    guard passes?.shards == nil else { return }
    let over = optimizer.resting
    guard over != resting else { return }
    resting = over
    passes = nil
    do { passes = try makePasses(graph, over) } catch {
      throw error as? OctNetError ?? .training("\(error)")
    }
  }

  /// - Parameter isLast: whether the update follows this batch.
  /// - Throws: `OctNetError.training` for a loss or gradients that are not finite; the weights are those of before.
  func process(
    _ batch: Batch, isLast: Bool, learningRate: Double, dropoutSeed: UInt64
  ) throws(OctNetError) -> StepResult {
    optimizer.courses = courses
    try rest()
    guard let passes else { preconditionFailure("a size of images that no session could be made for") }
    let session = passes.session
    optimizer.threads = session.activeThreads
    average?.threads = session.activeThreads
    accumulator?.threads = session.activeThreads
    guard accumulator != nil || largestNorm != nil || passes.shards != nil else {
      let result = session.step(
        images: batch.images, targets: TargetPointers(batch), count: batch.count, dropoutSeed: dropoutSeed
      ) { _ in
        optimizer.queue(learningRate: learningRate)
      }
      try check(result.loss, batch, dropoutSeed, session)
      average?.update(from: network, updates: optimizer.step - 1)
      return result
    }
    if isDivided, let shards = passes.shards {
      let result = try pass(batch, dropoutSeed, in: shards, session) { [optimizer] in
        optimizer.beginSlices(learningRate: learningRate)
      }
      average?.update(from: network, updates: optimizer.step - 1)
      return result
    }
    if let accumulator, accumulator.images == 0 { accumulator.keepStatistics(of: network) }
    // All gradients come before the first update: for their norm, or because batches follow.
    let (result, gradients) = try pass(batch, dropoutSeed, passes)
    accumulator?.add(gradients, images: batch.count, reduction: configuration.lossReduction ?? .mean)
    if isLast { try update(accumulator?.sum ?? gradients, learningRate: learningRate) }
    return result
  }

  /// The mean loss over a batch and its gradient.
  private func pass(
    _ batch: Batch, _ dropoutSeed: UInt64, _ passes: Passes
  ) throws(OctNetError) -> (StepResult, UnsafePointer<Float>) {
    if let shards = passes.shards {
      let result = try pass(batch, dropoutSeed, in: shards, passes.session)
      return (result, shards.gradient())
    }
    let session = passes.session
    let result = session.step(
      images: batch.images, targets: TargetPointers(batch), count: batch.count, dropoutSeed: dropoutSeed)
    try check(result.loss, batch, dropoutSeed, session)
    return (result, UnsafePointer(network.parameters.gradients))
  }

  private func pass(
    _ batch: Batch, _ dropoutSeed: UInt64, in shards: ShardedPass, _ session: TrainingSession,
    update: (() -> ShardedPass.SliceUpdate)? = nil
  ) throws(OctNetError) -> StepResult {
    do { return try shards.process(batch, dropoutSeed: dropoutSeed, update: update) } catch {
      let problem = shards.agree(of: error.shard) {
        notFinite(
          error.loss, images: batch.images(from: error.range.lowerBound), count: error.range.count,
          dropoutSeed: error.dropoutSeed, session)
      }
      throw .training(problem)
    }
  }

  /// What the optimizer remembers, whole on the first rank, before it writes it.
  func gatherState() {
    if isDivided { passes?.shards?.gather(optimizer.state) }
  }

  /// As if the batches since the last update had not been: their gradients are dropped, and what they did to the running
  /// statistics is undone.
  func takeBackAccumulatedBatches() {
    guard let accumulator, accumulator.images > 0 else { return }
    accumulator.restoreStatistics(of: network)
    accumulator.reset()
  }

  private func update(
    _ gradients: UnsafePointer<Float>, learningRate: Double
  ) throws(OctNetError) {
    var scale: Float = 1
    if let accumulator, configuration.lossReduction != .sum { scale = 1 / Float(accumulator.images) }
    if let largestNorm {
      let norm = Double(scale) * optimizer.norm(of: gradients)
      guard norm.isFinite else { throw .training("the norm of the gradients is \(norm)") }
      scale *= Optimizer.clippingScale(maximum: largestNorm, norm: norm)
    }
    optimizer.update(gradients, learningRate: learningRate, gradientScale: scale)
    accumulator?.reset()
    average?.update(from: network, updates: optimizer.step - 1)
  }

  private func check(
    _ loss: Float, _ batch: Batch, _ dropoutSeed: UInt64, _ session: TrainingSession
  ) throws(OctNetError) {
    guard !loss.isFinite else { return }
    throw .training(
      notFinite(loss, images: batch.images, count: batch.count, dropoutSeed: dropoutSeed, session))
  }

  private func notFinite(
    _ loss: Float, images: UnsafePointer<Float>, count: Int, dropoutSeed: UInt64, _ session: TrainingSession
  ) -> String {
    let origin =
      session.firstNonFinite(images: images, count: count, dropoutSeed: dropoutSeed) ?? "the loss itself"
    return "the loss is not finite (\(loss.isNaN ? "NaN" : "\(loss)")), and the first such number: \(origin)"
  }
}

extension TrainingConfiguration {
  /// Whether the update of a parameter depends on its own gradient alone, at each place of it.
  var dividesUpdates: Bool {
    // Clipping needs all gradients, accumulation keeps them, and a rule for matrices needs those of a whole one.
    clipGradientNorm == nil && accumulationSteps == 1 && !optimizer.isForMatrices
      && !(parameterGroups ?? []).contains { $0.optimizer?.isForMatrices == true }
  }
}
