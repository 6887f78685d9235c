import OctNetCore
import OctNetModels
import OctNetSupport
import OctNetTraining

/// Times what `ScaleModel` is made of. Among ranks all measure at once, and the slowest one counts.
package struct ScaleBenchmark {
  package let model: ModelConfiguration
  /// Of one rank.
  package let images: Int
  package let optimizer: OptimizerConfiguration
  package let threads: Int
  /// Of which the median counts; one more before them does not.
  package let repetitions: Int
  /// Numbers of the sums that ranks send.
  package let dtype: ReduceDtype
  /// The job that this process is one of.
  private let ranks: (any RankExchange)?

  /// - Precondition: sizes are positive.
  package init(
    model: ModelConfiguration, images: Int, optimizer: OptimizerConfiguration, threads: Int, repetitions: Int,
    dtype: ReduceDtype = .float32, ranks: (any RankExchange)? = nil
  ) {
    precondition(images > 0 && threads > 0 && repetitions > 0)
    self.model = model
    self.images = images
    self.optimizer = optimizer
    self.threads = threads
    self.repetitions = repetitions
    self.dtype = dtype
    self.ranks = ranks
  }

  /// What a rank computes, alone and as one of each of some numbers of ranks.
  /// - Throws: `OctNetError` as `RankStep`.
  package func costs(ranks counts: [Int]) throws -> ScaleCosts {
    let graph = try model.makeGraph()
    let trace = try trace()
    let passes = trace.forward + trace.backward
    let alone = try seconds(as: nil)
    var handling: [Int: Double] = [:]
    for count in Set(counts).sorted() where count > 1 {
      handling[count] = max(0, try seconds(as: SilentRanks(count)) - passes)
    }
    return ScaleCosts(
      work: .init(
        images: images, forward: trace.forward, backward: trace.backward, update: max(0, alone - passes)),
      handling: handling, gradient: GradientOrder(trace, count: ParameterStore.count(of: graph)),
      statisticsBytes: ShardedPass.statisticsBytes(of: graph))
  }

  /// Seconds of a step of the job, and of what a rank computes in it, by steps that take turns.
  /// - Precondition: this process is one of a job.
  /// - Throws: `OctNetError` as `RankStep`.
  package func stepOfJob() throws -> (seconds: Double, computation: Double) {
    guard let ranks else { preconditionFailure("a process alone has no job") }
    let (step, silent) = (try makeStep(as: ranks), try makeStep(as: SilentRanks(ranks.ranks)))
    var computation: [Double] = []
    let seconds = try median(repetitions) {
      computation.append(slowest(try silent.run()))
      return try step.run()
    }
    return (seconds, computation.dropFirst().sorted()[repetitions / 2])
  }

  /// What lies between the ranks of the job, with the messages of a bucket and with short ones.
  /// - Precondition: this process is one of a job.
  package func link(bucketBytes: Int = ScaleModel.usualBucketBytes) -> ScaleModel.Link {
    guard let ranks else { preconditionFailure("a process alone has no job") }
    let messages = ScaleModel.Messages.pairwise
    let count = max(ranks.ranks, bucketBytes / MemoryLayout<Float>.stride)
    // Slices are whole cache lines: one for each rank, so that all send to all.
    let line = AlignedBuffer.cacheLine / MemoryLayout<Float>.stride
    let short = exchange(RankSlices(count: line * ranks.ranks, ranks: ranks.ranks), ranks, times: 100)
    let long = exchange(RankSlices(count: count, ranks: ranks.ranks), ranks, times: 9)
    let bytes = 2 * Double(ranks.ranks - 1) / Double(ranks.ranks) * Double(count * MemoryLayout<Float>.stride)
    return ScaleModel.Link(
      gigabits: 8e-9 * bytes / max(long - short, 1e-9),
      latency: short / Double(2 * messages.count(ranks: ranks.ranks)), messages: messages)
  }

  /// Median seconds of both exchanges of a bucket.
  private func exchange(_ slices: RankSlices, _ ranks: any RankExchange, times: Int) -> Double {
    let size = slices.each * ranks.ranks * MemoryLayout<Float>.stride
    let (send, received) = (AlignedBuffer(byteCount: size), AlignedBuffer(byteCount: size))
    let vectors = [RankVector(send.floats, slices)]
    let clock = ContinuousClock()
    return median(times) {
      let start = clock.now
      ranks.beginAllToAll(vectors, received.floats).finish()
      ranks.beginAllGather(vectors).finish()
      return (clock.now - start).inSeconds
    }
  }

  private func seconds(as rank: (any RankExchange)?) throws -> Double {
    try median(repetitions, makeStep(as: rank).run)
  }

  private func makeStep(as rank: (any RankExchange)?) throws -> RankStep {
    try RankStep(
      model: model, images: images, optimizer: optimizer, threads: threads, dtype: dtype, ranks: rank)
  }

  /// Times that the ranks agree about, each beginning when all have come to it.
  private func median(_ times: Int, _ body: () throws -> Double) rethrows -> Double {
    var all: [Double] = []
    for _ in 0...times {
      _ = ranks?.largest(0)
      all.append(slowest(try body()))
    }
    return all.dropFirst().sorted()[times / 2]
  }

  private func slowest(_ seconds: Double) -> Double { ranks?.allGather([seconds]).max() ?? seconds }

  /// Of the median step.
  private func trace() throws -> StepTrace {
    let network = try model.makeNetwork(seed: 1)
    let shape = network.graph.shape(of: network.graph.input)
    let session = try TrainingSession(network: network, batchSize: images, threads: threads) {
      $0 * shape.count * MemoryLayout<Float>.stride + MemoryDemand.headroom()
    }
    let buffer = AlignedBuffer(byteCount: images * shape.count * MemoryLayout<Float>.stride)
    var stream = RandomStream(seed: 1, "benchmark images")
    for index in 0..<images * shape.count { buffer.floats[index] = stream.normal() }
    let labels = (0..<images).map { Int32($0 % model.classes) }
    var traces: [(seconds: Double, trace: StepTrace)] = []
    for _ in 0...repetitions {
      _ = ranks?.largest(0)
      let trace = session.trace(
        images: buffer.floats, labels: labels, count: images, in: network.parameters)
      traces.append((slowest(trace.forward + trace.backward), trace))
    }
    return traces.dropFirst().sorted { $0.seconds < $1.seconds }[repetitions / 2].trace
  }
}

/// What a network costs a rank, for a model of any number of them that was measured.
package struct ScaleCosts: Sendable {
  /// Without handling.
  package private(set) var work: ScaleModel.Work
  /// Seconds by number of ranks.
  package private(set) var handling: [Int: Double]
  package let gradient: GradientOrder
  /// Of norms, of a rank's shard.
  package let statisticsBytes: Int

  init(work: ScaleModel.Work, handling: [Int: Double], gradient: GradientOrder, statisticsBytes: Int) {
    self.work = work
    self.handling = handling
    self.gradient = gradient
    self.statisticsBytes = statisticsBytes
  }

  /// From the seconds of a step elsewhere: a third of it forward, backward as its multiplications pass, and nothing for copies and
  /// additions.
  /// - Throws: `OctNetError` for a network that does not exist.
  package init(estimating model: ModelConfiguration, images: Int, seconds: Double) throws {
    let graph = try model.makeGraph()
    self.init(
      work: .init(images: images, forward: seconds / 3, backward: seconds * 2 / 3), handling: [:],
      gradient: GradientOrder(estimating: graph), statisticsBytes: ShardedPass.statisticsBytes(of: graph))
  }

  /// With what a rank of a job was seen to compute in a step, of which forward and backward are no more than all.
  package func computing(_ seconds: Double, ranks: Int) -> ScaleCosts {
    let passes = work.forward + work.backward
    let share = min(1, seconds / passes)
    var costs = self
    costs.work.forward *= share
    costs.work.backward *= share
    // A process alone takes what it took.
    costs.work.update += passes * (1 - share)
    costs.handling[ranks] = max(0, seconds - passes)
    return costs
  }

  package func model(
    ranks: Int, bucketBytes: Int = ScaleModel.usualBucketBytes, dtype: ReduceDtype = .float32, overlaps: Bool
  ) -> ScaleModel {
    var work = work
    work.handling = handling[ranks] ?? 0
    return ScaleModel(
      work: work, gradient: gradient, bucketBytes: bucketBytes, recordBytes: ShardedPass.recordBytes,
      statisticsBytes: statisticsBytes, dtype: dtype, overlaps: overlaps)
  }
}
