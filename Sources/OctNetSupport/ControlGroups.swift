import Foundation

/// What Linux's control groups, of version 1 and 2, allow this process: containers and batch systems set limits by them.
struct ControlGroups {
  /// Where one hierarchy of groups is mounted, and the process's group in it.
  struct Hierarchy: Equatable {
    let isUnified: Bool
    /// The process's own directory first, then those above it up to the mount point: the limits of all hold.
    let directories: [String]
  }

  /// Stands in for `/`, for tests.
  let root: String

  init(root: String = "/") { self.root = root.hasSuffix("/") ? String(root.dropLast()) : root }

  /// The hierarchies that may limit what `controller` ("cpu", "memory") counts.
  func hierarchies(for controller: String) -> [Hierarchy] {
    guard let groups = text("/proc/self/cgroup"), let mounts = text("/proc/self/mountinfo") else { return [] }
    // 4:memory:/a/b, and 0::/a/b for version 2.
    var ownGroup: (unified: String?, own: String?)
    for line in groups.split(separator: "\n") {
      let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
      guard fields.count == 3 else { continue }
      if fields[0] == "0" && fields[1].isEmpty { ownGroup.unified = fields[2] }
      if fields[1].split(separator: ",").contains(Substring(controller)) { ownGroup.own = fields[2] }
    }
    return mounts.split(separator: "\n").compactMap { line in
      // 36 35 98:0 /root /mount rw,noatime … - cgroup2 source options
      let fields = line.split(separator: " ").map(String.init)
      guard let separator = fields.firstIndex(of: "-"), fields.count > separator + 3, separator > 5 else {
        return nil
      }
      let isUnified = fields[separator + 1] == "cgroup2"
      let isOwn =
        fields[separator + 1] == "cgroup"
        && fields[separator + 3].split(separator: ",").contains(Substring(controller))
      guard isUnified || isOwn, let group = isUnified ? ownGroup.unified : ownGroup.own else { return nil }
      return Hierarchy(
        isUnified: isUnified,
        directories: Self.directories(
          of: group, mount: Self.unescaped(fields[4]), mountRoot: Self.unescaped(fields[3])))
    }
  }

  /// The contents of a small file, nil where it cannot be read.
  func text(_ path: String) -> String? {
    FileManager.default.contents(atPath: root + path).map { String(decoding: $0, as: UTF8.self) }
  }

  /// What follows "key:" on a line of a file.
  func field(_ key: String, of path: String) -> String? {
    text(path)?.split(separator: "\n").first { $0.hasPrefix(key + ":") }
      .map { $0.dropFirst(key.count + 1).trimmingCharacters(in: .whitespaces) }
  }

  /// A file's number, nil for anything else, such as "max".
  func number(_ path: String) -> Int? {
    text(path).flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
  }

  /// In a container the mount shows only what lies below a group of the host, its root.
  private static func directories(of group: String, mount: String, mountRoot: String) -> [String] {
    let groupParts = group.split(separator: "/"), rootParts = mountRoot.split(separator: "/")
    let isBelow = groupParts.starts(with: rootParts)
    var rest = isBelow ? groupParts.dropFirst(rootParts.count) : []
    var result: [String] = []
    while true {
      result.append(([mount == "/" ? "" : mount] + rest.map(String.init)).joined(separator: "/"))
      guard rest.popLast() != nil else { return result }
    }
  }

  /// Blanks in a path are written as octal numbers.
  private static func unescaped(_ path: String) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
      .reduce(path) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
  }
}

// MARK: Processors

extension ControlGroups {
  /// Processors' worth of time that the process may use, the smallest of all groups it is in; nil without a limit.
  func processorQuota() -> Double? {
    var quotas: [Double] = []
    for hierarchy in hierarchies(for: "cpu") {
      for directory in hierarchy.directories {
        let quota: Double?, period: Double?
        if hierarchy.isUnified {
          // "max 100000" or "150000 100000", in microseconds.
          let words = text(directory + "/cpu.max")?.split(whereSeparator: \.isWhitespace) ?? []
          quota = words.first.flatMap { Double($0) }
          period = words.count > 1 ? Double(words[1]) : nil
        } else {
          quota = number(directory + "/cpu.cfs_quota_us").map(Double.init)
          period = number(directory + "/cpu.cfs_period_us").map(Double.init)
        }
        if let quota, let period, quota > 0, period > 0 { quotas.append(quota / period) }
      }
    }
    return quotas.min()
  }
}

// MARK: Memory

extension ControlGroups {
  /// Bytes that the process's groups may still take, the smallest of all; nil without a limit.
  func availableMemory() -> Int? {
    var rooms: [Int] = []
    for hierarchy in hierarchies(for: "memory") {
      let names =
        hierarchy.isUnified
        ? ("memory.max", "memory.current", "inactive_file")
        : ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
      for directory in hierarchy.directories {
        guard let limit = number("\(directory)/\(names.0)"), let usage = number("\(directory)/\(names.1)"),
          // Version 1 writes "no limit" as a number near 2⁶³.
          limit < 1 << 60
        else { continue }
        // Cached files make room when it is needed.
        let cached =
          text("\(directory)/memory.stat")?.split(separator: "\n").first { $0.hasPrefix(names.2 + " ") }
          .flatMap { Int($0.dropFirst(names.2.count + 1)) } ?? 0
        rooms.append(max(0, limit - max(0, usage - cached)))
      }
    }
    return rooms.min()
  }
}
