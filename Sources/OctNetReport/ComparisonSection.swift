import OctNetCheckpoint
import OctNetCore
import OctNetData
import OctNetSupport
import OctNetTraining

/// The part of the page that is about one data set, in the order in which a reader asks: what came out, how it went, what
/// it costs, what matters, where it fails, what it was.
struct ComparisonSection {
  private let comparison: Comparison
  /// Of file names and ids, empty where there is one data set.
  private let prefix: String
  private let isOneOfSeveral: Bool
  private let lineCharts: [LineChart]
  private let scatterCharts: [ScatterChart]
  private let alphaChart: ScatterChart?
  private let heatMap: HeatMap?

  init(_ comparison: Comparison, prefix: String, isOneOfSeveral: Bool) {
    (self.comparison, self.prefix, self.isOneOfSeveral) = (comparison, prefix, isOneOfSeveral)
    lineCharts = comparison.lineCharts
    scatterCharts = comparison.scatterCharts
    alphaChart = comparison.alphaChart
    heatMap = comparison.heatMap
  }

  // MARK: Files

  var files: [ReportPage.File] {
    var files = lineCharts.map { chart -> ReportPage.File in
      var picture = chart.svg().picture
      chart.legend.draw(in: &picture)
      return .init(name: "\(prefix)\(chart.name).svg", text: picture.file())
    }
    files += ([alphaChart].compactMap { $0 } + scatterCharts).map { chart in
      var (picture, legend) = chart.svg()
      legend.draw(in: &picture)
      return .init(name: "\(prefix)\(chart.name).svg", text: picture.file())
    }
    if let heatMap { files.append(.init(name: "\(prefix)\(heatMap.name).svg", text: heatMap.svg().file())) }
    let tables =
      [
        comparison.accuracyTable, comparison.lossTable, comparison.differenceTable, comparison.costTable,
        comparison.ablationTable, comparison.classTable,
        comparison.mistakesTable, comparison.differingSettingsTable, comparison.commonSettingsTable,
        comparison.runTable, comparison.conditionTable,
      ].compactMap { $0 } + comparison.modelTables
    for table in tables {
      files.append(.init(name: "\(prefix)\(table.name).csv", text: table.csv))
      files.append(.init(name: "\(prefix)\(table.name).md", text: table.markdown))
    }
    // Too long to be read.
    for table in [comparison.curveTable, comparison.confusionTable].compactMap({ $0 }) {
      files.append(.init(name: "\(prefix)\(table.name).csv", text: table.csv))
    }
    return files
  }

  // MARK: Page

  var html: Markup {
    var parts: [Markup] = []
    if isOneOfSeveral { parts.append(.element("h2", [:], "Data: \(comparison.dataName)")) }
    parts += [headline, curves, accuracy, costs, ablation, classes, settings, models].compactMap { $0 }
    return .element("article", [:], parts)
  }

  private var headline: Markup? {
    let headline = Headline(comparison)
    let numbers = headline.numbers.map { number in
      var parts = [Markup.element("dt", [:], number.name), .element("dd", ["class": "value"], number.value)]
      if let remark = number.remark { parts.append(.element("dd", [:], remark)) }
      return Markup.element("div", [:], parts)
    }
    var parts = [
      Markup.element("p", ["class": "lead"], headline.sentence),
      .element("dl", ["class": "numbers"], numbers),
    ]
    if !headline.notes.isEmpty {
      let notes = headline.notes.map { Markup.element("li", [:], $0) }
      parts.append(.element("ul", ["class": "notes", "aria-label": "Notes"], notes))
    }
    return section("Result", parts)
  }

  private var curves: Markup? {
    guard !lineCharts.isEmpty else { return nil }
    let hasBands = comparison.groups.contains { $0.runs.count > 1 }
    let figures = lineCharts.enumerated().map { index, chart -> Markup in
      let (picture, attributes) = chart.svg()
      var caption = chart.title + " by epoch."
      if hasBands { caption += " Line: mean of the runs that reached the epoch; band: smallest to largest." }
      if let limit = chart.limit {
        caption +=
          " \(counted(chart.cutPoints, "value")) above \(ReportNumber.fixed(limit, 2)) "
          + "\(chart.cutPoints == 1 ? "is" : "are") drawn at the upper edge."
      }
      return figure(picture, id: "curve-\(index)", attributes: attributes, caption: caption)
    }
    let legend = curveLegend
    return section(
      "Training",
      legend.switches(prefix) + [
        legend.switchable(prefix),
        .element("p", ["class": "hint"], "An entry of the legend hides its curve, or shows it again."),
        .element("div", ["class": "charts"], figures),
      ])
  }

  /// Of all curves, each once.
  private var curveLegend: ChartLegend {
    let entries = lineCharts.flatMap(\.legend.entries).reduce(into: [ChartLegend.Entry]()) { all, entry in
      if !all.contains(entry) { all.append(entry) }
    }
    return ChartLegend(entries: entries.sorted { $0.index < $1.index })
  }

  /// Style rules of this part of the page.
  var rules: String { lineCharts.isEmpty ? "" : curveLegend.rules(prefix) }

  private var accuracy: Markup? {
    guard let table = comparison.accuracyTable ?? comparison.lossTable else { return nil }
    var parts = [table.html] + comparison.verdicts.map { Markup.element("p", [:], $0) }
    if let alphaChart {
      let (picture, unnamed) = alphaChart.svg()
      if !unnamed.entries.isEmpty { parts.append(unnamed.html) }
      let figure = figure(
        picture, id: "alpha", attributes: [:], caption: alphaChart.title + ". " + Comparison.alphaCaption)
      parts.append(.element("div", ["class": "charts"], [figure]))
    }
    if let differences = comparison.differenceTable { parts.append(differences.html) }
    return section(comparison.hasAccuracy ? "Accuracy" : "Loss", parts)
  }

  private var costs: Markup? {
    guard let table = comparison.costTable else { return nil }
    var parts: [Markup] = []
    if !scatterCharts.isEmpty {
      var unnamed: [ChartLegend.Entry] = []
      let figures = scatterCharts.enumerated().map { index, chart -> Markup in
        var caption = chart.title + "."
        if chart.points.contains(where: { $0.deviation != nil }) {
          caption += " Bars: ± sample deviation over the runs."
        }
        let (picture, legend) = chart.svg()
        unnamed += legend.entries.filter { entry in !unnamed.contains { $0.index == entry.index } }
        return figure(picture, id: "cost-\(index)", attributes: [:], caption: caption)
      }
      if !unnamed.isEmpty {
        let all = comparison.groups.map { ChartLegend.Entry(label: $0.label, index: $0.index) }
        parts.append(ChartLegend(entries: all).html)
      }
      parts.append(.element("div", ["class": "charts"], figures))
    }
    return section("What it costs", parts + [table.html])
  }

  private var ablation: Markup? {
    guard let table = comparison.ablationTable else { return nil }
    return section("Ablation", [table.html])
  }

  private var classes: Markup? {
    guard let best = comparison.bestRun else { return nil }
    let isLong = best.evaluation.classNames.count > Comparison.mostClassesShown
    let table = isLong ? comparison.extremeClassesTable : comparison.classTable
    let mistakes = comparison.mistakesTable?.html
    var parts: [Markup?] = [mistakes]
    if let heatMap {
      let figure = figure(
        heatMap.svg(), id: "confusion", attributes: [:],
        caption:
          "Confusion matrix of the best run, \(best.run.name) (\(best.group.label)): test images of each class "
          + "by the class they are taken for. The darker, the larger the share of the row.")
      parts = [.element("div", ["class": "charts"], [figure, mistakes].compactMap { $0 })]
    }
    parts.append(table?.html)
    return section("Classes", parts.compactMap { $0 })
  }

  private var settings: Markup? {
    let tables = [
      comparison.runTable, comparison.conditionTable, comparison.differingSettingsTable,
      comparison.commonSettingsTable,
    ]
    return section("Runs and settings", tables.compactMap { $0?.html })
  }

  private var models: Markup? {
    let tables = comparison.modelTables
    guard !tables.isEmpty else { return nil }
    return section("Network", tables.map(\.html))
  }

  private func section(_ title: String, _ parts: [Markup]) -> Markup {
    .element("section", [:], [.element(isOneOfSeveral ? "h3" : "h2", [:], title)] + parts)
  }

  private func figure(
    _ picture: SVG, id: String, attributes: KeyValuePairs<String, String>, caption: String
  ) -> Markup {
    .element(
      "figure", [:],
      [
        picture.inline(id: "\(prefix)\(id)", attributes: attributes),
        .element("figcaption", [:], caption),
      ])
  }
}
