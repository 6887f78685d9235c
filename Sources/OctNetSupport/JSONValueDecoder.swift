/// Decodes values from JSON that has been read already, be it from JSON or from YAML.
///
/// Foundation's decoder reads the text again, loses where a number stood that does not fit, and names types of Swift; here
/// a number goes from its digits to its type at once, and a value of the wrong kind is told in plain words.
struct JSONValueDecoder: Decoder {
  let value: JSONValue
  let codingPath: [any CodingKey]
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  init(_ value: JSONValue, at path: [any CodingKey] = []) {
    self.value = value
    codingPath = path
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard case .object(let members) = value else { throw mismatch("keys with values") }
    return KeyedDecodingContainer(
      Keyed(
        decoder: self,
        members: Dictionary(members.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard case .array(let elements) = value else { throw mismatch("a list") }
    return Unkeyed(decoder: self, elements: elements)
  }

  func singleValueContainer() throws -> any SingleValueDecodingContainer { Single(decoder: self) }

  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
    let result: Any
    switch type {
    case is Bool.Type: result = try bool()
    case is String.Type: result = try string()
    case is Double.Type: result = try floatingPoint(Double.self)
    case is Float.Type: result = try floatingPoint(Float.self)
    case let integer as any FixedWidthInteger.Type: result = try self.integer(integer)
    case let choice as any (CaseIterable & RawRepresentable).Type:
      let names = Self.names(of: choice)
      if case .string(let text) = value, names.contains(text) { return try Value(from: self) }
      guard !names.isEmpty else { return try Value(from: self) }
      throw mismatch("one of " + names.joined(separator: ", "))
    default: return try Value(from: self)
    }
    guard let result = result as? Value else { throw mismatch("another kind of value") }
    return result
  }

  // MARK: Single values

  private func bool() throws -> Bool {
    guard case .bool(let value) = value else { throw mismatch("true or false") }
    return value
  }

  private func string() throws -> String {
    guard case .string(let text) = value else { throw mismatch("a word") }
    return text
  }

  private func integer<Number: FixedWidthInteger>(_ type: Number.Type) throws -> Number {
    guard case .number(let text) = value else { throw mismatch("a whole number") }
    if let number = Number(text) { return number }
    // 1e3 and 2.0 are whole numbers as well; beyond 2⁵³ a Double no longer says which.
    guard let real = Double(text), real == real.rounded(), real.isFinite else {
      throw mismatch("a whole number")
    }
    if abs(real) <= 0x1p53, let number = Number(exactly: real) { return number }
    throw mismatch("a whole number from \(Number.min) to \(Number.max)")
  }

  private func floatingPoint<Number: BinaryFloatingPoint & LosslessStringConvertible>(
    _ type: Number.Type
  ) throws -> Number {
    switch value {
    case .number(let text):
      guard let number = Number(text) else { throw mismatch("a number") }
      guard number.isFinite else { throw mismatch("a number of at most \(Number.greatestFiniteMagnitude)") }
      return number
    // JSON has no numbers for them.
    case .string("inf"): return .infinity
    case .string("-inf"): return -.infinity
    case .string("nan"): return .nan
    default: throw mismatch("a number")
    }
  }

  private static func names<Choice: CaseIterable & RawRepresentable>(of type: Choice.Type) -> [String] {
    type.allCases.compactMap { $0.rawValue as? String }
  }

  fileprivate func mismatch(_ expected: String) -> DecodingError {
    DecodingError.dataCorrupted(
      .init(codingPath: codingPath, debugDescription: "expected \(expected), found \(value.kind)"))
  }

  fileprivate func decoder(for value: JSONValue, _ key: any CodingKey) -> JSONValueDecoder {
    JSONValueDecoder(value, at: codingPath + [key])
  }
}

// MARK: Containers

private struct Keyed<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let decoder: JSONValueDecoder
  let members: [String: JSONValue]

  var codingPath: [any CodingKey] { decoder.codingPath }
  var allKeys: [Key] { members.keys.compactMap(Key.init(stringValue:)) }
  func contains(_ key: Key) -> Bool { members[key.stringValue] != nil }

  private func child(_ key: any CodingKey) throws -> JSONValueDecoder {
    guard let value = members[key.stringValue] else {
      throw DecodingError.keyNotFound(key, .init(codingPath: codingPath, debugDescription: "missing"))
    }
    return decoder.decoder(for: value, key)
  }

  func decodeNil(forKey key: Key) throws -> Bool { try child(key).value == .null }
  func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
    try child(key).decode(type)
  }
  func nestedContainer<Other: CodingKey>(
    keyedBy type: Other.Type, forKey key: Key
  ) throws -> KeyedDecodingContainer<Other> { try child(key).container(keyedBy: type) }
  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try child(key).unkeyedContainer()
  }
  func superDecoder() throws -> any Decoder { decoder }
  func superDecoder(forKey key: Key) throws -> any Decoder { try child(key) }
}

private struct Unkeyed: UnkeyedDecodingContainer {
  let decoder: JSONValueDecoder
  let elements: [JSONValue]
  var currentIndex = 0

  init(decoder: JSONValueDecoder, elements: [JSONValue]) {
    self.decoder = decoder
    self.elements = elements
  }

  private struct Index: CodingKey {
    var intValue: Int?
    var stringValue: String { intValue.map { "\($0)" } ?? "" }
    init(intValue: Int) { self.intValue = intValue }
    init?(stringValue: String) { nil }
  }

  var codingPath: [any CodingKey] { decoder.codingPath }
  var count: Int? { elements.count }
  var isAtEnd: Bool { currentIndex == elements.count }

  private mutating func next() throws -> JSONValueDecoder {
    guard !isAtEnd else {
      throw DecodingError.dataCorrupted(
        .init(
          codingPath: codingPath,
          debugDescription: "expected a longer list, found \(numbered(elements.count, "value"))"))
    }
    defer { currentIndex += 1 }
    return decoder.decoder(for: elements[currentIndex], Index(intValue: currentIndex))
  }

  mutating func decodeNil() throws -> Bool {
    guard !isAtEnd, elements[currentIndex] == .null else { return false }
    currentIndex += 1
    return true
  }
  mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try next().decode(type) }
  mutating func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key>
  {
    try next().container(keyedBy: type)
  }
  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    try next().unkeyedContainer()
  }
  mutating func superDecoder() throws -> any Decoder { try next() }
}

private struct Single: SingleValueDecodingContainer {
  let decoder: JSONValueDecoder
  var codingPath: [any CodingKey] { decoder.codingPath }
  func decodeNil() -> Bool { decoder.value == .null }
  func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try decoder.decode(type) }
}
