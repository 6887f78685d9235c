import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport

/// Which line is whose: on the page as a list for several charts, in a file below the chart.
struct ChartLegend: Sendable {
  struct Entry: Equatable, Sendable {
    var label: String
    /// Place among the series.
    var index: Int
    /// Whether its curve has a letter.
    var isLettered = false

    var text: String {
      guard isLettered, let letter = ChartLegend.letter(index) else { return label }
      return "\(letter)  \(label)"
    }
  }

  var entries: [Entry]

  var html: Markup { html { _, content in content } }

  /// With checkboxes, in front of legend and charts, that show and hide what has the class of a series: no script is needed.
  func switches(_ prefix: String) -> [Markup] {
    entries.map { entry in
      .element(
        "input",
        [
          "type": "checkbox", "class": "switch", "id": Self.id(prefix, entry.index), "checked": "checked",
          "aria-label": entry.label,
        ])
    }
  }

  /// The legend whose entries turn the switches.
  func switchable(_ prefix: String) -> Markup {
    html { entry, content in
      [.element("label", ["for": Self.id(prefix, entry.index)], content)]
    }
  }

  /// What the switches do.
  func rules(_ prefix: String) -> String {
    entries.map { entry in
      let id = "#" + Self.id(prefix, entry.index)
      return "\(id):not(:checked)~.charts .\(Self.group(entry.index)){display:none}"
        + "\(id):not(:checked)~.legend .\(Self.group(entry.index)){opacity:.45;text-decoration:line-through}"
        + "\(id):focus-visible~.legend .\(Self.group(entry.index)){outline:2px solid var(--ink)}"
    }.joined()
  }

  private static func id(_ prefix: String, _ index: Int) -> String { "show-\(prefix)\(index)" }

  /// The class of all that belongs to a series.
  static func group(_ index: Int) -> String { "g\(index)" }

  /// What a curve is called beside its end; `nil` where letters do not suffice.
  static func letter(_ index: Int) -> String? {
    index < 26 ? UnicodeScalar(UInt8(65 + index)).description : nil
  }

  private func html(_ wrapped: (Entry, [Markup]) -> [Markup]) -> Markup {
    .element(
      "ul", ["class": "legend"],
      entries.map { entry in
        let content: [Markup] = [
          .element(
            "svg", ["viewBox": "0 0 28 12", "width": "28", "height": "12", "aria-hidden": "true"],
            Self.sign(entry.index, x: 1, y: 6)),
          .element("span", [:], entry.text),
        ]
        return .element("li", ["class": Self.group(entry.index)], wrapped(entry, content))
      })
  }

  /// The rows of the legend below a chart, which grows by them.
  func draw(in svg: inout SVG) {
    guard !entries.isEmpty else { return }
    let sign = 34.0
    let row = 20.0
    var x = 2.0
    var y = svg.height + 8
    for entry in entries {
      let label = SVG.shortened(entry.text, to: SVG.width - sign - 8)
      let width = sign + SVG.width(of: label) + 14
      if x > 2 && x + width > SVG.width { (x, y) = (2, y + row) }
      for shape in Self.sign(entry.index, x: x, y: y) { svg.add(shape) }
      svg.add(SVG.text(label, x: x + sign, y: y + 4.5))
      x += width
    }
    svg.height = y + 16
  }

  private static func sign(_ index: Int, x: Double, y: Double) -> [Markup] {
    [
      SVG.stroked([(x, y), (x + 26, y)], index: index, width: 2),
      SVG.marker(index, x: x + 13, y: y, radius: 3.5),
    ]
  }
}

extension SVG {
  /// The line of a series.
  static func stroked(_ points: [(x: Double, y: Double)], index: Int, width: Double) -> Markup {
    var line = Markup.element(
      "path",
      [
        "d": path(points), "fill": "none", "stroke-width": number(width), "stroke-linejoin": "round",
        "stroke-linecap": "round",
      ]
    ).adding(ChartStyle.stroke(.series(index)))
    if let dashes = ChartStyle.dashes(index) { line = line.adding(["stroke-dasharray": dashes]) }
    return line
  }
}
