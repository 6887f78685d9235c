import Foundation
import OctNetCore
import OctNetSupport

/// What took part in a run: kept beside its times, which mean nothing without it. No result depends on it.
public struct RunMachine: Codable, Equatable, Sendable {
  /// As the system calls it.
  public var processor: String
  /// That the process may use.
  public var processors: Int
  /// Of the kernels: avx512, avx2 or portable.
  public var instructionSet: String
  /// Of this package.
  public var version: String
  /// Of its sources, where `OCTNET_COMMIT` says it; `nil` where nobody does.
  public var commit: String?

  /// This one.
  public static var current: RunMachine {
    let process = ProcessInfo.processInfo
    return RunMachine(
      processor: processorName ?? "unknown processor", processors: process.activeProcessorCount,
      instructionSet: Machine.current.instructionSet, version: octNetVersion,
      commit: process.environment["OCTNET_COMMIT"].flatMap { $0.isEmpty ? nil : $0 })
  }

  private static var processorName: String? {
    #if os(Linux)
      guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8) else { return nil }
      let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
      return line?.split(separator: ":", maxSplits: 1).last.map { $0.trimmingCharacters(in: .whitespaces) }
    #else
      var size = 0
      guard sysctlbyname("machdep.cpu.brand_string", nil, &size, nil, 0) == 0, size > 0 else { return nil }
      var bytes = [UInt8](repeating: 0, count: size)
      guard sysctlbyname("machdep.cpu.brand_string", &bytes, &size, nil, 0) == 0 else { return nil }
      return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    #endif
  }

  /// `machines.json`.
  private struct File: Codable {
    var machines: [RunMachine]
  }

  /// Those of a run, in the order in which they came.
  /// - Throws: `OctNetError.file` for a missing or malformed file.
  package static func read(_ path: String) throws(OctNetError) -> [RunMachine] {
    try StrictJSON.read(File.self, path: path).machines
  }

  /// Adds this one to those of the run, once.
  static func note(in directory: RunDirectory) throws(OctNetError) {
    let path = directory.machinesPath
    let current = current
    var machines = FileReader.exists(path) ? try read(path) : []
    if !machines.contains(current) { machines.append(current) }
    try StrictJSON.write(File(machines: machines), to: path, onlyIfChanged: true)
  }
}
