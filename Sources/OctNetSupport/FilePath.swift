/// The name of a file as the system has it: bytes, which need not be UTF-8.
package struct FilePath: Hashable, Sendable {
  package let bytes: [UInt8]

  package init(bytes: [UInt8]) { self.bytes = bytes }
  package init(_ text: String) { bytes = Array(text.utf8) }

  package func appending(_ name: FilePath) -> FilePath {
    FilePath(bytes: bytes + (bytes.last == UInt8(ascii: "/") ? [] : [UInt8(ascii: "/")]) + name.bytes)
  }

  /// For the C library.
  package func withCString<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    body(bytes.map(CChar.init(bitPattern:)) + [0])
  }

  /// Whether the bytes are UTF-8.
  package var isText: Bool { String(validating: bytes, as: UTF8.self) != nil }

  /// Code points as Python sees them: a byte that is not UTF-8 is one of 0xDC80 ... 0xDCFF (its `surrogateescape`).
  private var codePoints: [UInt32] {
    var points: [UInt32] = []
    var rest = bytes[...]
    while let first = rest.first {
      if let scalar = Self.scalar(at: rest) {
        points.append(scalar.value)
        rest = rest.dropFirst(UTF8.width(scalar))
      } else {
        points.append(0xDC00 + UInt32(first))
        rest = rest.dropFirst()
      }
    }
    return points
  }

  private static func scalar(at bytes: ArraySlice<UInt8>) -> Unicode.Scalar? {
    for count in 1...4 where count <= bytes.count {
      if let text = String(validating: bytes.prefix(count), as: UTF8.self) {
        return text.unicodeScalars.first
      }
    }
    return nil
  }
}

extension FilePath: CustomStringConvertible {
  /// The text, where bytes that are none are shown as "\xe9".
  package var description: String {
    if let text = String(validating: bytes, as: UTF8.self) { return text }
    var text = ""
    for point in codePoints {
      if let scalar = Unicode.Scalar(point) {
        text.unicodeScalars.append(scalar)
      } else {
        text += "\\x" + String(point - 0xDC00, radix: 16)
      }
    }
    return text
  }
}

extension FilePath: Comparable {
  /// By code points, as Python sorts: "B" comes before "a", and no two spellings are the same.
  package static func < (a: FilePath, b: FilePath) -> Bool {
    // Between texts the order of UTF-8's bytes is that of code points.
    let differing = zip(a.bytes, b.bytes).first { $0 != $1 }
    let isPlain = differing.map { $0 < 0x80 && $1 < 0x80 } ?? false
    if isPlain || (a.isText && b.isText) { return a.bytes.lexicographicallyPrecedes(b.bytes) }
    return a.codePoints.lexicographicallyPrecedes(b.codePoints)
  }
}
