import OctNetData
import OctNetSupport
import OctNetTraining

/// On what the runs were made, and how their best epoch was chosen.
extension Comparison {
  private typealias Column = ReportTable.Column
  private typealias Cell = ReportTable.Cell

  /// A row for all runs that were made alike.
  var conditionTable: ReportTable {
    var table = ReportTable(
      "conditions", caption: "What the runs were made on",
      columns: [
        Column("machine", csv: ["machine"], isText: true),
        Column("instruction set", csv: ["instruction_set"], isText: true),
        Column("threads", csv: ["threads"]), Column("version", csv: ["version"], isText: true),
        Column("commit", csv: ["commit"], isText: true),
        Column("best epoch by", csv: ["chosen_on"], isText: true),
        Column("runs", csv: ["runs"]),
      ])
    var rows: [(cells: [String], runs: Int)] = []
    for run in runs {
      for cells in Self.conditions(of: run) {
        if let match = rows.firstIndex(where: { $0.cells == cells }) {
          rows[match].runs += 1
        } else {
          rows.append((cells, 1))
        }
      }
    }
    for row in rows {
      table.add(row.cells.map { Cell($0.isEmpty ? "–" : $0, values: [$0]) } + [.count(row.runs)])
    }
    return table
  }

  /// One for each machine that took part.
  private static func conditions(of run: RunRecord) -> [[String]] {
    let threads = String(run.configuration.threads)
    let chosen = run.chosenOn == .test ? "test images" : validation(of: run.configuration)
    guard !run.machines.isEmpty else { return [["", "", threads, "", "", chosen]] }
    return run.machines.map { machine in
      [
        "\(machine.processor), \(counted(machine.processors, "processor"))", machine.instructionSet, threads,
        machine.version, machine.commit ?? "", chosen,
      ]
    }
  }

  private static func validation(of configuration: TrainingConfiguration) -> String {
    guard let amount = configuration.validation else { return "validation images of the data" }
    return amount < 1
      ? "\(ReportNumber.percent(amount, 1)) % of the training images, held back"
      : "\(counted(Int(amount), "training image")), held back"
  }
}
