import OctNet
import Yams

/// Settings in YAML, read without surprises: what they say is plain data.
///
/// Anchors, aliases and tags are refused: a few lines of nested aliases stand for more values than fit in any memory. So
/// is text in blocks, for which no setting has a use. Words that are numbers become them digit by digit, so that
/// no integer goes through a Double.
package enum YAMLSettings {
  /// What is wrong, with line and column.
  package struct Failure: Error { package var problem: String }

  package static func parse(_ text: String) throws(Failure) -> JSONValue {
    var scanner = YAMLSigns(text)
    if let problem = scanner.firstRefused() { throw Failure(problem: problem) }
    let node: Node?
    do {
      node = try Yams.compose(yaml: text)
    } catch let error as YamlError {
      throw Failure(problem: describe(error))
    } catch { throw Failure(problem: "\(error)") }
    guard let node else { return .object([]) }
    return try value(of: node)
  }

  private static func value(of node: Node) throws(Failure) -> JSONValue {
    switch node {
    case .scalar(let scalar):
      return scalar.style == .plain || scalar.style == .any ? plain(scalar.string) : .string(scalar.string)
    case .sequence(let sequence):
      var elements: [JSONValue] = []
      for element in sequence { elements.append(try value(of: element)) }
      return .array(elements)
    case .mapping(let mapping):
      var members: [(key: String, value: JSONValue)] = []
      var keys: Set<String> = []
      for (key, content) in mapping {
        guard case .scalar(let word) = key else {
          throw Failure(problem: "\(place(key))expected a word as key, found a \(kind(key))")
        }
        guard keys.insert(word.string).inserted else {
          throw Failure(problem: "\(place(key))the key \(word.string) is there twice")
        }
        members.append((word.string, try value(of: content)))
      }
      return .object(members)
    case .alias: throw Failure(problem: "\(place(node))an alias, which settings do without")
    }
  }

  /// A word without quotes, by the rules of YAML 1.1 as far as they have no surprises: 010 and 1:30 are no numbers.
  static func plain(_ word: String) -> JSONValue {
    switch word {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": return .bool(true)
    case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": return .bool(false)
    default: break
    }
    let isNegative = word.hasPrefix("-")
    let digits = (isNegative || word.hasPrefix("+") ? String(word.dropFirst()) : word)
      .split(separator: "_", omittingEmptySubsequences: false).joined()
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] where digits.hasPrefix(prefix) {
      guard let number = UInt64(digits.dropFirst(2), radix: radix) else { return .string(word) }
      return .number((isNegative ? "-" : "") + "\(number)")
    }
    guard let first = digits.utf8.first, isDigit(first) || first == UInt8(ascii: "."),
      digits.utf8.contains(where: isDigit),
      digits.utf8.allSatisfy({ isDigit($0) || ".eE+-".utf8.contains($0) }),
      digits.count == 1 || first != UInt8(ascii: "0") || !isDigit(Array(digits.utf8)[1]),
      Double(digits) != nil
    else { return .string(word) }
    return .number((isNegative ? "-" : "") + digits)
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

  private static func kind(_ node: Node) -> String {
    if case .sequence = node { return "list" }
    return "mapping"
  }

  private static func place(_ node: Node) -> String {
    node.mark.map { "line \($0.line), column \($0.column): " } ?? ""
  }

  /// One line.
  private static func describe(_ error: YamlError) -> String {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      return "line \(mark.line), column \(mark.column): \(problem)"
    case .duplicatedKeysInMapping(let duplicates, let context):
      return "line \(context.mark.line): the key \(duplicates.joined(separator: ", ")) is there twice"
    case .reader(let problem, _, _, _): return problem
    default: return "\(error)".split(separator: "\n").joined(separator: " ")
    }
  }
}

/// Finds signs at the beginnings of YAML's tokens that settings do without.
private struct YAMLSigns {
  private let bytes: [UInt8]
  private var position = 0
  private var line = 1
  private var lineStart = 0
  /// Depth of [ ] and { }.
  private var depth = 0

  init(_ text: String) { bytes = Array(text.utf8) }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private func isBlank(at index: Int) -> Bool {
    guard index < bytes.count else { return true }
    return bytes[index] == 0x20 || bytes[index] == 0x09 || isBreak(bytes[index])
  }

  private func isBreak(_ byte: UInt8) -> Bool { byte == 0x0a || byte == 0x0d }

  /// nil where there is none.
  mutating func firstRefused() -> String? {
    while let byte = current {
      if isBreak(byte) {
        // A line may end with both characters.
        if !(byte == 0x0a && position > 0 && bytes[position - 1] == 0x0d) { line += 1 }
        position += 1
        lineStart = position
        continue
      }
      switch Unicode.Scalar(byte) {
      case " ", "\t", ",": position += 1
      case "[", "{":
        depth += 1
        guard depth <= 64 else { return failure("nested too deeply") }
        position += 1
      case "]", "}":
        depth -= 1
        position += 1
      case "-", "?", ":":
        if isBlank(at: position + 1) || depth > 0 { position += 1 } else { skipPlain() }
      case "#": skipComment()
      case "\"", "'": skipQuoted(byte)
      case "&": return failure("an anchor (&…), which settings do without; repeat the values")
      case "*": return failure("an alias (*…), which settings do without; repeat the values")
      case "!": return failure("a tag (!…), which settings do without")
      case "|", ">": return failure("text in a block, which no setting takes")
      default: skipPlain()
      }
    }
    return nil
  }

  private func failure(_ problem: String) -> String {
    "line \(line), column \(position - lineStart + 1): found \(problem)"
  }

  private mutating func skipComment() {
    while let byte = current, !isBreak(byte) { position += 1 }
  }

  /// Up to the end of the line, a comment, or the end of a key.
  private mutating func skipPlain() {
    while let byte = current, !isBreak(byte) {
      let scalar = Unicode.Scalar(byte)
      if scalar == ":" && (isBlank(at: position + 1) || depth > 0) { return }
      if depth > 0, ",[]{}".unicodeScalars.contains(scalar) { return }
      if scalar == "#", position > 0, isBlank(at: position - 1) { return }
      position += 1
    }
  }

  private mutating func skipQuoted(_ quote: UInt8) {
    position += 1
    while let byte = current {
      position += 1
      if byte == 0x0a { (line, lineStart) = (line + 1, position) }
      if byte == UInt8(ascii: "\\"), quote == UInt8(ascii: "\"") {
        position += 1
      } else if byte == quote {
        guard quote == UInt8(ascii: "'"), current == quote else { return }
        position += 1
      }
    }
  }
}
