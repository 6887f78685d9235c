import Foundation
import OctNet
import Testing

@testable import OctNetData
@testable import OctNetTraining

/// An image that one of several ranks cannot read: all end together, and the run goes on from there.
@Suite struct RankDamageTests {
  /// Images of which one cannot be read.
  private struct DamagedImages: WrappedDataset {
    var base: any Dataset
    let damaged: Int

    func place(of index: Int) -> Int { index }

    func copyPixels(at index: Int, to destination: UnsafeMutablePointer<UInt8>) throws(OctNetError) {
      guard index != damaged else { throw OctNetError.file(path: "\(index).jpg", "the file is empty") }
      try base.copyPixels(at: index, to: destination)
    }
  }

  private static func trainer(
    _ exchange: (any RankExchange)?, _ data: DataSplit, _ directory: RunDirectory?,
    _ change: (inout TrainingConfiguration) -> Void
  ) throws -> Trainer {
    var configuration = TinyRun.configuration(epochs: 2)
    configuration.shards = 4
    change(&configuration)
    var hooks = TrainerHooks()
    hooks.ranks = exchange
    let isFirst = exchange?.rank ?? 0 == 0
    let state = try directory.flatMap {
      FileManager.default.fileExists(atPath: $0.statePath) ? try TrainingState(path: $0.statePath) : nil
    }
    return try Trainer(
      network: try TinyRun.network(), configuration: configuration, data: data,
      directory: isFirst ? directory : nil, resuming: state, hooks: hooks)
  }

  private static let changes: [@Sendable (inout TrainingConfiguration) -> Void] = [
    { _ in },
    // In the middle of an update.
    { ($0.accumulationSteps, $0.optimizer) = (3, .adam) },
  ]

  @Test(arguments: [2, 4], 0..<4)
  func allEndWithTheStateWritten(ranks: Int, number: Int) throws {
    let (change, isTest) = (Self.changes[number / 2], number % 2 == 1)
    let temporary = try TemporaryDirectory()
    let directory = try RunDirectory.create(temporary("run"))
    let damaged =
      isTest
      ? TinyRun.split(TinyRun.data.train, DamagedImages(base: TinyRun.data.test, damaged: 7))
      : TinyRun.split(DamagedImages(base: TinyRun.data.train, damaged: 13), TinyRun.data.test)
    let problems = ThreadRanks.run(ranks) { exchange -> String in
      do {
        _ = try Self.trainer(exchange, damaged, directory, change).run()
        return "none"
      } catch let shared as SharedRankError { return "\(shared)" }
    }.compactMap { try? $0.get() }
    let problem = "\(isTest ? 7 : 13).jpg: the file is empty"
    let saying =
      problem
      + " (the run's state is written: it goes on with the image mended, or with --skip-damaged)"
    // The first one tells it for all.
    #expect(problems == [saying] + Array(repeating: problem, count: ranks - 1))
    let state = try TrainingState(path: directory.statePath)
    #expect(isTest ? state.position.batch == 5 : (0..<5).contains(state.position.batch))
    #expect(state.position.epoch == 0)

    // With the image mended the run has the bits of one in which nothing happened.
    let all = ThreadRanks.run(ranks) { exchange in
      let trainer = try Self.trainer(exchange, TinyRun.data, directory, change)
      try trainer.run()
      return trainer.network.bits
    }
    let one = try Self.trainer(nil, TinyRun.data, nil, change)
    try one.run()
    for found in all { #expect(try found.get() == one.network.bits) }
  }
}
