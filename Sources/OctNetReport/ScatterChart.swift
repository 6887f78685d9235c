import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport

/// One point for each group, with its name beside it.
struct ScatterChart: Sendable {
  struct Point: Sendable {
    var label: String
    /// Decides colour and form.
    var index: Int
    var x, y: Double
    /// Half the length of the bar through the point, in units of y.
    var deviation: Double?
    /// What the pointer tells.
    var tip: String
  }

  /// Of its file, without extension.
  var name: String
  var title: String
  var xTitle, yTitle: String
  var points: [Point]
  /// A line from the lower left to the upper right on which x = y.
  var diagonal: String?
  /// Positions of points that belong together, in the order in which lines join them.
  var lines: [[Int]] = []

  private static let height = 330.0
  private static let radius = 5.0

  /// - Returns: the picture, and a legend of the points beside which there was no room for their names.
  func svg() -> (picture: SVG, legend: ChartLegend) {
    var (xValues, yValues) = (
      points.map(\.x), points.flatMap { [$0.y - ($0.deviation ?? 0), $0.y + ($0.deviation ?? 0)] }
    )
    if diagonal != nil {
      // The same range on both, so that the diagonal is one.
      xValues += yValues
      yValues = xValues
    }
    let frame = ChartFrame(
      x: ChartScale(covering: xValues), y: ChartScale(covering: yValues), xTitle: xTitle, yTitle: yTitle,
      height: Self.height)
    let summary = points.map(\.tip).joined(separator: "; ") + "."
    var svg = SVG(title: title, summary: summary, height: Self.height)
    frame.draw(in: &svg)
    let (x, y) = (frame.x, frame.y)
    var placer = LabelPlacer(left: x.start + 2, right: SVG.width - 2, top: y.end - 8, bottom: y.start - 2)
    if diagonal != nil {
      let line = SVG.line((x.start, y.start), (x.end, y.end), ink: .muted).adding(["stroke-dasharray": "4 4"])
      svg.add(line)
    }
    let places = points.map { (x: x.position($0.x), y: y.position($0.y)) }
    for line in lines {
      for (from, to) in zip(line, line.dropFirst()) {
        svg.add(SVG.line(places[from], places[to], ink: .muted).adding(["stroke-opacity": "0.6"]))
      }
    }
    for (point, place) in zip(points, places) {
      placer.occupy(x: place.x - 6, y: place.y - 6, width: 12, height: 12)
      guard let deviation = point.deviation, deviation > 0 else { continue }
      let ends = (y.position(point.y - deviation), y.position(point.y + deviation))
      let ink = ChartStyle.Ink.series(point.index)
      svg.add(SVG.line((place.x, ends.0), (place.x, ends.1), ink: ink, width: 1.5))
      for end in [ends.0, ends.1] {
        svg.add(SVG.line((place.x - 4, end), (place.x + 4, end), ink: ink, width: 1.5))
      }
      placer.occupy(x: place.x - 4, y: ends.1, width: 8, height: ends.0 - ends.1)
    }
    if let diagonal {
      // Where along the line no point or bar is in its way.
      for share in stride(from: 0.9, to: 0.05, by: -0.1) {
        let place = (x: x.start + share * (x.end - x.start), y: y.start + share * (y.end - y.start))
        guard let label = placer.place(diagonal, beside: place) else { continue }
        svg.add(SVG.haloed(label.text, x: label.x, y: label.y, size: LabelPlacer.fontSize))
        break
      }
    }
    var unnamed: [ChartLegend.Entry] = []
    for (point, place) in zip(points, places) {
      let marker = SVG.marker(point.index, x: place.x, y: place.y, radius: Self.radius)
      svg.add(.element("g", [:], [.element("title", [:], point.tip), marker]))
      guard let label = placer.place(point.label, beside: place) else {
        unnamed.append(.init(label: point.label, index: point.index))
        continue
      }
      svg.add(SVG.haloed(label.text, x: label.x, y: label.y, size: LabelPlacer.fontSize))
    }
    return (svg, ChartLegend(entries: unnamed))
  }
}

/// Finds room for labels, so that none covers another or a point.
struct LabelPlacer {
  struct Placed: Equatable {
    var text: String
    /// Left end of the base line.
    var x, y: Double
  }

  static let fontSize = 13.0

  let left, right, top, bottom: Double
  private var taken: [(x: Double, y: Double, width: Double, height: Double)] = []

  init(left: Double, right: Double, top: Double, bottom: Double) {
    (self.left, self.right, self.top, self.bottom) = (left, right, top, bottom)
  }

  mutating func occupy(x: Double, y: Double, width: Double, height: Double) {
    taken.append((x, y, width, height))
  }

  /// The nearest free place in eight directions; `nil` where there is none so near that the two belong together.
  mutating func place(_ label: String, beside point: (x: Double, y: Double)) -> Placed? {
    let text = SVG.shortened(label, to: 190, size: Self.fontSize)
    let (width, height) = (SVG.width(of: text, size: Self.fontSize), 15.0)
    for distance in [9.0, 14, 20] {
      for (dx, dy) in [(1.0, 0.0), (-1, 0), (0, -1), (0, 1), (1, -1), (1, 1), (-1, -1), (-1, 1)] {
        // The edge or corner of the label that is next to the point.
        let reach = dx != 0 && dy != 0 ? 0.6 * distance : distance
        let x = point.x + dx * reach - (dx > 0 ? 0 : dx < 0 ? width : width / 2)
        let y = point.y + dy * reach - (dy > 0 ? 0 : dy < 0 ? height : height / 2)
        guard x >= left, x + width <= right, y >= top, y + height <= bottom else { continue }
        let isFree = taken.allSatisfy {
          x >= $0.x + $0.width || x + width <= $0.x || y >= $0.y + $0.height || y + height <= $0.y
        }
        guard isFree else { continue }
        occupy(x: x, y: y, width: width, height: height)
        return Placed(text: text, x: x, y: y + 12)
      }
    }
    return nil
  }
}
