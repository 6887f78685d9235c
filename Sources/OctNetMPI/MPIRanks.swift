import CMPI
import Foundation
import OctNetSupport
import OctNetTraining

/// The ranks of an MPI job (`mpirun`, `srun`), of which this process is one.
public final class MPIRanks: RankExchange {
  /// Of this process.
  public let rank: Int
  /// Of the job.
  public let ranks: Int

  /// Whether this build has MPI: that of the package trait `MPI`.
  public static var isBuilt: Bool { oct_mpi_is_built() }

  /// Joins the job that a launcher started this process in; `nil` where there is none, or none but this process.
  /// - Throws: `OctNetError.configuration` in a job of several ranks where this build has no MPI: each would train alone.
  public static func join(_ launch: RankLaunch = RankLaunch()) throws(OctNetError) -> MPIRanks? {
    guard launch.ranks != 1 else { return nil }
    guard isBuilt else {
      // A launcher that does not tell how many may have started this one alone.
      guard launch.ranks != nil || launch.rank != 0 else { return nil }
      throw .configuration(
        key: "ranks",
        "started as one of \(launch.ranks.map(String.init) ?? "several") processes, but this build trains in one; build it with: "
          + "swift build -c release --traits MPI")
    }
    let joined = MPIRanks()
    guard joined.ranks == 1 else { return joined }
    joined.leave()
    return nil
  }

  private init() {
    var (rank, ranks) = (Int32(0), Int32(1))
    oct_mpi_start(&rank, &ranks)
    self.rank = Int(rank)
    self.ranks = Int(ranks)
  }

  /// Waits for all ranks; nothing may be exchanged any more.
  public func leave() { oct_mpi_finish() }

  /// Ends all ranks, with this exit code of the launcher.
  public func abort(code: Int32) -> Never { oct_mpi_abort(code) }

  // MARK: Exchange

  /// One call of `MPI_Ialltoallv`, or of `MPI_Ialltoallw` for several vectors.
  public func beginAllToAll(_ send: [RankVector], _ receive: UnsafeMutableRawPointer) -> any PendingExchange {
    let vectors = send.map(Self.described)
    return Pending(
      oct_mpi_begin_all_to_all(vectors, Int32(send.count), receive, RankVector.stride(send, to: rank)))
  }

  /// One call of `MPI_Iallgatherv`, or of `MPI_Ialltoallw` for several vectors.
  public func beginAllGather(_ vectors: [RankVector]) -> any PendingExchange {
    Pending(oct_mpi_begin_all_gather(vectors.map(Self.described), Int32(vectors.count)))
  }

  private static func described(_ vector: RankVector) -> oct_mpi_vector {
    oct_mpi_vector(
      start: vector.start, count: vector.slices.count, each: vector.slices.each, size: Int32(vector.size))
  }

  /// A request of MPI, which goes on in calls of MPI only.
  private final class Pending: PendingExchange {
    private let pending: OpaquePointer
    private var isOver = false

    init(_ pending: OpaquePointer) { self.pending = pending }

    /// What is given up halfway keeps its memory, which MPI still reads.
    deinit { if isOver { oct_mpi_free(pending) } }

    func isDone() -> Bool {
      isOver = isOver || oct_mpi_test(pending)
      return isOver
    }

    func finish() {
      if !isOver { oct_mpi_wait(pending) }
      isOver = true
    }
  }

  /// One call of `MPI_Allgather`.
  public func allGather(_ send: UnsafePointer<Float>, _ receive: UnsafeMutablePointer<Float>, each: Int) {
    oct_mpi_all_gather(send, receive, Int32(each))
  }

  /// One call of `MPI_Allgather`.
  public func allGather(_ send: [Double]) -> [Double] {
    var all = Array(repeating: 0.0, count: send.count * ranks)
    oct_mpi_all_gather_double(send, &all, Int32(send.count))
    return all
  }

  /// `MPI_Bcast`.
  public func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) {
    guard let start = bytes.baseAddress else { return }
    oct_mpi_broadcast(start, bytes.count, Int32(root))
  }

  /// `MPI_Allreduce`.
  public func largest(_ value: Int32) -> Int32 { oct_mpi_largest(value) }
}
