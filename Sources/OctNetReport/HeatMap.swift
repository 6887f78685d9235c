import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport
import OctNetTraining

/// A confusion matrix: the darker a cell, the larger the share of the row's images.
struct HeatMap: Sendable {
  /// Of its file, without extension.
  var name: String
  var title: String
  var classNames: [String]
  /// `counts[label][prediction]`.
  var counts: [[Int]]

  private static let nameWidth = 96.0
  private static let columnNameWidth = 84.0

  func svg() -> SVG {
    let classes = Double(classNames.count)
    let (left, top) = (Self.nameWidth + 22, 88.0)
    let cell = cellSize(left: left)
    let size = min(SVG.fontSize, 0.8 * cell)
    var svg = SVG(title: title, summary: summary, height: top + cell * classes + 8)
    svg.add(SVG.text("predicted class", x: left, y: 14, ink: .muted, size: 12))
    let side = SVG.text("true class", x: 0, y: 0, anchor: .middle, ink: .muted, size: 12)
    svg.add(side.adding(["transform": "translate(12 \(SVG.number(top + cell * classes / 2))) rotate(-90)"]))
    for (index, name) in classNames.enumerated() {
      let centre = (Double(index) + 0.5) * cell
      let short = SVG.shortened(name, to: Self.nameWidth, size: size)
      svg.add(SVG.text(short, x: left - 6, y: top + centre + 0.35 * size, anchor: .end, size: size))
      let above = SVG.text(SVG.shortened(name, to: Self.columnNameWidth, size: size), x: 0, y: 0, size: size)
      svg.add(
        above.adding([
          "transform":
            "translate(\(SVG.number(left + centre + 0.3 * size)) \(SVG.number(top - 5))) rotate(-50)"
        ]))
    }
    for (label, row) in counts.enumerated() {
      let total = row.reduce(0, +)
      for (prediction, images) in row.enumerated() {
        let share = total > 0 ? Double(images) / Double(total) : 0
        let corner = (x: left + Double(prediction) * cell, y: top + Double(label) * cell)
        svg.add(
          self.cell(corner, size: cell, share: share, images: images, label: label, prediction: prediction))
      }
    }
    return svg
  }

  /// So small that the names above the columns, which lean to the right, end within the picture.
  private func cellSize(left: Double) -> Double {
    var size = min(34, (SVG.width - left - 4) / Double(classNames.count))
    for (index, name) in classNames.enumerated() {
      // cos 50° of its length, and about half a line that begins beside the column's middle.
      let reach = 0.643 * min(Self.columnNameWidth, SVG.width(of: name)) + 0.5 * SVG.fontSize
      size = min(size, (SVG.width - left - reach) / (Double(index) + 0.5))
    }
    return size
  }

  private func cell(
    _ corner: (x: Double, y: Double), size: Double, share: Double, images: Int, label: Int, prediction: Int
  ) -> Markup {
    let tip =
      "\(classNames[label]) taken for \(classNames[prediction]): \(counted(images, "image")), "
      + "\(ReportNumber.percent(share, 1)) %"
    // The root spreads the small shares, where the mistakes are.
    let opacity = SVG.number(share.squareRoot())
    let square = Markup.element(
      "rect",
      [
        "x": SVG.number(corner.x), "y": SVG.number(corner.y), "width": SVG.number(size),
        "height": SVG.number(size), "fill-opacity": opacity, "stroke-width": "0.5",
        "class": "f-heat s-grid", "fill": ChartStyle.colour(.heat), "stroke": ChartStyle.colour(.grid),
      ])
    var shapes = [Markup.element("title", [:], tip), square]
    let text = String(images)
    let fontSize = min(12, 1.65 * (size - 3) / Double(max(3, text.count)))
    if images > 0 && fontSize >= 7.5 {
      let number = Markup.element(
        "text",
        [
          "x": SVG.number(corner.x + size / 2), "y": SVG.number(corner.y + size / 2 + 0.35 * fontSize),
          "text-anchor": "middle", "font-size": SVG.number(fontSize),
          "class": share > 0.7 ? "f-on" : "f-ink",
          "fill": ChartStyle.colour(share > 0.7 ? .paper : .text),
        ], text)
      shapes.append(number)
    }
    return .element("g", [:], shapes)
  }

  private var summary: String {
    let right = counts.indices.map { counts[$0][$0] }.reduce(0, +)
    let all = counts.joined().reduce(0, +)
    return "\(grouped(right)) of \(grouped(all)) test images are on the diagonal; "
      + "the cells are in confusion.csv."
  }
}
