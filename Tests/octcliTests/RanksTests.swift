import OctNetMPI
import Testing

/// What a build without the trait MPI says when a launcher starts it several times; with it, Scripts/check-mpi.sh sees to the
/// rest.
@Suite(.enabled(if: !MPIRanks.isBuilt)) struct RanksTests {
  private func run(rank: Int, _ arguments: String...) throws -> CommandRunner.Outcome {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    return try runner.run(
      arguments, environment: ["OMPI_COMM_WORLD_RANK": "\(rank)", "OMPI_COMM_WORLD_SIZE": "2"])
  }

  /// In place of two trainings that know nothing of each other.
  @Test func theFirstSaysThatThisBuildTrainsInOneProcess() throws {
    let message =
      "ranks: started as one of 2 processes, but this build trains in one; build it with: "
      + "swift build -c release --traits MPI"
    #expect(try run(rank: 0, "train", "--epochs", "1").errorMessage == message)
    #expect(try run(rank: 0, "bench", "scale", "--seconds", "1,0.6").errorMessage == message)
    let other = try run(rank: 1, "train", "--epochs", "1")
    #expect(other.status == 1 && other.errors.isEmpty)
  }

  @Test func theFirstSaysWhatIsWrongWithFlags() throws {
    let (first, other) = (
      try run(rank: 0, "train", "--shards", "3"), try run(rank: 1, "train", "--shards", "3")
    )
    #expect(first.status == 64 && first.errors.contains("--shards: expected a power of two, found 3"))
    #expect(other.status == 64 && other.errors.isEmpty)
  }
}
