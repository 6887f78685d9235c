import OctNetCheckpoint
import OctNetCore
import OctNetTraining

/// Colours of the charts: light ones as attributes, so that a chart is right in any program that shows SVG, dark ones
/// as style rules, which browsers apply where the reader prefers dark.
enum ChartStyle {
  /// What is drawn with a colour.
  enum Ink: Equatable, Sendable {
    case series(Int)
    case text, muted, grid, paper, heat
  }

  /// Any two are told apart with every kind of colour vision (ΔE of 12 or more), and each stands out from its
  /// background (contrast of 3:1 or more).
  static let light = [
    "#0072b2", "#d55e00", "#117733", "#cc7799", "#551155", "#331188", "#883355", "#333311",
  ]
  static let dark = [
    "#58b4f2", "#ff8f47", "#44bb77", "#ffee99", "#aa7799", "#7766dd", "#bbeedd", "#dd5544",
  ]

  static func colour(_ ink: Ink) -> String {
    switch ink {
    case .series(let index): return light[index % light.count]
    case .text: return "#1c1e21"
    case .muted: return "#5c6166"
    case .grid: return "#dcdfe3"
    case .paper: return "#ffffff"
    case .heat: return "#0072b2"
    }
  }

  static func name(_ ink: Ink) -> String {
    switch ink {
    case .series(let index): return "c\(index % light.count)"
    case .text: return "ink"
    case .muted: return "muted"
    case .grid: return "grid"
    case .paper: return "paper"
    case .heat: return "heat"
    }
  }

  /// The dashes of a line: further series than there are colours begin again with others.
  static func dashes(_ index: Int) -> String? {
    let patterns = [nil, "7 4", "2 3", "9 3 2 3"]
    return patterns[index / light.count % patterns.count]
  }

  static func stroke(_ ink: Ink) -> KeyValuePairs<String, String> {
    ["class": "s-" + name(ink), "stroke": colour(ink)]
  }

  static func fill(_ ink: Ink) -> KeyValuePairs<String, String> {
    ["class": "f-" + name(ink), "fill": colour(ink)]
  }

  /// For readers who prefer dark, on a screen: paper is white.
  static var darkRules: String {
    let inks: [(String, String)] =
      dark.enumerated().map { ("c\($0)", $1) } + [
        ("ink", "#e8eaed"), ("muted", "#a5abb3"), ("grid", "#353a41"), ("paper", "#14171b"),
        ("heat", "#58b4f2"),
      ]
    let rules = inks.map { ".s-\($0){stroke:\($1)}.f-\($0){fill:\($1)}" }.joined()
    return "@media screen and (prefers-color-scheme:dark){\(rules).f-on{fill:#0b0d10}}"
  }
}
