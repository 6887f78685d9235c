import OctNetSupport
import OctNetTraining

/// What else than the network decides how long an epoch takes: times compare under equal conditions only.
struct TimingConditions: Hashable, Comparable, Sendable {
  let threads: Int
  /// All that took part, sorted; empty where nothing says.
  let machines: [String]

  init(of run: RunRecord) {
    threads = run.configuration.threads
    // Versions are another matter: a table lists them.
    machines = Set(
      run.machines.map { machine in
        "\(machine.processor), \(counted(machine.processors, "processor")), \(machine.instructionSet)"
      }
    ).sorted()
  }

  var machineNames: String { machines.isEmpty ? "unknown" : machines.joined(separator: " and ") }

  static func < (a: Self, b: Self) -> Bool {
    a.threads == b.threads ? a.machines.lexicographicallyPrecedes(b.machines) : a.threads < b.threads
  }
}

extension Comparison {
  /// Seconds an epoch as a part of those of the reference, medians.
  func timeRatio(_ group: RunGroup, _ conditions: TimingConditions) -> Double? {
    reference(of: group).flatMap { timeRatio(group, to: $0, conditions) }
  }

  func timeRatio(_ group: RunGroup, to other: RunGroup, _ conditions: TimingConditions) -> Double? {
    guard let own = group.timing(conditions), let others = other.timing(conditions) else { return nil }
    return own.seconds.median / others.seconds.median
  }

  /// Those under which most runs were timed; of equals, those with more threads.
  var usualConditions: TimingConditions? {
    let timed = runs.filter { !$0.log.seconds.isEmpty }.map(TimingConditions.init(of:))
    return Set(timed).max { a, b in
      let (x, y) = (timed.count { $0 == a }, timed.count { $0 == b })
      return x == y ? a < b : x < y
    }
  }

  /// Times for a chart: on the machines of most runs, as others beside them would look like comparable ones.
  func chartTimings(of group: RunGroup) -> [RunGroup.Timing] {
    let machines = usualConditions?.machines
    return group.timings.filter { $0.conditions.machines == machines }
  }

  /// Whether times of different numbers of threads stand beside each other.
  var hasSeveralThreadCounts: Bool { Set(groups.flatMap { $0.timings.map(\.conditions.threads) }).count > 1 }

  /// The same for machines.
  var hasSeveralMachines: Bool { Set(groups.flatMap { $0.timings.map(\.conditions.machines) }).count > 1 }
}
