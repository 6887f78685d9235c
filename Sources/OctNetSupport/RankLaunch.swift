import Foundation

/// What the environment says about the launcher of several processes (`mpirun`, `srun`) that started this one.
public struct RankLaunch: Equatable, Sendable {
  /// Processes in all: 1 without a launcher, `nil` where there is one that does not tell.
  public let ranks: Int?
  /// Of this process, `nil` where it is not told.
  public let rank: Int?
  /// Processes on this machine.
  public let ranksHere: Int

  /// Open MPI's variables, MPICH's (PMI), and Slurm's with PMIx.
  public init(_ environment: [String: String] = ProcessInfo.processInfo.environment) {
    func number(_ names: String...) -> Int? {
      for name in names {
        if let found = environment[name].flatMap(Int.init), found >= 0 { return found }
      }
      return nil
    }
    rank = number("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")
    let size = number("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")
    let slurm = rank == nil ? nil : number("SLURM_STEP_NUM_TASKS")
    ranks = size ?? slurm ?? (rank == nil ? 1 : nil)
    ranksHere = max(1, number("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS") ?? 1)
  }
}
