import OctNetCore
import OctNetData
import OctNetSupport
import OctNetTraining

/// The pictures of a comparison.
extension Comparison {
  /// Loss and accuracy by epoch; empty before the first epoch. Several groups have a chart each for training and test
  /// with a line for each group, a single one has both in one chart. Curves that lie on each other to the bit are one.
  var lineCharts: [LineChart] { lineCharts(mergingTwins: true) }

  private func lineCharts(mergingTwins mergesTwins: Bool) -> [LineChart] {
    guard runs.contains(where: { !$0.log.rows.isEmpty }) else { return [] }
    let evaluated = evaluatedImages
    if groups.count == 1 {
      return [
        LineChart(
          name: "loss", title: "Loss", unit: .loss,
          series: [
            series("training", 0, groups[0]) { $0.trainLoss },
            series(evaluated, 1, groups[0]) { $0.testLoss },
          ]),
        LineChart(
          name: "accuracy-curves", title: "Accuracy", unit: .fraction,
          series: [
            series("training", 0, groups[0]) { $0.trainAccuracy },
            series(evaluated, 1, groups[0]) { $0.testTop1 },
          ]),
      ].map(Self.withoutEmptySeries).filter(isShown)
    }
    func chart(
      _ name: String, _ title: String, _ unit: LineChart.Unit, _ value: (RunLog.Row) -> Double?
    ) -> LineChart {
      LineChart(
        name: name, title: title, unit: unit,
        series: groups.filter { mergesTwins ? curveTwin(of: $0) == nil : true }.map { group in
          series(mergesTwins ? curveLabel(of: group) : group.label, group.index, group, value)
        })
    }
    return [
      chart("train-loss", "Training loss", .loss) { $0.trainLoss },
      chart("test-loss", "\(evaluated.capitalizingFirst) loss", .loss) { $0.testLoss },
      chart("train-accuracy", "Training accuracy", .fraction) { $0.trainAccuracy },
      chart("test-accuracy", "\(evaluated.capitalizingFirst) accuracy, top-1", .fraction) { $0.testTop1 },
    ].map(Self.withoutEmptySeries).filter(isShown)
  }

  private func isShown(_ chart: LineChart) -> Bool {
    !chart.series.isEmpty && (hasAccuracy || chart.unit == .loss)
  }

  /// The first group whose curves are those of a later one, which they would hide.
  private func curveTwin(of group: RunGroup) -> RunGroup? {
    groups.prefix(group.index).first { $0.runs.map(\.log.rows) == group.runs.map(\.log.rows) }
  }

  private func curveLabel(of group: RunGroup) -> String {
    let twins = groups.filter { curveTwin(of: $0)?.index == group.index }
    return ([group] + twins).map(\.label).joined(separator: " = ")
  }

  /// What the epochs are evaluated on.
  private var evaluatedImages: String {
    let kinds = Set(runs.map(\.chosenOn))
    return kinds == [.validation] ? "validation" : kinds == [.test] ? "test" : "test or validation"
  }

  private static func withoutEmptySeries(_ chart: LineChart) -> LineChart {
    var chart = chart
    chart.series.removeAll { $0.points.isEmpty }
    return chart
  }

  private func series(
    _ label: String, _ index: Int, _ group: RunGroup, _ value: (RunLog.Row) -> Double?
  ) -> LineChart.Series {
    var values: [Int: [Double]] = [:]
    for run in group.runs {
      for row in run.log.rows {
        if let value = value(row), value.isFinite { values[row.epoch, default: []].append(value) }
      }
    }
    let points = values.keys.sorted().compactMap { epoch in
      Spread(values[epoch] ?? []).map { LineChart.Point(epoch: epoch, spread: $0) }
    }
    return LineChart.Series(label: label, index: index, points: points)
  }

  /// The numbers of the curves; `nil` before the first epoch.
  var curveTable: ReportTable? {
    let charts = lineCharts(mergingTwins: false)
    guard !charts.isEmpty else { return nil }
    var table = ReportTable(
      "curves", caption: "Curves: mean, smallest and largest value of the runs that reached the epoch",
      columns: ["chart", "series", "epoch"].map { .init($0, csv: [$0]) } + [
        .init("value", csv: ["runs", "mean", "minimum", "maximum"])
      ])
    for chart in charts {
      for one in chart.series {
        for point in one.points {
          let numbers = [point.spread.mean, point.spread.minimum, point.spread.maximum].map(ReportNumber.raw)
          table.add([
            .text(chart.name), .text(one.label), .text(String(point.epoch)),
            .init(chart.unit.text(point.spread.mean), values: [String(point.spread.count)] + numbers),
          ])
        }
      }
    }
    return table
  }

  /// Values of losses that are not finite and are missing in the curves.
  var missingValues: Int {
    runs.flatMap(\.log.rows).count { row in
      !row.trainLoss.isFinite || !(row.testLoss ?? 0).isFinite
    }
  }

  /// Accuracy against α of whole networks; `nil` for one ratio.
  var alphaChart: ScatterChart? {
    guard hasAccuracy else { return nil }
    let whole = groups.filter { group in
      group.bestTop1 != nil && !group.isProvisional
        && group.model.map { $0.lowToHigh && $0.highToLow } ?? false
    }
    guard Set(whole.compactMap(\.model?.alpha)).count > 1 else { return nil }
    let points = whole.compactMap { group -> ScatterChart.Point? in
      guard let alpha = group.model?.alpha, let accuracy = group.bestTop1 else { return nil }
      let interval = accuracy.interval.map { 100 * ($0.upperBound - $0.lowerBound) / 2 }
      let tip = interval.map { " ± \(ReportNumber.fixed($0, 2))" } ?? ""
      return ScatterChart.Point(
        label: group.label, index: group.index, x: alpha, y: 100 * accuracy.mean, deviation: interval,
        tip: "\(group.label): \(ReportNumber.percent(accuracy.mean))\(tip) %")
    }
    let rests = whole.map { $0.settings.without(["model.alpha"]) }
    let lines = rests.indices.filter { rests.firstIndex(of: rests[$0]) == $0 }.map { first in
      rests.indices.filter { rests[$0] == rests[first] }.sorted { points[$0].x < points[$1].x }
    }
    return ScatterChart(
      name: "accuracy-by-alpha", title: "Test accuracy against α", xTitle: "α", yTitle: accuracyTitle,
      points: points, lines: lines)
  }

  static let alphaCaption =
    "Lines join networks that differ in α alone. Bars: 95 % intervals of the mean (Student's t), where there are several seeds."

  /// What accuracy costs, for two groups or more.
  var scatterCharts: [ScatterChart] {
    [accuracyByMACs, accuracyByTime, timeByMACs].compactMap { $0 }.filter { $0.points.count > 1 }
  }

  private var accuracyByMACs: ScatterChart? {
    let largest = groups.compactMap { $0.cost?.total.macs }.max() ?? 0
    // Millions, or billions where there are many.
    let (unit, name) = largest >= 10_000_000_000 ? (1e9, "billions") : (1e6, "millions")
    return ScatterChart(
      name: "accuracy-by-macs", title: "Test accuracy and multiply–accumulates",
      xTitle: "multiply–accumulates of one image (\(name))", yTitle: accuracyTitle,
      points: groups.compactMap { group in
        guard let macs = group.cost?.total.macs else { return nil }
        return accuracyPoint(
          group, label: group.label, x: Double(macs) / unit,
          cost: "\(grouped(macs)) multiply–accumulates")
      })
  }

  private var accuracyTitle: String { (hasLastOnTest ? "Best test" : "Test") + " accuracy, top-1 (%)" }

  private var accuracyByTime: ScatterChart? {
    ScatterChart(
      name: "accuracy-by-time", title: "Test accuracy and measured time",
      xTitle: "seconds of training per epoch", yTitle: accuracyTitle,
      points: groups.flatMap { group in
        chartTimings(of: group).compactMap { timing in
          let seconds = timing.seconds.median
          return accuracyPoint(
            group, label: label(group, threads: timing.conditions.threads), x: seconds,
            cost: "\(ReportNumber.seconds(seconds)) seconds per epoch")
        }
      })
  }

  /// `nil` for runs that go on, too: beside the others they would look finished.
  private func accuracyPoint(_ group: RunGroup, label: String, x: Double, cost: String)
    -> ScatterChart.Point?
  {
    guard hasAccuracy, !group.isProvisional, let accuracy = group.bestTop1 else { return nil }
    return ScatterChart.Point(
      label: label, index: group.index, x: x, y: 100 * accuracy.mean,
      deviation: accuracy.deviation.map { 100 * $0 },
      tip: "\(label): \(ReportNumber.percent(accuracy)) %, \(cost)")
  }

  private func label(_ group: RunGroup, threads: Int) -> String {
    guard hasSeveralThreadCounts else { return group.label }
    return "\(group.label), \(counted(threads, "thread"))"
  }

  private var timeByMACs: ScatterChart? {
    let points = groups.flatMap { group -> [ScatterChart.Point] in
      guard let macs = macsRatio(group) else { return [] }
      return chartTimings(of: group).compactMap { timing in
        guard let time = timeRatio(group, timing.conditions) else { return nil }
        let label = label(group, threads: timing.conditions.threads)
        return ScatterChart.Point(
          label: label, index: group.index, x: macs, y: time,
          tip: "\(label): \(ReportNumber.fixed(macs, 2)) of the multiply–accumulates, "
            + "\(ReportNumber.fixed(time, 2)) of the time of α = 0")
      }
    }
    // A reference alone tells nothing.
    guard points.contains(where: { $0.x != 1 }) else { return nil }
    return ScatterChart(
      name: "time-by-macs", title: "Theory against clock",
      xTitle: "multiply–accumulates, as a part of α = 0", yTitle: "Time per epoch, as a part of α = 0",
      points: points, diagonal: "as theory says")
  }

  /// `nil` without results and where there are too many classes to tell cells apart.
  var heatMap: HeatMap? {
    guard let best = bestRun, best.evaluation.classNames.count <= Self.mostClassesShown else { return nil }
    return HeatMap(
      name: "confusion", title: "Confusion matrix of \(best.run.name)",
      classNames: best.evaluation.classNames,
      counts: best.evaluation.confusion)
  }
}

extension String {
  fileprivate var capitalizingFirst: String { prefix(1).uppercased() + dropFirst() }
}
