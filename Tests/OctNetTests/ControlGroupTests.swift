import Foundation
import Testing

import OctNet
@testable import OctNetSupport

/// Threads and memory from trees of files as Linux shows them.
struct ControlGroupTests {
  private func system(_ files: [String: String]) throws -> (ControlGroups, TemporaryDirectory) {
    let directory = try TemporaryDirectory()
    for (name, text) in files {
      let path = directory(name)
      try FileManager.default.createDirectory(
        atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }
    return (ControlGroups(root: directory("")), directory)
  }

  private static let unified = [
    "proc/self/cgroup": "0::/batch/job\n",
    "proc/self/mountinfo": "24 1 0:1 / / rw - ext4 /dev/a rw\n36 24 0:30 / /cg rw,nosuid - cgroup2 none rw\n",
  ]

  @Test func theTightestQuotaOfAllGroupsCounts() throws {
    let (system, directory) = try system(
      Self.unified.merging([
        "cg/batch/job/cpu.max": "max 100000\n", "cg/batch/cpu.max": "150000 100000\n",
        "cg/cpu.max": "400000 100000\n",
      ]) { $1 })
    defer { withExtendedLifetime(directory) {} }
    #expect(system.processorQuota() == 1.5)
    #expect(ThreadCount.usual(variable: nil, processors: 8, quota: 1.5).description == "2 (the CPU quota)")
  }

  @Test func quotasOfVersionOneInAContainer() throws {
    // The container sees its own group as the mount's root.
    let (system, directory) = try system([
      "proc/self/cgroup": "5:memory:/docker/a\n4:cpu,cpuacct:/docker/a\n",
      "proc/self/mountinfo": "36 24 0:30 /docker/a /my\\040cg rw - cgroup none rw,cpuacct,cpu\n",
      "my cg/cpu.cfs_quota_us": "50000\n", "my cg/cpu.cfs_period_us": "100000\n",
    ])
    defer { withExtendedLifetime(directory) {} }
    #expect(system.processorQuota() == 0.5)
    #expect(ThreadCount.usual(variable: nil, processors: 8, quota: 0.5).count == 1)
  }

  @Test func noLimitAndNoFilesAreNoQuota() throws {
    let (none, first) = try system([:])
    #expect(none.processorQuota() == nil && none.availableMemory() == nil)
    let (unlimited, second) = try system([
      "proc/self/cgroup": "4:cpu:/\n",
      "proc/self/mountinfo": "36 24 0:30 / /cg rw - cgroup none rw,cpu\n",
      "cg/cpu.cfs_quota_us": "-1\n", "cg/cpu.cfs_period_us": "100000\n",
    ])
    #expect(unlimited.processorQuota() == nil)
    withExtendedLifetime((first, second)) {}
  }

  @Test func theAffinityMask() throws {
    let (system, directory) = try system([
      "proc/self/status": "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-2,8,10-11\n"
    ])
    defer { withExtendedLifetime(directory) {} }
    #expect(ThreadCount.affinity(system) == 6)
  }

  @Test(arguments: [
    ("3", 3, "3 (OMP_NUM_THREADS)"), (" 4,2", 4, "4 (OMP_NUM_THREADS)"), ("", 8, "8 (the processors)"),
    ("0", 8, "8 (the processors; OMP_NUM_THREADS is \"0\", which is no number of threads)"),
    ("two", 8, "8 (the processors; OMP_NUM_THREADS is \"two\", which is no number of threads)"),
  ])
  func theVariableOfOpenMP(value: String, count: Int, text: String) {
    let threads = ThreadCount.usual(variable: value, processors: 8, quota: nil)
    #expect(threads.count == count && threads.description == text)
  }

  @Test func memoryIsWhatTheTightestLimitLeaves() throws {
    let (system, directory) = try system(
      Self.unified.merging([
        "proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:   4000 kB\nSwapFree: 1000 kB\n",
        "cg/batch/memory.max": "3000000\n", "cg/batch/memory.current": "1000000\n",
        "cg/batch/memory.stat": "anon 1\ninactive_file 400000\n",
        "proc/self/limits": "Limit   Soft Limit\nMax address space         unlimited   unlimited   bytes\n",
        "proc/self/statm": "100 1 1\n",
      ]) { $1 })
    defer { withExtendedLifetime(directory) {} }
    #expect(AvailableMemory.now(system) == AvailableMemory(bytes: 2_400_000, limit: .controlGroup))
    try Data("Max address space         2000000   unlimited   bytes\n".utf8)
      .write(to: URL(fileURLWithPath: directory("proc/self/limits")))
    #expect(
      AvailableMemory.now(system)
        == AvailableMemory(
          bytes: 2_000_000 - 100 * Int(getpagesize()), limit: .addressSpace, heaps: AvailableMemory.heaps()))
  }

  @Test func threadsNeedRoomForTheirStacksInTheAddressSpace() {
    func check(_ threads: Int, stack: Int = 8 << 20, _ available: AvailableMemory) -> OctNetError? {
      error { try MemoryDemand.check(threads: threads, stack: stack, available: available) }
    }
    // 9 MiB of stack and 64 MiB of heap each.
    var available = AvailableMemory(bytes: 4 * 73 << 20, limit: .addressSpace, threads: 1, heaps: 16)
    #expect(check(4, available) == nil)
    let tooMany = OctNetError.configuration(
      key: "threads",
      "5 threads need 292.0 MiB of memory, 292.0 MiB of the address space (ulimit -v) are left; take fewer")
    #expect(check(5, available) == tooMany)
    // Stacks are as large as the environment says, and heaps as many.
    #expect(check(5, stack: 7 << 20, available) == nil && check(5, stack: .max, available) != nil)
    available.heaps = 3
    #expect(check(5, available) == nil && check(12, available) == nil && check(13, available) != nil)
    (available.heaps, available.threads) = (16, 5)
    // Started ones have theirs.
    #expect(check(5, available) == nil)
  }

  @Test(
    arguments: [(nil, 16), ("", 16), ("x", 16), ("0", 16), ("1", 0), ("4", 3), ("1000", 16)]
      as [(String?, Int)])
  func heapsAreAsManyAsTheVariableAllows(variable: String?, heaps: Int) {
    #expect(AvailableMemory.heaps(variable: variable, processors: 2) == heaps)
  }

  /// Bisection ends at one percent.
  @Test func aBatchThatDoesNotFitIsToldWithOneThatDoes() {
    let available = AvailableMemory(bytes: 1 << 30, limit: .machine)
    func problem(_ batch: Int, _ bytes: (Int) -> Int) -> OctNetError? {
      error(of: {
        try MemoryDemand.check(
          batchSize: batch, threads: 2, stack: 8 << 20, available: available, bytes: bytes)
      })
    }
    #expect(problem(1024) { $0 << 20 } == nil)
    #expect(
      problem(4096) { $0 << 20 }
        == .configuration(
          key: "batchSize",
          "batches of 4096 need 4.0 GiB of memory, 1.0 GiB of the machine are left; a batch of 1023 would fit"
        ))
    #expect(
      problem(4) { (8 << 30) * $0 }
        == .configuration(
          key: "batchSize",
          "batches of 4 need 32.0 GiB of memory, 1.0 GiB of the machine are left; not even one image at a time would fit"
        ))
  }
}
