import Foundation

/// What memory this process can still get, as the tightest of its limits says.
package struct AvailableMemory: Equatable {
  enum Limit: Equatable {
    /// The machine's memory and swap space.
    case machine
    /// A control group's: a container or a batch job.
    case controlGroup
    /// `ulimit -v`.
    case addressSpace
  }

  let bytes: Int
  let limit: Limit
  /// Of the process, which have their stacks already.
  var threads = 1
  /// How many heaps the C library may yet reserve for threads.
  var heaps = 0

  /// nil where the system tells nothing, as on other systems than Linux.
  static func now(_ system: ControlGroups = ControlGroups()) -> AvailableMemory? {
    let threads = system.field("Threads", of: "/proc/self/status").flatMap { Int($0) } ?? 1
    return [
      machine(system).map { AvailableMemory(bytes: $0, limit: .machine) },
      system.availableMemory().map { AvailableMemory(bytes: $0, limit: .controlGroup) },
      addressSpace(system).map {
        AvailableMemory(bytes: $0, limit: .addressSpace, threads: threads, heaps: heaps())
      },
    ].compactMap { $0 }.min { $0.bytes < $1.bytes }
  }

  /// glibc's: eight for each processor, or as many as are allowed, of which the first thread has one.
  static func heaps(
    variable: String? = ProcessInfo.processInfo.environment[MemoryDemand.heapVariable],
    processors: Int = ProcessInfo.processInfo.activeProcessorCount
  ) -> Int {
    let usual = 8 * max(1, processors)
    guard let allowed = variable.flatMap({ Int($0) }), allowed > 0 else { return usual }
    return min(allowed - 1, usual)
  }

  private static func machine(_ system: ControlGroups) -> Int? {
    guard let lines = system.text("/proc/meminfo")?.split(separator: "\n") else { return nil }
    func bytes(_ key: String) -> Int? {
      lines.first { $0.hasPrefix(key + ":") }?.split(separator: " ").dropFirst().first
        .flatMap { Int($0) }.map { $0 << 10 }
    }
    return bytes("MemAvailable").map { $0 + (bytes("SwapFree") ?? 0) }
  }

  /// By `ulimit -v`.
  package static var isAddressSpaceLimited: Bool { addressSpace(ControlGroups()) != nil }

  private static func addressSpace(_ system: ControlGroups) -> Int? {
    // "Max address space  8388608000  unlimited  bytes", the limit in force first.
    let key = "Max address space"
    guard
      let line = system.text("/proc/self/limits")?.split(separator: "\n").first(where: { $0.hasPrefix(key) }),
      let limit = line.dropFirst(key.count).split(separator: " ").first.flatMap({ Int($0) }),
      let pages = system.text("/proc/self/statm")?.split(separator: " ").first.flatMap({ Int($0) })
    else { return nil }
    return max(0, limit - pages * Int(getpagesize()))
  }
}

extension AvailableMemory.Limit: CustomStringConvertible {
  package var description: String {
    switch self {
    case .machine: "of the machine"
    case .controlGroup: "of the control group"
    case .addressSpace: "of the address space (ulimit -v)"
    }
  }
}
