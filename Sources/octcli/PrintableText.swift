extension String {
  /// On one line and without power over a terminal: what controls it, ends a line or turns the direction of writing is
  /// written as in Swift (`\n`, `\u{1b}`). Names of files and classes may hold any of it.
  var printable: String {
    guard unicodeScalars.contains(where: Self.isControl) else { return self }
    var result = ""
    for scalar in unicodeScalars {
      switch scalar {
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where Self.isControl(scalar): result += "\\u{\(String(scalar.value, radix: 16))}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x20..<0x7f: return false
    // Left-to-right and right-to-left embeddings, overrides and isolates.
    case 0x202a...0x202e, 0x2066...0x2069: return true
    default:
      let category = scalar.properties.generalCategory
      return category == .control || category == .lineSeparator || category == .paragraphSeparator
    }
  }

  /// As one word of a shell's command line.
  var shellWord: String {
    func isPlain(_ byte: UInt8) -> Bool {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), 0x80...:
        return true
      default: return "/._-+,:=@%".utf8.contains(byte)
      }
    }
    if !isEmpty, utf8.allSatisfy(isPlain) { return self }
    return "'" + split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
