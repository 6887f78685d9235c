import OctNetCore
import OctNetData
import OctNetSupport
import OctNetTraining

/// What the runs are: settings, models, every run by name.
extension Comparison {
  private typealias Column = ReportTable.Column
  private typealias Cell = ReportTable.Cell

  private static let label = ReportTable.Column("setting", csv: ["setting"], isText: true)

  /// Names of settings that differ between groups, and of those that all share; those that say most come first.
  private var settingNames: (differing: [String], common: [String]) {
    let known = Set(groups.flatMap(\.settings.names))
    let first = GroupLabels.leading.filter(known.contains)
    let all = first + known.subtracting(first).sorted()
    let differing = all.filter { name in Set(groups.map { $0.settings[name] }).count > 1 }
    return (differing, all.filter { !differing.contains($0) })
  }

  /// `nil` where all groups have the same settings.
  var differingSettingsTable: ReportTable? {
    let names = settingNames.differing
    guard !names.isEmpty else { return nil }
    var table = ReportTable(
      "settings-differing", caption: "Settings that differ",
      columns: [Self.label] + names.map { Column(SettingNames.title($0), csv: [$0], isText: true) })
    for group in groups {
      table.add(
        [.text(group.label)]
          + names.map { name in
            let value = group.settings[name]
            return Cell(value ?? "–", values: [value ?? ""])
          })
    }
    return table
  }

  var commonSettingsTable: ReportTable {
    var table = ReportTable(
      "settings", caption: groups.count > 1 ? "Settings that all runs share" : "Settings",
      columns: [
        Column("setting", csv: ["key"], isText: true), Column("value", csv: ["value"], isText: true),
      ])
    table.add([Cell("data", values: ["data"]), .text(dataName)])
    for name in settingNames.common {
      table.add([Cell(SettingNames.title(name), values: [name]), .text(groups[0].settings[name] ?? "")])
    }
    return table
  }

  /// Every run.
  var runTable: ReportTable {
    let isTimed = runs.contains { !$0.log.seconds.isEmpty }
    let (score, key) = hasAccuracy ? ("top-1 (%)", "top1") : ("loss", "test_loss")
    var columns = [
      Column("run", csv: ["run"], isText: true), Column("setting", csv: ["setting"], isText: true),
      Column("seed", csv: ["seed"]), Column("threads", csv: ["threads"]),
      Column("state", csv: ["state"], isText: true), Column("epochs", csv: ["epochs", "epochs_planned"]),
      Column(hasLastOnTest ? "best \(score)" : score, csv: ["best_\(key)"]),
      Column("at epoch", csv: ["best_epoch"]),
    ]
    if hasLastOnTest { columns.append(Column("last \(score)", csv: ["last_\(key)"])) }
    if isTimed { columns.append(Column("seconds per epoch", csv: ["seconds_per_epoch_median"])) }
    var table = ReportTable("runs", caption: "All runs", columns: columns)
    for group in groups {
      for run in group.runs {
        let planned = run.configuration.epochs
        var row = [
          Cell.text(run.name), .text(group.label), .text(String(run.configuration.seed)),
          .count(run.configuration.threads),
          Cell(run.state, values: [run.stateKey]),
          Cell("\(run.epochs) of \(planned)", values: [String(run.epochs), String(planned)]),
          scoreCell(run.best), .count(run.best?.epoch),
        ]
        if hasLastOnTest { row.append(scoreCell(run.last)) }
        if isTimed { row.append(.number(Spread(run.log.seconds)?.median, ReportNumber.seconds)) }
        table.add(row)
      }
    }
    return table
  }

  /// Stage by stage; one table for each list of stages, empty for networks that are not the package's.
  var modelTables: [ReportTable] {
    var kinds: [(stages: [String], models: [(label: String, cost: CostSummary)])] = []
    for group in groups {
      guard let cost = group.cost else { continue }
      let stages = cost.stages.map(\.name)
      if let match = kinds.firstIndex(where: { $0.stages == stages }) {
        // Optimizers and the like make no other network.
        if !kinds[match].models.contains(where: { $0.cost == cost }) {
          kinds[match].models.append((group.label, cost))
        }
      } else {
        kinds.append((stages, [(group.label, cost)]))
      }
    }
    return kinds.enumerated().map { index, kind in
      let suffix = kinds.count > 1 ? "-\(index + 1)" : ""
      return kind.models.count == 1
        ? Self.stageTable(kind.models[0].cost, name: "model" + suffix)
        : Self.stageComparison(kind.models, stages: kind.stages, name: "model" + suffix)
    }
  }

  private static func stageTable(_ cost: CostSummary, name: String) -> ReportTable {
    var table = ReportTable(
      name,
      caption:
        "The network stage by stage, for one image",
      note:
        "Multiply–accumulates are those of convolutions and linear layers, maps are float32 ones that are computed.",
      columns: [
        Column("stage", csv: ["stage"], isText: true), Column("parameters", csv: ["parameters"]),
        Column("multiply–accumulates", csv: ["macs"]), Column("maps (KiB)", csv: ["activation_bytes"]),
      ])
    for row in cost.stages + [cost.total] {
      table.add([
        .text(row.name), .count(row.parameters), .count(row.macs), bytes(row.activationBytes),
      ])
    }
    return table
  }

  private static func stageComparison(
    _ models: [(label: String, cost: CostSummary)], stages: [String], name: String
  ) -> ReportTable {
    var table = ReportTable(
      name,
      caption:
        "Multiply–accumulates of the networks stage by stage, in millions for one image",
      note: "Parameters and float32 maps are those of the whole network.",
      columns: [label] + stages.map { Column($0, csv: ["macs_\($0)"]) } + [
        Column("total", csv: ["macs"]), Column("parameters", csv: ["parameters"]),
        Column("maps (KiB)", csv: ["activation_bytes"]),
      ])
    for (label, cost) in models {
      let macs = (cost.stages + [cost.total]).map { row in
        Cell(ReportNumber.fixed(Double(row.macs) / 1e6, 2), values: [String(row.macs)])
      }
      table.add(
        [.text(label)] + macs + [.count(cost.total.parameters), bytes(cost.total.activationBytes)])
    }
    return table
  }

  private static func bytes(_ value: Int) -> ReportTable.Cell {
    Cell(grouped(Int((Double(value) / 1024).rounded())), values: [String(value)])
  }
}

extension RunRecord {
  /// In tables for programs.
  var stateKey: String { failure != nil ? "failed" : isTestDue ? "testDue" : outcome.rawValue }

  var state: String {
    if failure != nil { return "failed" }
    if isTestDue { return "test due" }
    switch outcome {
    case .finished: return "finished"
    case .stoppedEarly: return "stopped early"
    case .unfinished: return "unfinished"
    }
  }
}
