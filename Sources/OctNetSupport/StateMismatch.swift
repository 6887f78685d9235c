/// How a state dictionary differs from what a network needs: every key, and where it can be told, why.
///
/// The lists are complete; the description is one short line with the cause, the first keys of each list and how many
/// there are.
public struct StateMismatch: Equatable, Sendable {
  /// What the keys and shapes tell of the reason.
  public enum Cause: Equatable, Sendable {
    /// A network of the same kind, but another one: what the file's has and what was expected instead, in words, and
    /// the settings that would make the file's; no settings where none would.
    case architecture(found: [String], expected: [String], settings: [Setting])
    /// Most of the network's keys are there below this prefix, which not all keys of the file share.
    case prefix(String)
    /// The keys of Hugging Face's transformers, which has names of its own for ResNet's layers.
    case transformersNames
    /// Neither the stages of a ResNet nor the layers of another network of the table.
    case otherFamily
    /// All is there but the classifier.
    case noClassifier
  }

  /// A setting of a model under its name in configurations, such as `alpha`.
  public struct Setting: Equatable, Sendable {
    /// As the command line or a settings file has it.
    public var key: String
    /// As text.
    public var value: String

    /// A setting that would fit.
    public init(_ key: String, _ value: String) {
      self.key = key
      self.value = value
    }
  }

  /// The file with the state dictionary, where it is from one.
  public var path: String?
  /// Why, where it can be told.
  public var cause: Cause?
  /// Keys of the network that are not there, with the shape that was expected: `fc.bias [10]`.
  public var missing: [String]
  /// Keys that the network does not have, with the shape that was found.
  public var unexpected: [String]
  /// Keys with another shape or kind of numbers: what was found and what was expected.
  public var unfit: [String]
  /// Keys that are there more than once.
  public var repeated: [String]

  /// An empty one is no mismatch.
  public init(
    path: String? = nil, cause: Cause? = nil, missing: [String] = [], unexpected: [String] = [],
    unfit: [String] = [], repeated: [String] = []
  ) {
    self.path = path
    self.cause = cause
    self.missing = missing
    self.unexpected = unexpected
    self.unfit = unfit
    self.repeated = repeated
  }

  /// Whether nothing is wrong.
  public var isEmpty: Bool {
    missing.isEmpty && unexpected.isEmpty && unfit.isEmpty && repeated.isEmpty
  }
}

extension StateMismatch: CustomStringConvertible {
  public var description: String { (path.map { "\($0): " } ?? "") + problem }

  /// The description without the file's name.
  public var problem: String {
    let lists = [
      Self.list(missing, "missing"), Self.list(unexpected, "unexpected"),
      Self.list(unfit, "of another shape or type"), Self.list(repeated, "there more than once"),
    ].compactMap { $0 }
    let head = "the state dictionary does not fit the network: "
    return head + ([cause?.description].compactMap { $0 } + lists).joined(separator: "; ")
  }

  /// "220 keys missing: a, b, c, …", nil without keys.
  package static func list(_ keys: [String], _ what: String) -> String? {
    guard !keys.isEmpty else { return nil }
    let shown = keys.prefix(3).map(shortened) + (keys.count > 3 ? ["…"] : [])
    return "\(numbered(keys.count, "key")) \(what): \(shown.joined(separator: ", "))"
  }

  /// A name from a file may be of any length, and have line feeds and other marks in it that do not print.
  package static func shortened(_ key: String) -> String {
    let short = key.unicodeScalars.count <= 100 ? key : "\(key.prefix(40))…\(key.suffix(40))"
    guard short.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
      return short
    }
    var printable = String.UnicodeScalarView()
    for scalar in short.unicodeScalars {
      printable.append(scalar.properties.generalCategory == .control ? "\u{fffd}" : scalar)
    }
    return String(printable)
  }
}

extension StateMismatch.Cause: CustomStringConvertible {
  public var description: String {
    switch self {
    case .architecture(let found, let expected, _):
      return "it is of \(found.joined(separator: ", ")), the network of \(expected.joined(separator: ", "))"
    case .prefix(let prefix):
      return
        "the network's keys are there below \"\(StateMismatch.shortened(prefix))\", among others; keep those alone and take the prefix away"
    case .transformersNames:
      return "it has the names of Hugging Face's transformers, expected torchvision's (layer1.0.conv1.weight)"
    case .otherFamily:
      return "it is of another kind of network, none of those that OctNet has"
    case .noClassifier: return "it has no classifier (fc)"
    }
  }
}

extension OctNetError {
  /// The same, naming the file that a state dictionary was read from.
  package func naming(_ path: String?) -> OctNetError {
    guard let path, case .stateDictionary(var mismatch) = self, mismatch.path == nil else { return self }
    mismatch.path = path
    return .stateDictionary(mismatch)
  }
}
