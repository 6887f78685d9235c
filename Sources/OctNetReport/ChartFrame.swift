/// The box that curves and points are drawn in: grid, ticks, names of the axes.
struct ChartFrame {
  private(set) var x: ChartScale
  private(set) var y: ChartScale
  private let xTitle, yTitle: String

  /// The room of the ticks below and the name of the y axis above is part of `height`, that of names of curves beside it
  /// is `margin`.
  init(
    x: ChartScale, y: ChartScale, xTitle: String, yTitle: String, height: Double, margin: Double = 18
  ) {
    (self.x, self.y, self.xTitle, self.yTitle) = (x, y, xTitle, yTitle)
    let tickWidth = y.ticks.map { SVG.width(of: y.label($0)) }.reduce(0) { max($0, $1) }
    (self.x.start, self.x.end) = (tickWidth + 12, SVG.width - margin)
    (self.y.start, self.y.end) = (height - 42, 32)
  }

  func draw(in svg: inout SVG) {
    for tick in y.ticks {
      let level = y.position(tick)
      svg.add(SVG.line((x.start, level), (x.end, level), ink: .grid))
      svg.add(SVG.text(y.label(tick), x: x.start - 8, y: level + 4.5, anchor: .end, ink: .muted))
    }
    for tick in x.ticks {
      let place = x.position(tick)
      svg.add(SVG.line((place, y.start), (place, y.start + 4), ink: .muted))
      svg.add(SVG.text(x.label(tick), x: place, y: y.start + 18, anchor: .middle, ink: .muted))
    }
    svg.add(SVG.line((x.start, y.start), (x.end, y.start), ink: .muted))
    // Above the axis, where it can be read without turning the head.
    svg.add(SVG.text(yTitle, x: 2, y: 16))
    svg.add(SVG.text(xTitle, x: x.end, y: y.start + 36, anchor: .end))
  }
}
