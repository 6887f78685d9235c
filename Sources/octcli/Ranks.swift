import ArgumentParser
import Foundation
import OctNet
import OctNetMPI

/// A command as one process, or as one of several that a launcher started.
enum Ranks {
  /// Seconds that other ranks leave the first one to tell an error that all have.
  private static let patience = 1.0

  /// An error on any rank ends all of them, with its message and exit code.
  /// - Throws: what `body` throws where there is but this process; `ExitCode` where all ranks stop together.
  static func run(_ body: (MPIRanks?) throws -> Void) throws {
    guard let ranks = try join() else { return try body(nil) }
    do {
      try body(ranks)
    } catch let code as ExitCode {
      ranks.leave()
      throw code
    } catch let shared as SharedRankError {
      defer { ranks.leave() }
      try together(ranks) { throw shared.error }
    } catch {
      // The others wait for this one somewhere. Where they have the same error, the first one tells it.
      if ranks.rank > 0 { Thread.sleep(forTimeInterval: patience) }
      ranks.abort(code: tell(error).rawValue)
    }
    ranks.leave()
  }

  /// What every rank does on its own, and which none goes on from before all have done it. Where some fail, the first of
  /// them tells why.
  /// - Parameter undo: where another one fails, or this one.
  /// - Throws: what `body` throws where there is but this process; otherwise `ExitCode`, on all ranks.
  static func together<Result>(
    _ ranks: MPIRanks?, _ body: () throws -> Result, undo: () -> Void = {}
  ) throws -> Result {
    let result = Swift.Result { try body() }
    guard let ranks else {
      if case .failure = result { undo() }
      return try result.get()
    }
    var hasFailed = 0.0
    if case .failure = result { hasFailed = 1 }
    guard let first = ranks.allGather([hasFailed]).firstIndex(of: 1) else { return try result.get() }
    undo()
    var code = ExitCode.success
    if case .failure(let error) = result, ranks.rank == first { code = tell(error) }
    throw ExitCode(ranks.largest(code.rawValue))
  }

  /// The command line, which is that of all ranks: where it is wrong, the first one says why.
  static func parse<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch {
      guard MPIRanks.isBuilt else {
        try letFirstSpeak(Octcli.exitCode(for: error))
        throw error
      }
      guard let ranks = try MPIRanks.join() else { throw error }
      defer { ranks.leave() }
      return try together(ranks) { throw error }
    }
  }

  private static func join() throws -> MPIRanks? {
    do { return try MPIRanks.join() } catch {
      try letFirstSpeak(.failure)
      throw error
    }
  }

  /// Where processes that cannot join fail alike: returns in the first of them.
  private static func letFirstSpeak(_ code: @autoclosure () -> ExitCode) throws {
    guard RankLaunch().rank ?? 0 > 0 else { return }
    Thread.sleep(forTimeInterval: patience)
    throw code()
  }

  private static func tell(_ error: any Error) -> ExitCode {
    Octcli.tell(error, arguments: Array(CommandLine.arguments.dropFirst()))
  }
}
