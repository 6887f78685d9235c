import OctNetSupport

/// A piece of HTML or SVG. Text is escaped when it is rendered, so nothing that comes out of a file can become markup,
/// and every element is closed, so that the page is well-formed XML too.
indirect enum Markup {
  case element(name: String, attributes: [(String, String)], children: [Markup])
  case text(String)
  /// The contents of `style` and `script`, which HTML does not unescape: no `<` and no `&`.
  case verbatim(String)

  static func element(
    _ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ children: [Markup] = []
  ) -> Markup {
    .element(name: name, attributes: attributes.map { ($0.key, $0.value) }, children: children)
  }

  static func element(
    _ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ text: String
  ) -> Markup {
    element(name, attributes, [.text(text)])
  }

  func adding(_ attributes: KeyValuePairs<String, String>) -> Markup {
    guard case .element(let name, let before, let children) = self else { return self }
    return .element(
      name: name, attributes: before + attributes.map { ($0.key, $0.value) }, children: children)
  }

  func rendered() -> String {
    var text = ""
    render(into: &text)
    return text
  }

  /// HTML knows no `<td/>`: only these may be closed at once.
  private static let closedAtOnce: Set<String> = [
    "meta", "line", "path", "rect", "circle", "br", "col", "input",
  ]
  /// In line with text; white space after them would show.
  private static let inline: Set<String> = [
    "span", "strong", "code", "a", "tspan", "em", "abbr", "svg", "dfn",
  ]

  private func render(into text: inout String) {
    switch self {
    case .text(let content): text += Self.escaped(content)
    case .verbatim(let content): text += content
    case .element(let name, let attributes, let children):
      text += "<" + name
      for (key, value) in attributes { text += " \(key)=\"\(Self.escaped(value))\"" }
      if children.isEmpty && Self.closedAtOnce.contains(name) {
        text += "/>"
      } else {
        text += ">"
        for child in children { child.render(into: &text) }
        text += "</\(name)>"
      }
      if !Self.inline.contains(name) { text += "\n" }
    }
  }

  /// Characters that XML cannot hold become U+FFFD.
  static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\t", "\n": result.unicodeScalars.append(scalar)
      case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
