import OctNetCore
import OctNetData
import OctNetSupport

/// What lies between two updates of the weights: the passes over one or more batches, clipping, the update itself and
/// the moving average.
final class WeightUpdater {
  let optimizer: Optimizer
  let average: WeightAverage?
  private let network: Network
  private let session: TrainingSession
  private let accumulator: GradientAccumulator?
  private let largestNorm: Double?
  private let configuration: TrainingConfiguration

  /// - Parameter bytesBeside: what the caller is going to allocate itself, by the size of a batch.
  /// - Throws: as `TrainingSession`, with all that the updates need.
  init(
    network: Network, configuration: TrainingConfiguration, loss: any Loss,
    bytesBeside: (Int) -> Int = { _ in 0 }
  ) throws {
    self.network = network
    self.configuration = configuration
    let threads = configuration.threads
    let groups = configuration.parameterGroups ?? []
    let copies =
      configuration.optimizer.stateCount(groups) + (configuration.emaDecay == nil ? 0 : 1)
      + (configuration.accumulationSteps > 1 ? 1 : 0)
    let copiedBytes =
      copies * network.parameters.count * MemoryLayout<Float>.stride
      + configuration.optimizer.scratchBytes(groups, network.parameters, threads: threads)
    session = try TrainingSession(
      network: network, batchSize: configuration.batchSize, threads: threads,
      loss: loss, reduction: configuration.lossReduction ?? .mean
    ) { copiedBytes + bytesBeside($0) }
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

  /// - Parameter isLast: whether the update follows this batch.
  /// - Throws: `OctNetError.training` for a loss or gradients that are not finite; the weights are those of before.
  func process(
    _ batch: Batch, isLast: Bool, learningRate: Double, dropoutSeed: UInt64
  ) throws(OctNetError) -> StepResult {
    optimizer.courses = courses
    optimizer.threads = session.activeThreads
    average?.threads = session.activeThreads
    accumulator?.threads = session.activeThreads
    guard accumulator != nil || largestNorm != nil else {
      let result = session.step(
        images: batch.images, targets: TargetPointers(batch), count: batch.count, dropoutSeed: dropoutSeed
      ) { _ in
        optimizer.queue(learningRate: learningRate)
      }
      try check(result.loss, batch, dropoutSeed)
      average?.update(from: network, updates: optimizer.step - 1)
      return result
    }
    if let accumulator, accumulator.images == 0 { accumulator.keepStatistics(of: network) }
    // All gradients come before the first update: for their norm, or because batches follow.
    let result = session.step(
      images: batch.images, targets: TargetPointers(batch), count: batch.count, dropoutSeed: dropoutSeed)
    try check(result.loss, batch, dropoutSeed)
    accumulator?.add(
      network.parameters.gradients, images: batch.count, reduction: configuration.lossReduction ?? .mean)
    if isLast { try update(learningRate: learningRate) }
    return result
  }

  /// As if the batches since the last update had not been: their gradients are dropped, and what they did to the running
  /// statistics is undone.
  func takeBackAccumulatedBatches() {
    guard let accumulator, accumulator.images > 0 else { return }
    accumulator.restoreStatistics(of: network)
    accumulator.reset()
  }

  private func update(learningRate: Double) throws(OctNetError) {
    let gradients = accumulator?.sum ?? UnsafePointer(network.parameters.gradients)
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

  private func check(_ loss: Float, _ batch: Batch, _ dropoutSeed: UInt64) throws(OctNetError) {
    guard !loss.isFinite else { return }
    let origin =
      session.firstNonFinite(images: batch.images, count: batch.count, dropoutSeed: dropoutSeed)
      ?? "the loss itself"
    throw .training(
      "the loss is not finite (\(loss.isNaN ? "NaN" : "\(loss)")), and the first such number: \(origin)")
  }
}
