import Synchronization
import Testing

import OctNet
@testable import OctNetCore
@testable import OctNetData
@testable import OctNetTraining

/// The exchange of gradients in the middle of a backward pass.
@Suite struct RankOverlapTests {
  private static let shape = MapShape(height: 6, width: 6, channels: 3)

  /// - Parameter journal: told of each backward pass that comes to the first layer.
  private func network(_ journal: Journal) throws -> Network {
    try Network(inputShape: Self.shape, seed: 3) { image in
      let first = try Conv2d("first", inputChannels: 3, outputChannels: 16, kernelSize: 3, padding: 1)(image)
      let marked = OctFeature(
        try first.plain(for: "a test").applying(Mark(journal: journal)))
      let second = try Conv2d("second", inputChannels: 16, outputChannels: 16, kernelSize: 3, padding: 1)(
        ReLU()(marked))
      return try Linear("classes", inputChannels: 16, outputChannels: 4)(GlobalAvgPool()(second))
    }
  }

  /// Four shards on one rank, whose calls are done as soon as they have begun.
  @Test(arguments: [false, true]) func bucketsLeaveBeforeBackwardEnds(updates: Bool) throws {
    let journal = Journal()
    let network = try network(journal)
    let parameters = network.parameters
    let plan = ShardPlan(shards: 4)
    let session = try TrainingSession(network: network, batchSize: 2, threads: 1)
    let meter = ExchangeMeter()
    // The first layer's parameters fill more than one bucket, those behind it more than two.
    let bucket = 256
    let pass = ShardedPass(
      network: network, session: session, plan: plan, exchange: AloneRank(journal), bucket: bucket,
      threads: 1, meter: meter)
    let behind = try #require(parameters.entries.first { $0.name == "second.weight" }).range.lowerBound
    let all = (parameters.count + bucket - 1) / bucket
    let early = (parameters.count - behind) / bucket
    #expect(early >= 2 && all >= early + 2)

    var updated: [Range<Int>] = []
    func update() -> ShardedPass.SliceUpdate {
      { slice, _ in
        journal.write("update")
        updated.append(slice)
      }
    }
    try withBatch(count: 7) { _ = try pass.process($0, dropoutSeed: 1, update: updates ? update : nil) }
    // Of the last pass alone, as much as is known has left, come back, and been spread again before the first layer.
    let one = updates ? ["gather", "update", "spread"] : ["gather", "spread"]
    let noted = journal.entries.map { $0 == "mark" ? "|" : String($0.prefix(1)) }.joined()
    let parts = noted.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
    #expect(parts.count == 5 && parts[0] + parts[1] + parts[2] == "", "\(noted)")
    #expect(parts[3].count { $0 == "g" } == early && parts[4].count { $0 == "g" } == all - early, "\(noted)")
    for letter in one.map({ $0.prefix(1) }) {
      #expect(parts[3].count { String($0) == letter } == early, "\(noted)")
    }
    // The rest leaves with the first layer's last operation.
    #expect(meter.early == 2 * parameters.count && meter.floats == 2 * parameters.count)
    guard updates else { return }
    // From the end on.
    #expect(updated.first?.upperBound == parameters.count && updated.last?.lowerBound == 0)
    #expect(zip(updated, updated.dropFirst()).allSatisfy { $0.lowerBound == $1.upperBound })
  }

  /// Parameters of a first layer, frozen or not, hold nothing up but what lies before them.
  @Test func theFrontierIsWhereEverythingBehindIsDone() throws {
    let network = try network(Journal())
    let entries = network.parameters.entries
    let names = entries.map(\.name)
    #expect(names == ["first", "second", "classes"].flatMap { ["\($0).weight", "\($0).bias"] })
    var frontier = BackwardFrontier(network.parameters)
    #expect(frontier.place == network.parameters.count)
    frontier.finish([ParameterID(index: 5)])
    #expect(frontier.place == entries[5].range.lowerBound)
    frontier.finish([ParameterID(index: 2), ParameterID(index: 3)])
    #expect(frontier.place == entries[5].range.lowerBound)
    frontier.finish([ParameterID(index: 4)])
    #expect(frontier.place == entries[2].range.lowerBound)
    try network.freeze("first")
    var whole = BackwardFrontier(network.parameters)
    whole.finish((2...5).map { ParameterID(index: $0) })
    #expect(whole.place == 0)
  }

  /// Whichever shard's loss is no number, on whichever rank: nobody's weights move.
  @Test(arguments: [0, 1, 2, 3], [true, false])
  func aLossThatIsNoNumberLeavesTheWeights(shard: Int, isDivided: Bool) throws {
    func runs(bad: Int?) throws -> [Ended] {
      try ThreadRanks.run(2) { try Self.run($0, isDivided: isDivided, bad: bad) }.map { try $0.get() }
    }
    let (before, found) = (try runs(bad: nil), try runs(bad: shard))
    #expect(before.count == 2 && found.count == 2)
    for (before, after) in zip(before, found) {
      #expect(before.steps == 1 && after.steps == 1)
      #expect(before.weights == after.weights)
      #expect(before.problem == "")
      #expect(after.problem.hasPrefix("epoch 1, step 2: the loss is not finite"), "\(after.problem)")
    }
  }

  private struct Ended: Sendable {
    var weights: [String: [UInt64]]
    var steps: Int
    var problem: String
  }

  /// - Parameter bad: shard with such a loss in the second step; nil ends the run before it.
  private static func run(_ exchange: ThreadRanks, isDivided: Bool, bad: Int?) throws -> Ended {
    var configuration = TinyRun.configuration()
    (configuration.shards, configuration.batchSize) = (4, 8)
    configuration.clipGradientNorm = isDivided ? nil : 1
    let network = try TinyRun.network()
    var hooks = TrainerHooks()
    (hooks.ranks, hooks.bucket) = (exchange, 96)
    hooks.batch = { batch in
      guard let bad, batch.place.step == 1 else { return }
      // The first of two images; ranks that do not compute the shard do not look at it.
      batch.images[2 * bad * shape.count] = .nan
    }
    let trainer = try Trainer(
      network: network, configuration: configuration, data: TinyRun.data, hooks: hooks)
    var problem = ""
    do { _ = try trainer.run { bad == nil && trainer.position.step == 1 } } catch { problem = "\(error)" }
    // The running statistics are those of no step.
    let names = Set(network.parameters.entries.map(\.name))
    return Ended(
      weights: network.bits.filter { names.contains($0.key) }, steps: trainer.updater.optimizer.step,
      problem: problem)
  }

  // MARK: Helpers

  private func withBatch(count: Int, _ body: (Batch) throws -> Void) throws {
    let images = (0..<count * Self.shape.count).map { Float($0 % 17) / 8 - 1 }
    let labels = (0..<count).map { Int32($0 % 4) }
    let numbers = Array(0..<count)
    try images.withUnsafeBufferPointer { images in
      try labels.withUnsafeBufferPointer { labels in
        try numbers.withUnsafeBufferPointer { numbers in
          try body(
            Batch(
              images: try #require(images.baseAddress), imageFloats: images.count,
              samples: try #require(numbers.baseAddress), labels: try #require(labels.baseAddress),
              values: nil, mixed: nil, count: count, index: 0))
        }
      }
    }
  }
}

/// What happened, in its order.
private final class Journal: Sendable {
  private let lines = Mutex<[String]>([])
  var entries: [String] { lines.withLock { $0 } }
  func write(_ line: String) { lines.withLock { $0.append(line) } }
}

/// Passes its input on, and notes each backward pass.
private struct Mark: Operation {
  let journal: Journal
  var kind: String { "mark" }
  func outputShape(_ inputs: [MapShape]) -> MapShape { inputs[0] }
  var backwardReads: BackwardReads { .nothing }

  func forward(_ c: ForwardContext) { c.output.update(from: c.input(0), count: c.batch * 6 * 6 * 16) }

  func backward(_ c: BackwardContext) {
    journal.write("mark")
    c.inputGradient(0)?.pointer.update(from: c.outputGradient, count: c.batch * 6 * 6 * 16)
  }
}

/// The only rank.
private final class AloneRank: RankExchange {
  let rank = 0
  let ranks = 1
  private let journal: Journal

  init(_ journal: Journal) { self.journal = journal }

  private final class Done: PendingExchange {
    func isDone() -> Bool { true }
    func finish() {}
  }

  func beginAllToAll(_ send: [RankVector], _ receive: UnsafeMutableRawPointer) -> any PendingExchange {
    journal.write("gather")
    var place = receive
    for vector in send {
      place.copyMemory(from: vector.start, byteCount: vector.bytes(of: 0).count)
      place += vector.bytes(of: 0).count
    }
    return Done()
  }

  func beginAllGather(_ vectors: [RankVector]) -> any PendingExchange {
    journal.write("spread")
    return Done()
  }

  func allGather(_ send: UnsafePointer<Float>, _ receive: UnsafeMutablePointer<Float>, each: Int) {
    receive.update(from: send, count: each)
  }

  func allGather(_ send: [Double]) -> [Double] { send }
  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) {}
  func largest(_ value: Int32) -> Int32 { value }
}
