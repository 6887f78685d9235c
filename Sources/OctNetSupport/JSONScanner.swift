/// A JSON value whose objects keep their members' order.
package enum JSONValue: Equatable {
  case object([(key: String, value: JSONValue)])
  case array([JSONValue])
  case string(String)
  /// As written: integers must not pass through a Double.
  case number(String)
  case bool(Bool)
  case null

  package static func == (a: JSONValue, b: JSONValue) -> Bool {
    switch (a, b) {
    case (.object(let x), .object(let y)): return x.count == y.count && zip(x, y).allSatisfy { $0 == $1 }
    case (.array(let x), .array(let y)): return x == y
    case (.string(let x), .string(let y)), (.number(let x), .number(let y)): return x == y
    case (.bool(let x), .bool(let y)): return x == y
    case (.null, .null): return true
    default: return false
    }
  }

  /// The value where it is a number written without fraction and exponent, 0 or more, that an Int holds.
  package var count: Int? {
    guard case .number(let text) = self, text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else {
      return nil
    }
    return Int(text)
  }

  /// What it is, for error messages.
  package var kind: String {
    switch self {
    case .object: return "an object"
    case .array: return "an array"
    case .string(let text): return "\"\(text)\""
    case .number(let text): return text
    case .bool(let value): return "\(value)"
    case .null: return "null"
    }
  }
}

/// A strict JSON reader (RFC 8259). Foundation's keeps one of two equal keys silently and forgets the order; a file
/// format in which both matter needs its own.
package struct JSONScanner {
  /// What is wrong, and at which byte.
  package struct Failure: Error { package var problem: String, offset: Int }

  private let bytes: UnsafeBufferPointer<UInt8>
  private var position = 0
  private let maximumDepth = 64
  private let maximumValues: Int
  private var values = 0
  private var keys = 0

  /// The one value in `bytes`, with white space around it.
  ///
  /// - Parameter maximumValues: values in it, nested ones included: two bytes of text can be one, which takes 24 bytes or more.
  package static func parse(
    _ bytes: UnsafeBufferPointer<UInt8>, maximumValues: Int = FileLimit.values
  ) throws(Failure) -> JSONValue {
    var scanner = JSONScanner(bytes: bytes, maximumValues: maximumValues)
    let value = try scanner.value(depth: 0)
    scanner.skipSpace()
    if scanner.position < bytes.count { throw scanner.failure("something follows the end of the JSON") }
    return value
  }

  private init(bytes: UnsafeBufferPointer<UInt8>, maximumValues: Int) {
    self.bytes = bytes
    self.maximumValues = maximumValues
  }

  private func failure(_ problem: String) -> Failure { Failure(problem: problem, offset: position) }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0a, 0x0d: position += 1
      default: return
      }
    }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard current == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws(Failure) -> JSONValue {
    guard depth < maximumDepth else { throw failure("nested too deeply") }
    values += 1
    guard values <= maximumValues else { throw failure("more than \(numbered(maximumValues, "value"))") }
    skipSpace()
    switch current {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    case nil: throw failure("the JSON ends too early")
    default: return try number()
    }
  }

  private mutating func literal(_ word: String, _ value: JSONValue) throws(Failure) -> JSONValue {
    for character in word.utf8 {
      guard current == character else { throw failure("not a JSON value") }
      position += 1
    }
    return value
  }

  private mutating func object(depth: Int) throws(Failure) -> JSONValue {
    position += 1
    var members: [(key: String, value: JSONValue)] = []
    var seen: Set<[UInt8]> = []  // by bytes: String equality would take é and e + ´ for the same key
    skipSpace()
    if take("}") { return .object(members) }
    while true {
      skipSpace()
      guard current == UInt8(ascii: "\"") else { throw failure("expected a key") }
      let key = try string()
      keys += 1
      guard keys <= FileLimit.keys else { throw failure("more than \(numbered(FileLimit.keys, "key"))") }
      guard seen.insert(Array(key.utf8)).inserted else { throw failure("duplicate key \"\(key)\"") }
      skipSpace()
      guard take(":") else { throw failure("expected ':' after \"\(key)\"") }
      members.append((key, try value(depth: depth + 1)))
      skipSpace()
      if take("}") { return .object(members) }
      guard take(",") else { throw failure("expected ',' or '}'") }
    }
  }

  private mutating func array(depth: Int) throws(Failure) -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    skipSpace()
    if take("]") { return .array(elements) }
    while true {
      elements.append(try value(depth: depth + 1))
      skipSpace()
      if take("]") { return .array(elements) }
      guard take(",") else { throw failure("expected ',' or ']'") }
    }
  }

  private mutating func number() throws(Failure) -> JSONValue {
    let start = position
    if !take("-") && !(current.map(Self.isDigit) ?? false) { throw failure("not a JSON value") }
    if !take("0") { try digits() }
    if take(".") { try digits() }
    if take("e") || take("E") {
      if !take("+") { _ = take("-") }
      try digits()
    }
    return .number(String(decoding: bytes[start..<position], as: UTF8.self))
  }

  private mutating func digits() throws(Failure) {
    guard current.map(Self.isDigit) ?? false else { throw failure("expected a digit") }
    while current.map(Self.isDigit) ?? false { position += 1 }
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

  private mutating func string() throws(Failure) -> String {
    position += 1
    var content: [UInt8] = []
    while true {
      guard let byte = current else { throw failure("a string does not end") }
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        guard let text = String(validating: content, as: UTF8.self) else {
          throw failure("a string is not UTF-8")
        }
        return text
      case UInt8(ascii: "\\"):
        position += 1
        content.append(contentsOf: Array(String(try escape()).utf8))
      case ..<0x20: throw failure("a control character in a string")
      default:
        content.append(byte)
        position += 1
      }
    }
  }

  private mutating func escape() throws(Failure) -> Unicode.Scalar {
    guard let byte = current else { throw failure("a string does not end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let unit = try hexadecimal()
      if let scalar = Unicode.Scalar(unit) { return scalar }
      // A surrogate: the high one must be followed by a low one.
      guard unit < 0xdc00, take("\\"), take("u") else { throw failure("half a surrogate pair") }
      let low = try hexadecimal()
      guard (0xdc00..<0xe000).contains(low),
        let scalar = Unicode.Scalar(0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00))
      else { throw failure("half a surrogate pair") }
      return scalar
    default: throw failure("unknown escape in a string")
    }
  }

  private mutating func hexadecimal() throws(Failure) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure("expected four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }
}
