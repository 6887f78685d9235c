#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// `value` with `digits` significant digits, as C's `%.*g`.
func format(_ value: Double, digits: Int) -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
    guard let base = buffer.baseAddress else { return "" }
    let length = withVaList([Int32(digits), value]) { vsnprintf(base, buffer.count, "%.*g", $0) }
    return String(decoding: UnsafeRawBufferPointer(start: base, count: Int(max(0, length))), as: UTF8.self)
  }
}
