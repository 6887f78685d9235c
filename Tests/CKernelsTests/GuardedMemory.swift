import Foundation

/// Memory for a kernel to write, with values around it that must survive.
final class Guarded {
  private static let margin = 64
  private static let sentinel: Float = -12345.678

  /// What the memory held before the kernel ran.
  let start: [Float]
  private let memory: UnsafeMutableBufferPointer<Float>

  init(count: Int, filledWith start: [Float]) {
    precondition(start.count == count)
    self.start = start
    memory = .allocate(capacity: count + 2 * Self.margin)
    memory.initialize(repeating: Self.sentinel)
    for (index, value) in start.enumerated() { memory[Self.margin + index] = value }
  }

  deinit { memory.deallocate() }

  var pointer: UnsafeMutablePointer<Float> {
    guard let base = memory.baseAddress else { preconditionFailure("allocated above") }
    return base + Self.margin
  }

  var values: [Float] { Array(UnsafeBufferPointer(start: pointer, count: start.count)) }

  var isIntact: Bool {
    memory.prefix(Self.margin).allSatisfy { $0 == Self.sentinel }
      && memory.suffix(Self.margin).allSatisfy { $0 == Self.sentinel }
  }
}

/// Scratch memory of exactly the stated size, with bytes around it that must survive.
final class GuardedBytes {
  private static let margin = 256
  private static let sentinel: UInt8 = 0xA5

  private let memory: UnsafeMutableRawBufferPointer

  init(count: Int) {
    memory = .allocate(byteCount: count + 2 * Self.margin, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: Self.sentinel)
  }

  deinit { memory.deallocate() }

  var pointer: UnsafeMutableRawPointer {
    guard let base = memory.baseAddress else { preconditionFailure("allocated above") }
    return base + Self.margin
  }

  var isIntact: Bool {
    memory.prefix(Self.margin).allSatisfy { $0 == Self.sentinel }
      && memory.suffix(Self.margin).allSatisfy { $0 == Self.sentinel }
  }
}

/// Values that a kernel reads, flush against a page that nobody may read: one number too many ends the test run.
final class PageEnd {
  let pointer: UnsafePointer<Float>
  private let pages: UnsafeMutableRawPointer
  private let byteCount: Int

  init(_ values: [Float]) throws {
    let page = sysconf(Int32(_SC_PAGESIZE))
    let bytes = values.count * MemoryLayout<Float>.stride
    let readable = (bytes + page - 1) / page * page
    byteCount = readable + page
    let mapped = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let mapped, mapped != MAP_FAILED, mprotect(mapped + readable, page, PROT_NONE) == 0 else {
      throw PageError()
    }
    pages = mapped
    let start = (mapped + (readable - bytes)).bindMemory(to: Float.self, capacity: max(1, values.count))
    start.update(from: values, count: values.count)
    pointer = UnsafePointer(start)
  }

  deinit { munmap(pages, byteCount) }

  private struct PageError: Error {}
}

/// Random numbers for test data, the same in every run.
struct TestRandom {
  private var state: UInt64

  init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

  /// Uniform in −1 ..< 1.
  mutating func floats(_ count: Int) -> [Float] {
    (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(state >> 40) * 0x1p-23 - 1
    }
  }
}

/// ‖actual − expected‖ / ‖expected‖; not a number, and so never below a tolerance, where actual is not.
func normalizedError(_ actual: [Float], _ expected: [Double]) -> Double {
  precondition(actual.count == expected.count)
  var difference = 0.0
  var size = 0.0
  for (a, e) in zip(actual, expected) {
    difference += (Double(a) - e) * (Double(a) - e)
    size += e * e
  }
  return (difference / max(size, 1e-30)).squareRoot()
}
