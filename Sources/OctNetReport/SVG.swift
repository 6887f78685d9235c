import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport

/// The one place where pictures are drawn: shapes with coordinates in a box of fixed width, whose text stays legible on
/// a telephone and in a column of a paper.
struct SVG {
  static let width = 400.0
  static let fontSize = 14.0

  /// What the picture shows, for those who cannot see it.
  let title: String
  let summary: String
  var height: Double
  private(set) var shapes: [Markup] = []

  init(title: String, summary: String, height: Double) {
    (self.title, self.summary, self.height) = (title, summary, height)
  }

  mutating func add(_ shape: Markup) { shapes.append(shape) }

  /// For the page, whose style colours it; `id` is unique within it.
  func inline(id: String, attributes: KeyValuePairs<String, String>) -> Markup {
    root(
      shapes, title: [.element("title", ["id": id], title), .element("desc", ["id": id + "-d"], summary)],
      attributes: ["role": "img", "aria-labelledby": "\(id) \(id)-d"]
    ).adding(attributes)
  }

  /// A file of its own, on white, or on dark where the reader prefers that.
  func file() -> String {
    let paper = Markup.element("rect", ["width": "100%", "height": "100%"]).adding(ChartStyle.fill(.paper))
    let head: [Markup] = [
      .element("title", [:], title), .element("desc", [:], summary),
      .element("style", [:], [.verbatim(ChartStyle.darkRules)]), paper,
    ]
    return root(
      shapes, title: head,
      attributes: ["width": Self.number(Self.width), "height": Self.number(height)]
    ).rendered() + "\n"
  }

  private func root(
    _ shapes: [Markup], title: [Markup], attributes: KeyValuePairs<String, String>
  ) -> Markup {
    Markup.element(
      "svg",
      [
        "xmlns": "http://www.w3.org/2000/svg",
        "viewBox": "0 0 \(Self.number(Self.width)) \(Self.number(height))",
        "font-family": "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif",
        "font-size": Self.number(Self.fontSize),
      ], title + shapes
    ).adding(attributes)
  }

  // MARK: Shapes

  enum Anchor: String { case start, middle, end }

  static func text(
    _ text: String, x: Double, y: Double, anchor: Anchor = .start, ink: ChartStyle.Ink = .text,
    size: Double = fontSize
  ) -> Markup {
    var element = Markup.element("text", ["x": number(x), "y": number(y)], text).adding(ChartStyle.fill(ink))
    if anchor != .start { element = element.adding(["text-anchor": anchor.rawValue]) }
    if size != fontSize { element = element.adding(["font-size": number(size)]) }
    return element
  }

  /// Text on paper of its own, where lines may pass below.
  static func haloed(_ text: String, x: Double, y: Double, size: Double) -> Markup {
    .element(
      "text",
      [
        "x": number(x), "y": number(y), "font-size": number(size), "class": "f-ink s-paper",
        "fill": ChartStyle.colour(.text), "stroke": ChartStyle.colour(.paper), "stroke-width": "4",
        "paint-order": "stroke",
      ], text)
  }

  static func line(
    _ from: (x: Double, y: Double), _ to: (x: Double, y: Double), ink: ChartStyle.Ink, width: Double = 1
  ) -> Markup {
    Markup.element(
      "line",
      [
        "x1": number(from.x), "y1": number(from.y), "x2": number(to.x), "y2": number(to.y),
        "stroke-width": number(width),
      ]
    ).adding(ChartStyle.stroke(ink))
  }

  /// The `d` of a path through the points.
  static func path(_ points: [(x: Double, y: Double)], closed: Bool = false) -> String {
    guard let first = points.first else { return "" }
    let rest = points.dropFirst().map { "L\(number($0.x)) \(number($0.y))" }.joined()
    return "M\(number(first.x)) \(number(first.y))" + rest + (closed ? "Z" : "")
  }

  /// The sign of a series: form and colour both tell which.
  static func marker(_ index: Int, x: Double, y: Double, radius: Double) -> Markup {
    let r = radius
    let shape: Markup
    // The form moves on with every round of the colours.
    switch (index + index / ChartStyle.light.count) % 4 {
    case 0:
      shape = .element("circle", ["cx": number(x), "cy": number(y), "r": number(r)])
    case 1:
      shape = .element(
        "rect",
        [
          "x": number(x - 0.9 * r), "y": number(y - 0.9 * r), "width": number(1.8 * r),
          "height": number(1.8 * r),
        ])
    case 2:
      let d = path([(x, y - 1.3 * r), (x + 1.2 * r, y + 0.9 * r), (x - 1.2 * r, y + 0.9 * r)], closed: true)
      shape = .element("path", ["d": d])
    default:
      let d = path([(x, y - 1.3 * r), (x + 1.3 * r, y), (x, y + 1.3 * r), (x - 1.3 * r, y)], closed: true)
      shape = .element("path", ["d": d])
    }
    return shape.adding(ChartStyle.fill(.series(index)))
  }

  // MARK: Measures

  /// At most two decimals: a hundredth of a pixel.
  static func number(_ value: Double) -> String {
    var text = format(value, decimals: 2)
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text == "-0" ? "0" : text
  }

  /// About how wide text is; fonts differ, so rather too much.
  static func width(of text: String, size: Double = fontSize) -> Double {
    0.58 * size * Double(text.count)
  }

  /// `text` cut to about `width`, with an ellipsis.
  static func shortened(_ text: String, to width: Double, size: Double = fontSize) -> String {
    guard SVG.width(of: text, size: size) > width else { return text }
    let count = max(1, Int(width / (0.58 * size)) - 1)
    return text.prefix(count) + "…"
  }
}
