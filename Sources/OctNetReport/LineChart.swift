import OctNetCheckpoint
import OctNetCore
import OctNetSupport
import OctNetTraining

/// Curves over the epochs: a line for the mean of each series, a light band from its smallest to its largest value.
struct LineChart: Sendable {
  struct Point: Equatable, Sendable {
    var epoch: Int
    /// Of the runs that reached the epoch; none that is not finite.
    var spread: Spread
  }

  struct Series: Sendable {
    var label: String
    /// Decides the colour.
    var index: Int
    var points: [Point]
  }

  enum Unit: Sendable {
    case fraction
    case loss

    func shown(_ value: Double) -> Double { self == .fraction ? 100 * value : value }
    func text(_ value: Double) -> String {
      self == .fraction ? ReportNumber.percent(value) + " %" : ReportNumber.fixed(value, 4)
    }
  }

  /// Of its file, without extension.
  var name: String
  var title: String
  var unit: Unit
  var series: [Series]

  private static let height = 300.0

  var legend: ChartLegend {
    ChartLegend(entries: series.map { .init(label: $0.label, index: $0.index, isLettered: true) })
  }

  /// Values above this are drawn at the upper edge, so that a loss that once exploded does not flatten all the others;
  /// `nil` where everything has its place.
  var limit: Double? {
    let values = series.flatMap { $0.points.map(\.spread.maximum) }
    guard unit == .loss, let median = Spread(values)?.median, median > 0,
      let maximum = Spread(values)?.maximum, maximum > 20 * median
    else { return nil }
    return Spread(values.filter { $0 <= 10 * median })?.maximum
  }

  /// Points above `limit`.
  var cutPoints: Int {
    guard let limit else { return 0 }
    return series.flatMap(\.points).count { $0.spread.mean > limit }
  }

  func svg() -> (picture: SVG, attributes: KeyValuePairs<String, String>) {
    let limit = limit ?? .infinity
    let points = series.flatMap(\.points)
    let x = ChartScale(covering: points.map { Double($0.epoch) }, count: 7, isWhole: true, isTight: true)
    let y = ChartScale(
      covering: points.flatMap { [$0.spread.minimum, $0.spread.maximum] }.map { unit.shown(min($0, limit)) })
    let yTitle = unit == .fraction ? "\(title) (%)" : title
    let frame = ChartFrame(x: x, y: y, xTitle: "epoch", yTitle: yTitle, height: Self.height, margin: 30)
    var svg = SVG(title: title + " by epoch", summary: summary, height: Self.height)
    frame.draw(in: &svg)
    func place(_ epoch: Int, _ value: Double) -> (x: Double, y: Double) {
      (frame.x.position(Double(epoch)), frame.y.position(unit.shown(min(value, limit))))
    }
    let isSparse = (series.map(\.points.count).max() ?? 0) <= 12
    let drawn = series.filter { !$0.points.isEmpty }
    let ends = drawn.compactMap { one in one.points.last.map { place($0.epoch, $0.spread.mean) } }
    let levels = Self.spread(ends.map(\.y), from: frame.y.end, to: frame.y.start)
    for (one, (end, level)) in zip(drawn, zip(ends, levels)) {
      var shapes: [Markup] = []
      if one.points.contains(where: { $0.spread.count > 1 }) {
        let outline =
          one.points.map { place($0.epoch, $0.spread.maximum) }
          + one.points.reversed().map { place($0.epoch, $0.spread.minimum) }
        let band = Markup.element("path", ["d": SVG.path(outline, closed: true), "fill-opacity": "0.16"])
        shapes.append(band.adding(ChartStyle.fill(.series(one.index))))
      }
      shapes.append(line(one, places: one.points.map { place($0.epoch, $0.spread.mean) }))
      for point in one.points where isSparse || point.spread.mean > limit {
        let place = place(point.epoch, point.spread.mean)
        shapes.append(SVG.marker(one.index, x: place.x, y: place.y, radius: 3.2))
      }
      if let letter = ChartLegend.letter(one.index) {
        shapes.append(
          SVG.line(
            (end.x + 4, end.y), (frame.x.end + 13, level), ink: .series(one.index), width: 1))
        shapes.append(SVG.text(letter, x: frame.x.end + 15, y: level + 4.5, size: 13))
      }
      svg.add(.element("g", ["class": ChartLegend.group(one.index)], shapes))
    }
    let axis = [frame.x.start, frame.x.end, frame.x.lower, frame.x.upper, frame.y.end, frame.y.start]
    return (svg, ["class": "lines", "data-axis": axis.map(SVG.number).joined(separator: " ")])
  }

  /// The levels, moved apart so far that letters beside them do not touch, in their order, within the bounds.
  static func spread(_ levels: [Double], from top: Double, to bottom: Double) -> [Double] {
    guard levels.count > 1 else { return levels }
    let gap = min(14, (bottom - top) / Double(levels.count - 1))
    let order = levels.indices.sorted { (levels[$0], $0) < (levels[$1], $1) }
    var result = levels
    var least = top
    for index in order {
      result[index] = max(result[index], least)
      least = result[index] + gap
    }
    var most = bottom
    for index in order.reversed() {
      result[index] = min(result[index], most)
      most = result[index] - gap
    }
    return result
  }

  /// With its values, which the page shows where the pointer is.
  private func line(_ one: Series, places: [(x: Double, y: Double)]) -> Markup {
    SVG.stroked(places, index: one.index, width: 2).adding([
      "data-label": ChartLegend.Entry(label: one.label, index: one.index, isLettered: true).text,
      "data-x": one.points.map { String($0.epoch) }.joined(separator: ";"),
      "data-y": one.points.map { unit.text($0.spread.mean) }.joined(separator: ";"),
    ])
  }

  private var summary: String {
    series.map { one in
      one.points.last.map { "\(one.label): \(unit.text($0.spread.mean)) after epoch \($0.epoch)" }
        ?? "\(one.label): no values"
    }.joined(separator: "; ") + "."
  }
}
