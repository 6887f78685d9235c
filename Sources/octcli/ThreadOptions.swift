import ArgumentParser
import OctNet

/// `--threads`, and what counts where it is not given.
struct ThreadOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Threads; results do not depend on it (default: OMP_NUM_THREADS, else the processors or the CPU quota; a build without OpenMP has one).",
      valueName: "n"))
  var threads: Int?

  func validate() throws { try Bounds.check("--threads", threads, SettingBounds.threads) }

  var count: Int { threads ?? ThreadCount.usual().count }

  /// The same where only the number is known: one that is neither given nor usual is a file's.
  func reason(for count: Int) -> String {
    reason(else: count == ThreadCount.usual().count ? nil : "\(count) (the settings file)")
  }

  /// Of a run that goes on: those it began with, unless the flag says another number.
  func reason(resumed count: Int) -> String { reason(else: "\(count) (the run's settings)") }

  /// The number with what it follows from; `other` says it where that is neither the flag nor the usual number.
  func reason(else other: String? = nil) -> String {
    if ThreadCount.isSingleThreaded { return ThreadCount.usual().description }
    return threads.map { "\($0) (--threads)" } ?? other ?? ThreadCount.usual().description
  }
}

/// The library's bounds as those of flags.
enum Bounds {
  /// - Throws: `ValidationError`, which is exit code 64.
  static func check(_ flag: String, _ value: Int?, _ bounds: ClosedRange<Int>) throws {
    guard let value, let problem = SettingBounds.problem(value, in: bounds) else { return }
    throw ValidationError("\(flag): \(problem)")
  }
}
