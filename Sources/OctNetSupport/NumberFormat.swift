#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// "1 epoch", "2,000 epochs": a number with what it counts.
package func counted(_ count: Int, _ noun: String, plural: String? = nil) -> String {
  grouped(count) + " " + (count == 1 ? noun : plural ?? noun + "s")
}

/// "1 byte", "2000 bytes": the same in errors, beside numbers of files and settings, which have no commas.
package func numbered(_ count: some BinaryInteger, _ noun: String, plural: String? = nil) -> String {
  "\(count) " + (count == 1 ? noun : plural ?? noun + "s")
}

/// 4089184256 → "4,089,184,256".
package func grouped(_ value: Int) -> String {
  let digits = Array(String(value.magnitude))
  var text = value < 0 ? "−" : ""
  for (index, digit) in digits.enumerated() {
    if index > 0 && (digits.count - index) % 3 == 0 { text += "," }
    text.append(digit)
  }
  return text
}

/// `value` with `digits` significant digits, as C's `%.*g`.
package func format(_ value: Double, digits: Int) -> String { printed(value, "%.*g", digits) }

/// `value` with `decimals` digits after the point, as C's `%.*f`; its magnitude must be below 1e30.
package func format(_ value: Double, decimals: Int) -> String {
  precondition(!(value.magnitude >= 1e30 && value.isFinite), "too many digits")
  return printed(value, "%.*f", decimals)
}

private func printed(_ value: Double, _ pattern: String, _ precision: Int) -> String {
  withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
    guard let base = buffer.baseAddress else { return "" }
    let length = withVaList([Int32(precision), value]) { vsnprintf(base, buffer.count, pattern, $0) }
    return String(decoding: UnsafeRawBufferPointer(start: base, count: Int(max(0, length))), as: UTF8.self)
  }
}
