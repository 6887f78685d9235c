import Foundation

/// Whether there is the memory for what settings ask for, told before it is allocated: afterwards the process would be
/// ended by a trap, or by the system.
package enum MemoryDemand {
  /// Of a worker thread, beside its stack.
  private static let bytesOfAThread = 1 << 20
  /// What the C library reserves for the heaps of threads: one each, up to eight for each processor or as many as
  /// `heapVariable` says, the first thread's among them.
  private static let bytesOfAHeap = 64 << 20
  /// The C library's.
  package static let heapVariable = "MALLOC_ARENA_MAX"

  /// Address space beside what is counted byte by byte: the heaps that the system's allocator reserves for threads, and
  /// the ends of large buffers, which begin at boundaries of 2 MiB. Other limits count memory when it is touched.
  package static func headroom(_ available: AvailableMemory? = .now()) -> Int {
    available?.limit == .addressSpace ? 256 << 20 : 0
  }

  /// - Parameters:
  ///   - stack: address space for the stack of each thread.
  ///   - bytes: what is going to be allocated for batches of a size; it grows with the size.
  /// - Throws: `OctNetError.configuration` with the bytes needed and available, and the largest batch that would fit.
  package static func check(
    batchSize: Int, threads: Int, stack: Int, available: AvailableMemory? = .now(), bytes: (Int) -> Int
  ) throws(OctNetError) {
    guard let available else { return }
    let stacks = try stacks(threads, stack, available)
    func total(_ batch: Int) -> Int { bytes(batch) + stacks }
    let needed = total(batchSize)
    guard needed > available.bytes else { return }
    // It is the threads where one would do.
    guard needed - stacks > available.bytes else { throw tooManyThreads(threads, needed, available) }
    let largest = largestBatch(below: batchSize, fitting: available.bytes, total)
    let advice =
      largest.map { "a batch of \($0) would fit" } ?? "not even one image at a time would fit"
    throw OctNetError.configuration(
      key: "batchSize", "batches of \(batchSize) need \(shortage(needed, available)); \(advice)")
  }

  /// Before threads are started: OpenMP would end the process.
  /// - Throws: `OctNetError.configuration` where there is no room for their stacks.
  package static func check(
    threads: Int, stack: Int, available: AvailableMemory? = .now()
  ) throws(OctNetError) {
    if let available { _ = try stacks(threads, stack, available) }
  }

  /// Stacks of threads that have not been started yet: other limits than that of the address space count memory when it
  /// is touched.
  private static func stacks(
    _ threads: Int, _ stack: Int, _ available: AvailableMemory
  ) throws(OctNetError) -> Int {
    guard available.limit == .addressSpace else { return 0 }
    let added = max(0, threads - available.threads)
    let heaps = min(added, available.heaps)
    // The size of a stack is whatever the environment says.
    let (stacks, isTooLarge) = added.multipliedReportingOverflow(by: min(stack, .max / 2) + bytesOfAThread)
    let total = isTooLarge ? Int.max / 2 : min(stacks, .max / 2) + heaps * bytesOfAHeap
    guard total < available.bytes else { throw tooManyThreads(threads, total, available) }
    return total
  }

  private static func tooManyThreads(
    _ threads: Int, _ needed: Int, _ available: AvailableMemory
  ) -> OctNetError {
    .configuration(
      key: "threads", "\(counted(threads, "thread")) need \(shortage(needed, available)); take fewer")
  }

  /// - Parameter use: what the memory is for.
  /// - Throws: `OctNetError.configuration` with the bytes needed and available.
  package static func check(
    _ bytes: Int, for use: String, key: String, available: AvailableMemory? = .now()
  ) throws(OctNetError) {
    guard let available, bytes > available.bytes else { return }
    throw OctNetError.configuration(key: key, "\(use) need \(shortage(bytes, available))")
  }

  /// "12 GB of memory, 3 GB of the machine are left".
  static func shortage(_ needed: Int, _ available: AvailableMemory) -> String {
    "\(text(needed)) of memory, \(text(available.bytes)) \(available.limit) are left"
  }

  /// By bisection: sizes jump where the plan of a network changes. Each step makes a plan, so it ends at one percent.
  private static func largestBatch(below batch: Int, fitting limit: Int, _ bytes: (Int) -> Int) -> Int? {
    guard bytes(1) <= limit else { return nil }
    var (fits, tooMany) = (1, batch)
    while tooMany - fits > max(1, fits / 100) {
      // The plan is nearly linear: the first steps go down by orders of magnitude.
      let middle = fits < tooMany / 16 ? max(fits + 1, tooMany / 8) : (fits + tooMany) / 2
      if bytes(middle) <= limit { fits = middle } else { tooMany = middle }
    }
    return fits
  }

  /// "17.2 GiB".
  package static func text(_ bytes: Int) -> String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"]
    var value = Double(bytes), unit = 0
    while value >= 1024, unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
    return unit == 0 ? numbered(bytes, "byte") : "\((value * 10).rounded() / 10) \(units[unit])"
  }
}
