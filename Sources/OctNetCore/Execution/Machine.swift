import CKernels
import Foundation
import OctNetSupport

/// What the kernels run on: found once, and capped or replaced by environment variables.
public struct Machine: Codable, Equatable, Sendable {
  /// In use: avx512, avx2 or portable. `OCTNET_MAX_ISA` caps it.
  public let instructionSet: String
  /// Bytes of a core's first- and second-level data caches, and of the third-level cache that cores share, as the operating
  /// system says or `OCTNET_CACHE_SIZES`. Kernels cut their work by them; no result depends on it.
  public let l1Bytes, l2Bytes, l3Bytes: Int

  /// This one.
  public static var current: Machine {
    let caches = oct_active_machine()
    return Machine(
      instructionSet: String(cString: oct_isa_name(oct_active_isa())), l1Bytes: caches.l1_bytes,
      l2Bytes: caches.l2_bytes, l3Bytes: caches.l3_bytes)
  }

  /// The environment variables that say what to use are not followed where they say nothing that is known, so whoever starts
  /// something asks first.
  ///
  /// - Throws: `OctNetError.configuration` that names the variable.
  package static func checkEnvironment() throws(OctNetError) {
    let environment = ProcessInfo.processInfo.environment
    if !oct_isa_is_valid() {
      throw .configuration(
        key: "OCTNET_MAX_ISA",
        "found \"\(environment["OCTNET_MAX_ISA"] ?? "")\", expected portable, avx2 or avx512")
    }
    if !oct_machine_is_valid() {
      throw .configuration(
        key: "OCTNET_CACHE_SIZES",
        "found \"\(environment["OCTNET_CACHE_SIZES"] ?? "")\", expected three sizes from 1K to 1024M, such as 48K,2M,32M"
      )
    }
  }
}
