#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// What this process has used so far, all threads together.
struct ProcessUsage {
  /// Time on processors.
  let coreSeconds: Double
  /// Largest resident memory.
  let peakResidentBytes: Int

  init() {
    var usage = rusage()
    #if canImport(Darwin)
      let (isKnown, unit) = (getrusage(RUSAGE_SELF, &usage) == 0, 1)
    #else
      // 0 is RUSAGE_SELF, whose Swift type differs between the C libraries.
      let (isKnown, unit) = (getrusage(0, &usage) == 0, 1024)
    #endif
    guard isKnown else {
      (coreSeconds, peakResidentBytes) = (0, 0)
      return
    }
    coreSeconds =
      Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
      + 1e-6 * Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)
    peakResidentBytes = Int(usage.ru_maxrss) * unit
  }
}
