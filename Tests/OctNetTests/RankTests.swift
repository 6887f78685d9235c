import Synchronization
import Testing

import OctNet
@testable import OctNetCore
@testable import OctNetData
@testable import OctNetSupport
@testable import OctNetTraining

/// Training on several ranks against one process with the same shards: every bit.
@Suite struct RankTests {
  /// What a rank ends with.
  private struct Trained: Equatable, Sendable {
    var weights: [String: [UInt64]]
    var losses: [Double] = []
    var scores: [Double] = []
    /// Of the optimizer, on the first rank.
    var state: [[Float]] = []
  }

  private static func train(
    _ exchange: (any RankExchange)?, _ change: @Sendable (inout TrainingConfiguration) -> Void,
    network: Network? = nil, threads: Int = 1
  ) throws -> Trained {
    var configuration = TinyRun.configuration(threads: threads)
    configuration.shards = 4
    change(&configuration)
    var hooks = TrainerHooks()
    // Several buckets.
    (hooks.ranks, hooks.bucket) = (exchange, 96)
    let network = try network ?? TinyRun.network()
    var trained = Trained(weights: [:])
    let trainer = try Trainer(
      network: network, configuration: configuration, data: TinyRun.data, hooks: hooks
    ) { event in
      switch event {
      case .step(let report): trained.losses.append(report.loss)
      case .epochFinished(let report):
        if let test = report.test { trained.scores += [test.loss, test.top1] }
      default: break
      }
    }
    let summary = try trainer.run()
    if let test = summary.results.test?.evaluation { trained.scores += [test.loss, test.top1] }
    try trainer.writeState()
    trained.weights = trainer.evaluatedNetwork.bits
    if exchange?.rank ?? 0 == 0 {
      trained.state = trainer.updater.optimizer.state.map {
        Array(UnsafeBufferPointer(start: $0.floats, count: network.parameters.count))
      }
    }
    return trained
  }

  private static let changes: [@Sendable (inout TrainingConfiguration) -> Void] = [
    { _ in },
    { $0.optimizer = .adam },
    { ($0.clipGradientNorm, $0.emaDecay) = (0.05, 0.9) },
    { ($0.accumulationSteps, $0.mixupAlpha) = (2, 0.4) },
    { ($0.cutmixAlpha, $0.emaDecay, $0.shards) = (1, 0.9, 2) },
    { ($0.validation, $0.testViews, $0.lossReduction) = (5, .two, .sum) },
    { ($0.optimizer, $0.frozen) = (.muon, ["enter"]) },
    // The last batch has three images.
    { ($0.optimizer, $0.frozen, $0.trainLimit) = (.adam, ["norm1", "classes"], 18) },
    { ($0.reduceDtype, $0.trainLimit, $0.emaDecay) = (.bfloat16, 18, 0.9) },
    { ($0.reduceDtype, $0.clipGradientNorm, $0.accumulationSteps) = (.bfloat16, 0.05, 2) },
  ]

  @Test(arguments: [1, 2, 4], changes.indices)
  func everyRankHasTheBitsOfOneProcess(ranks: Int, index: Int) throws {
    let change = Self.changes[index]
    var configuration = TinyRun.configuration()
    configuration.shards = 4
    change(&configuration)
    guard ranks <= configuration.shards ?? 1 else { return }
    let one = try Self.train(nil, change)
    #expect(one.losses.count >= 6 && !one.scores.isEmpty)
    let all = try ThreadRanks.run(ranks) { try Self.train($0, change, threads: 1 + $0.rank % 2) }
      .map { try $0.get() }
    #expect(all.count == ranks)
    for (rank, found) in all.enumerated() {
      #expect(found.weights == one.weights, "rank \(rank)")
      #expect(found.losses == one.losses && found.scores == one.scores, "rank \(rank)")
    }
    #expect(all[0].state == one.state)
  }

  /// Slices that end in the middle of parameters, a last bucket that does not fill them, and ranks without a shard.
  @Test(arguments: [2, 4], [1, 3, 4, 7])
  func slicesAreSummedInTheTreesOrder(ranks: Int, filled: Int) {
    let count = 133, size = 8 / ranks
    var random = RandomStream(seed: 3, "vectors")
    let vectors = (0..<filled).map { _ in
      (0..<count).map { _ in Float(random.index(below: 1 << 24)) / Float(1 << random.index(below: 24)) }
    }
    let whole = PairwiseSum(count: count, leaves: 8, threads: 1)
    for vector in vectors { whole.add(vector) }
    let expected = Array(UnsafeBufferPointer(start: whole.finish(), count: count))
    let found = ThreadRanks.run(ranks) { exchange in
      let own = PairwiseSum(count: count, leaves: size, threads: 1)
      let places = (exchange.rank * size..<(exchange.rank + 1) * size).clamped(to: 0..<filled)
      for place in places { own.add(vectors[place]) }
      // Of 16 · ranks floats.
      let sum = RankSum(exchange, count: count, bucket: 16 * ranks, threads: 1)
      var result = [Float](repeating: -1, count: count)
      var slices: [Range<Int>] = []
      let vector = places.isEmpty ? nil : own.finish()
      result.withUnsafeMutableBufferPointer { result in
        guard let start = result.baseAddress else { return }
        sum.begin(
          RankSum.Job(
            own: {
              UnsafeMutableRawPointer(mutating: (vector ?? UnsafePointer(start)) + $0.lowerBound)
            }, filled: (filled + size - 1) / size, result: start
          ) {
            slices.append($0)
            (start + $0.lowerBound).update(from: $1, count: $0.count)
          })
        // In one go, or bit by bit.
        for place in exchange.rank % 2 == 0 ? [] : [100, 40, 40, 3] { sum.poll(knownFrom: place) }
        sum.finish()
      }
      return (result, slices)
    }.compactMap { try? $0.get() }
    #expect(found.count == ranks)
    for (result, _) in found { #expect(result == expected) }
    // Each place is one rank's.
    #expect(found.flatMap { $0.1.flatMap { Array($0) } }.sorted() == Array(0..<count))
  }

  @Test func allStopWhereOneIsAskedTo() throws {
    let steps = ThreadRanks.run(4) { exchange in
      var configuration = TinyRun.configuration()
      configuration.shards = 4
      var hooks = TrainerHooks()
      hooks.ranks = exchange
      let trainer = try Trainer(
        network: try TinyRun.network(), configuration: configuration, data: TinyRun.data, hooks: hooks)
      var asked = 0
      let summary = try trainer.run {
        asked += 1
        return exchange.rank == 2 && asked == 3
      }
      return [summary.isInterrupted ? 1 : 0, summary.steps]
    }
    #expect(try steps.map { try $0.get() } == Array(repeating: [1, 3], count: 4))
  }

  /// The rank that has the shard finds where it came from, and all say so.
  @Test func allSayWhyALossIsNoNumber() {
    let problems = ThreadRanks.run(2) { exchange -> String in
      let network = try TinyRun.network()
      let isBad = exchange.rank == 1
      if isBad { network.parameters.values[0] = .nan }
      do {
        _ = try Self.train(exchange, { _ in }, network: network)
        return ""
      } catch { return "\(error)" }
    }
    let expected =
      "epoch 1, step 1: the loss is not finite (NaN), and the first such number: parameter enter.conv_h2l.weight is nan; "
      + "try a lower learning rate, a warm-up or gradient clipping"
    #expect(problems.compactMap { try? $0.get() } == [expected, expected])
  }

  @Test func numbersOfRanksThatDoNotFit() {
    func problem(_ ranks: Int, shards: Int?) -> OctNetError? {
      var configuration = TinyRun.configuration()
      configuration.shards = shards
      return error { try configuration.validate(ranks: ranks) }
    }
    #expect(problem(1, shards: nil) == nil && problem(8, shards: 8) == nil)
    #expect(problem(3, shards: 4) == .configuration(key: "ranks", "expected a power of two, found 3"))
    #expect(
      problem(4, shards: 2)
        == .configuration(key: "ranks", "found 4, expected at most the 2 shards of a batch (--shards)"))
    #expect(
      problem(2, shards: nil)
        == .configuration(key: "ranks", "found 2, expected at most the 1 shard of a batch (--shards)"))
  }

  @Test func ranksAgreeOnSettingsAndImages() throws {
    func problems(_ change: @escaping @Sendable (Int, inout TrainingConfiguration, inout DataSplit) -> Void)
      -> [String?]
    {
      ThreadRanks.run(4) { exchange in
        var (configuration, data) = (TinyRun.configuration(threads: 1 + exchange.rank), TinyRun.data)
        change(exchange.rank, &configuration, &data)
        try exchange.requireSame(configuration, data: data)
      }.map { result in
        guard case .failure(let error) = result else { return nil }
        return "\(error)"
      }
    }
    // Threads may differ.
    #expect(problems { _, _, _ in } == [nil, nil, nil, nil])
    let seeds = problems { rank, configuration, _ in configuration.seed = rank == 2 ? 9 : 8 }
    #expect(Set(seeds).count == 1)
    #expect(
      seeds[0]?.contains("rank 2 has seed 9, the first rank 8; all must be started with the same") == true)
    // Unset on all but the last.
    let clipped = problems { rank, configuration, _ in
      configuration.clipGradientNorm = rank == 3 ? 0.5 : nil
    }
    #expect(Set(clipped).count == 1)
    #expect(clipped[0]?.contains("rank 3 has clipGradientNorm 0.5, the first rank unset") == true)
    // As many images of the same size, with other labels.
    let images = problems { rank, _, data in
      if rank == 1 { data.train = TinyImages(count: 22, seed: 3) }
    }
    #expect(Set(images).count == 1)
    #expect(images[0]?.contains("rank 1 has training-images 22×6×6×3 (labels ") == true)
  }

  // MARK: Launchers

  @Test func launchersAreTold() {
    let openMPI = RankLaunch(
      ["OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_LOCAL_SIZE": "4"])
    #expect(openMPI.rank == 3 && openMPI.ranks == 8 && openMPI.ranksHere == 4)
    let mpich = RankLaunch(["PMI_RANK": "0", "PMI_SIZE": "2", "MPI_LOCALNRANKS": "2"])
    #expect(mpich.rank == 0 && mpich.ranks == 2 && mpich.ranksHere == 2)
    let slurm = RankLaunch(["PMIX_RANK": "1", "SLURM_STEP_NUM_TASKS": "4"])
    #expect(slurm.rank == 1 && slurm.ranks == 4 && slurm.ranksHere == 1)
    #expect(RankLaunch(["PMIX_RANK": "0"]).ranks == nil)
    // A job of one's own, in which nothing is launched.
    let alone = RankLaunch(["SLURM_STEP_NUM_TASKS": "4"])
    #expect(alone.rank == nil && alone.ranks == 1 && alone.ranksHere == 1)
  }

  @Test func ranksOfAMachineDivideItsProcessors() {
    func threads(_ processors: Int, _ quota: Double?, _ sharers: Int, variable: String? = nil) -> String {
      ThreadCount.usual(variable: variable, processors: processors, quota: quota, sharers: sharers)
        .description
    }
    #expect(threads(8, nil, 4) == "2 (the processors, divided by 4 processes)")
    #expect(threads(8, 3.5, 2) == "2 (the CPU quota, divided by 2 processes)")
    #expect(threads(2, nil, 4) == "1 (the processors, divided by 4 processes)")
    #expect(threads(8, nil, 4, variable: "3") == "3 (OMP_NUM_THREADS)")
  }

  // MARK: Batches

  /// A rank's images are those that it would have with all others.
  @Test(arguments: [nil, 0.4], [nil, 1.0])
  func aRankLoadsItsImagesOnly(mixup: Double?, cutmix: Double?) throws {
    let mixing = BatchMixing(mixupAlpha: mixup, cutmixAlpha: cutmix)
    func images(_ range: Range<Int>?, _ dataset: CountingImages) throws -> [[Float]] {
      var needed: (@Sendable (Int) -> Range<Int>)?
      if let range { needed = { count in range.clamped(to: 0..<count) } }
      let loader = BatchLoader(
        dataset: dataset, batchSize: 8, normalization: TinyRun.normalization, augmentation: .none,
        shuffleSeed: 4, mixing: mixup == nil && cutmix == nil ? nil : mixing, needed: needed)
      var found: [[Float]] = []
      try loader.forEachBatch(epoch: 0) { batch in
        for place in (range ?? 0..<batch.count).clamped(to: 0..<batch.count) {
          found.append(Array(UnsafeBufferPointer(start: batch.images(from: place), count: 108)))
        }
      }
      return found
    }
    let all = try images(nil, CountingImages())
    #expect(all.count == 22)
    let dataset = CountingImages()
    let found = try images(2..<4, dataset)
    #expect(found == [2, 3, 10, 11, 18, 19].map { all[$0] })
    let isMixed = mixup != nil || cutmix != nil
    // Places 2 and 3 with 5 and 4; of the last six, with 3 and 2.
    #expect(dataset.reads.withLock { $0 } == (isMixed ? 10 : 6))
  }
}

/// Counts what is read.
private final class CountingImages: Dataset {
  let images = TinyImages(count: 22)
  let reads = Mutex(0)
  var name: String { images.name }
  var count: Int { images.count }
  var height: Int { images.height }
  var width: Int { images.width }
  var channels: Int { images.channels }
  var classNames: [String] { images.classNames }

  func label(at index: Int) -> Int { images.label(at: index) }

  func copyPixels(at index: Int, to pixels: UnsafeMutablePointer<UInt8>) {
    reads.withLock { $0 += 1 }
    images.copyPixels(at: index, to: pixels)
  }
}
