import Foundation

/// How many threads to use where nobody says it, and why so many.
public struct ThreadCount: Equatable, Sendable {
  /// What decided.
  public enum Origin: Equatable, Sendable {
    /// `OMP_NUM_THREADS`.
    case environment
    /// As many processors as the process may run on (`taskset`, cpusets).
    case processors
    /// The time that control groups grant it (`docker --cpus`), rounded up.
    case quota
    /// One: this build has no OpenMP.
    case singleThreaded
  }

  /// At least 1.
  public let count: Int
  /// What decided.
  public let origin: Origin
  /// The value of `OMP_NUM_THREADS` where it is no number of threads and so was not followed.
  public let ignoredVariable: String?
  /// Processes of one launcher that have these processors together.
  public internal(set) var sharers = 1

  /// Whether this build has no OpenMP (the package's trait of that name, on Linux), so that the kernels run on the thread that
  /// calls them, however many are asked for. Results have the same bits.
  public static let isSingleThreaded: Bool = {
    #if OpenMP && os(Linux)
      return false
    #else
      return true
    #endif
  }()

  /// `OMP_NUM_THREADS`, of whose list the first number counts, else the smaller of processors and quota.
  ///
  /// One in a build without OpenMP (`isSingleThreaded`).
  public static func usual() -> ThreadCount {
    guard !isSingleThreaded else {
      return ThreadCount(count: 1, origin: .singleThreaded, ignoredVariable: nil)
    }
    let system = ControlGroups()
    let (own, all) = (affinity(system), ProcessInfo.processInfo.processorCount)
    // A launcher that binds its processes has divided the processors.
    return usual(
      variable: ProcessInfo.processInfo.environment["OMP_NUM_THREADS"],
      processors: own ?? ProcessInfo.processInfo.activeProcessorCount,
      quota: system.processorQuota(), sharers: own ?? all < all ? 1 : RankLaunch().ranksHere)
  }

  /// - Parameter sharers: processes that processors and quota are divided by.
  static func usual(variable: String?, processors: Int, quota: Double?, sharers: Int = 1) -> ThreadCount {
    var ignored: String?
    if let variable {
      let first = variable.split(separator: ",", omittingEmptySubsequences: false).first ?? ""
      if let count = Int(first.trimmingCharacters(in: .whitespaces)), SettingBounds.threads.contains(count) {
        return ThreadCount(count: count, origin: .environment, ignoredVariable: nil)
      }
      // An empty one counts as not set, as with OpenMP.
      if !variable.isEmpty { ignored = variable }
    }
    let processors = min(max(1, processors), SettingBounds.threads.upperBound)
    // A quota is of any size in its file, and becomes an Int below a number that is one.
    if let quota, quota.rounded(.up) < Double(processors) {
      return ThreadCount(
        count: max(1, Int(quota.rounded(.up)) / sharers), origin: .quota, ignoredVariable: ignored,
        sharers: sharers)
    }
    return ThreadCount(
      count: max(1, processors / sharers), origin: .processors, ignoredVariable: ignored, sharers: sharers)
  }

  /// Processors that the process may run on, nil where the system does not tell.
  static func affinity(_ system: ControlGroups) -> Int? {
    // "Cpus_allowed_list:  0-3,8,10-11".
    guard let list = system.field("Cpus_allowed_list", of: "/proc/self/status") else { return nil }
    var count = 0
    for part in list.split(separator: ",") {
      let ends = part.split(separator: "-").compactMap { Int($0) }
      guard let first = ends.first, let last = ends.last, first <= last, last < 1 << 20 else { return nil }
      count += last - first + 1
    }
    return count > 0 ? count : nil
  }
}

extension ThreadCount: CustomStringConvertible {
  /// "2 (the processors)".
  public var description: String {
    let reason =
      switch origin {
      case .environment: "OMP_NUM_THREADS"
      case .processors: "the processors"
      case .quota: "the CPU quota"
      case .singleThreaded: "a build without OpenMP"
      }
    let shared = sharers == 1 ? reason : reason + ", divided by \(sharers) processes"
    guard let ignoredVariable else { return "\(count) (\(shared))" }
    return "\(count) (\(shared); OMP_NUM_THREADS is \"\(ignoredVariable)\", which is no number of threads)"
  }
}
