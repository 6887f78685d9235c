import Foundation

/// JSON for settings: an unknown or repeated key is an error, not something to overlook.
package enum StrictJSON {
  /// What is wrong with the text, in one line.
  package struct Failure: Error {
    package var problem: String

    package init(problem: String) { self.problem = problem }
  }

  package static func decode<Value: Codable>(
    _ type: Value.Type, from bytes: [UInt8], maximumValues: Int = FileLimit.values
  ) throws(Failure) -> Value {
    try decode(type, from: try parse(bytes, maximumValues: maximumValues))
  }

  /// The same from JSON that has been read already.
  package static func decode<Value: Codable>(_ type: Value.Type, from given: JSONValue) throws(Failure)
    -> Value
  {
    do {
      let value = try JSONValueDecoder(given).decode(type)
      // What the value itself would write down is the list of known keys.
      let known = try parse(Array(try encode(value).utf8), maximumValues: .max)
      // Settings that are nil are not written, but they are known all the same.
      let optional = Mirror(reflecting: value).children.compactMap(\.label)
      try checkKeys(of: given, against: known, path: "", besides: optional)
      return value
    } catch let failure as Failure {
      throw failure
    } catch let error as DecodingError {
      throw Failure(problem: describe(error))
    } catch {
      throw Failure(problem: "\(error)")
    }
  }

  /// Sorted keys: the same value is the same text.
  package static func encode(_ value: some Encodable, pretty: Bool = false) throws(Failure) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // A diverged network's loss is still a result; JSON has no number for it.
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    if pretty { encoder.outputFormatting.insert(.prettyPrinted) }
    do {
      return String(decoding: try encoder.encode(value), as: UTF8.self)
    } catch { throw Failure(problem: "\(error)") }
  }

  /// - Throws: `OctNetError.file` for an unreadable file, one of too many bytes or values, a missing, unknown or mistyped
  ///   key.
  package static func read<Value: Codable>(
    _ type: Value.Type, path: String, limit: Int = FileLimit.settings, maximumValues: Int = FileLimit.values
  ) throws(OctNetError) -> Value {
    let bytes = try FileReader.bytes(of: path, limit: limit)
    return try read(type, from: bytes, path: path, maximumValues: maximumValues)
  }

  /// The same from text that was read from `path`.
  package static func read<Value: Codable>(
    _ type: Value.Type, from bytes: [UInt8], path: String, maximumValues: Int = FileLimit.values
  ) throws(OctNetError) -> Value {
    do throws(Failure) {
      return try decode(type, from: bytes, maximumValues: maximumValues)
    } catch { throw OctNetError.file(path: path, error.problem) }
  }

  package static func write(
    _ value: some Encodable, to path: String, pretty: Bool = true, onlyIfChanged: Bool = false
  ) throws(OctNetError) {
    let text: String
    do throws(Failure) {
      text = try encode(value, pretty: pretty)
    } catch { throw OctNetError.file(path: path, error.problem) }
    try AtomicFile.write(text + "\n", to: path, onlyIfChanged: onlyIfChanged)
  }

  /// The top-level keys whose values differ, in order.
  package static func differingKeys(_ a: some Encodable, _ b: some Encodable) -> [String] {
    func members(_ value: some Encodable) -> [String: JSONValue] {
      guard let text = try? encode(value),
        case .object(let members) = try? parse(Array(text.utf8), maximumValues: .max)
      else {
        return [:]
      }
      return Dictionary(members.map { ($0.key, $0.value) }, uniquingKeysWith: { first, _ in first })
    }
    let (first, second) = (members(a), members(b))
    return Set(first.keys).union(second.keys).filter { first[$0] != second[$0] }.sorted()
  }

  package static func parse(
    _ bytes: [UInt8], maximumValues: Int = FileLimit.values
  ) throws(Failure) -> JSONValue {
    let result: Result<JSONValue, JSONScanner.Failure> = bytes.withUnsafeBufferPointer { buffer in
      do throws(JSONScanner.Failure) {
        return .success(try JSONScanner.parse(buffer, maximumValues: maximumValues))
      } catch { return .failure(error) }
    }
    switch result {
    case .success(let value): return value
    case .failure(let failure): throw Failure(problem: "byte \(failure.offset): \(failure.problem)")
    }
  }

  private static func checkKeys(
    of given: JSONValue, against known: JSONValue, path: String, besides optional: [String] = []
  ) throws(Failure) {
    if case .array(let values) = given, case .array(let knownValues) = known {
      for (index, (value, match)) in zip(values, knownValues).enumerated() {
        try checkKeys(of: value, against: match, path: "\(path)\(index).")
      }
      return
    }
    guard case .object(let members) = given, case .object(let knownMembers) = known else { return }
    for (key, value) in members {
      guard let match = knownMembers.first(where: { $0.key == key }) else {
        // An optional setting that is absent is not written; which ones there are is known at the top only.
        if value == .null, !path.isEmpty || optional.contains(key) { continue }
        let names = Set(knownMembers.map(\.key)).union(optional).sorted().joined(separator: ", ")
        throw Failure(problem: "unknown key \"\(path)\(key)\", expected one of \(names)")
      }
      try checkKeys(of: value, against: match.value, path: "\(path)\(key).")
    }
  }

  private static func describe(_ error: DecodingError) -> String {
    func path(_ context: DecodingError.Context, _ last: (any CodingKey)? = nil) -> String {
      (context.codingPath + [last].compactMap { $0 }).map(\.stringValue).joined(separator: ".")
    }
    switch error {
    case .keyNotFound(let key, let context): return "key \"\(path(context, key))\" is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
      let place = path(context)
      return (place.isEmpty ? "" : place + ": ") + context.debugDescription
    @unknown default: return "\(error)"
    }
  }
}
