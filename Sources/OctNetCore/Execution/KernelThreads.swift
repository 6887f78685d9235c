import CKernels
import Foundation
import OctNetSupport

/// What the kernels' threads take of the address space, which `ulimit -v` may limit.
package enum KernelThreads {
  /// Of each thread beside the first. 0 in a build without OpenMP, and where the address space is not limited: nobody counts it
  /// there, and OpenMP, which would be started by the question, is not before it is needed.
  package static var stackBytes: Int {
    AvailableMemory.isAddressSpaceLimited ? Int(oct_thread_stack_bytes()) : 0
  }

  /// Where the address space is limited, lets all threads share one heap in place of 64 MiB each that nobody uses, and says
  /// so to what counts the memory. For programs, at their start; what the user says of heaps stays.
  package static func shareHeapIfLimited() {
    guard AvailableMemory.isAddressSpaceLimited,
      ProcessInfo.processInfo.environment[MemoryDemand.heapVariable] == nil, oct_share_heap()
    else { return }
    setenv(MemoryDemand.heapVariable, "1", 1)
  }
}
