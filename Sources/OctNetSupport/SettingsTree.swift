/// Settings before they are a `TrainingConfiguration`: from a file, some of them only.
extension JSONValue {
  /// JSON in `bytes`, nil where they are something else.
  package init?(json bytes: [UInt8]) {
    let value = bytes.withUnsafeBufferPointer { try? JSONScanner.parse($0) }
    guard let value else { return nil }
    self = value
  }

  /// The member of an object, nil where there is none, or no object. Setting it in anything but an object does nothing.
  package subscript(key: String) -> JSONValue? {
    get {
      guard case .object(let members) = self else { return nil }
      return members.first { $0.key == key }?.value
    }
    set {
      guard case .object(var members) = self else { return }
      members.removeAll { $0.key == key }
      if let newValue { members.append((key, newValue)) }
      self = .object(members)
    }
  }

  package var text: String? {
    guard case .string(let text) = self else { return nil }
    return text
  }

  package var number: Double? {
    guard case .number(let text) = self else { return nil }
    return Double(text)
  }

  /// Objects key by key, everything else as a whole; so too an object that names another kind of thing.
  package func merged(over old: JSONValue) -> JSONValue {
    guard case .object(let members) = self, case .object(var result) = old else { return self }
    if let name = self["name"]?.text, let before = old["name"]?.text, name != before { return self }
    // Of keys that are two spellings of one text, as Swift compares them, the first.
    var places = Dictionary(zip(result.map(\.key), result.indices)) { first, _ in first }
    for (key, value) in members {
      if let place = places[key] {
        result[place].value = value.merged(over: result[place].value)
      } else {
        places[key] = result.count
        result.append((key, value))
      }
    }
    return .object(result)
  }
}
