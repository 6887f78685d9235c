import OctNetCore
import OctNetSupport

/// What each setting has more than the network at α = 0, and what may be said of it.
extension Comparison {
  private typealias Column = ReportTable.Column
  private typealias Cell = ReportTable.Cell

  /// The kinds of α = 0 that are there: maps get smaller by pools as in octave networks, or by strides as in torchvision's.
  private var references: [Downsampling] {
    [.average, .strided].filter { kind in
      groups.contains { group in
        guard let reference = reference(of: group, kind) else { return false }
        return reference.index != group.index
      }
    }
  }

  /// `nil` without a reference to compare with, and while either goes on: an early epoch says nothing of a late one.
  func difference(of group: RunGroup, to kind: Downsampling) -> PairedDifference? {
    opponent(of: group, kind).flatMap {
      PairedDifference(group.bestTop1BySeed, minus: $0.bestTop1BySeed)
    }
  }

  /// Another group at α = 0, where both have come to their ends.
  private func opponent(of group: RunGroup, _ kind: Downsampling) -> RunGroup? {
    guard let reference = reference(of: group, kind), reference.index != group.index, !group.isProvisional,
      !reference.isProvisional
    else { return nil }
    return reference
  }

  /// Of the best accuracy from run to run, `nil` where no setting has several seeds.
  var runDeviation: RunDeviation? { RunDeviation(groups.filter { !$0.isProvisional }.compactMap(\.bestTop1)) }

  /// Means by setting and differences to α = 0 by seed; `nil` where there is nothing to compare.
  var differenceTable: ReportTable? {
    let references = references
    guard hasAccuracy, !references.isEmpty, groups.contains(where: { $0.bestTop1 != nil }) else {
      return nil
    }
    var columns = [
      Column("setting", csv: ["setting"], isText: true), Column("n", csv: ["n"]),
      Column("top-1 (%)", csv: ["top1_mean", "top1_deviation"]),
    ]
    for kind in references {
      let prefix = "to_\(kind.rawValue)_"
      columns += [
        Column("to α = 0 \(kind.rawValue) (points)", csv: [prefix + "difference"]),
        Column("95 % interval", csv: ["lower", "upper"].map { prefix + $0 }),
        Column("pairs", csv: [prefix + "pairs"]),
      ]
    }
    var table = ReportTable(
      "differences", caption: "Differences to α = 0, seed by seed", note: differenceNote, columns: columns)
    for group in groups {
      var row = [
        group.labelCell, .count(group.counted.count),
        .spread(group.bestTop1) { ReportNumber.percent($0) },
      ]
      for kind in references {
        let difference = difference(of: group, to: kind)
        row += [
          .number(difference?.mean, ReportNumber.points), Self.interval(difference?.interval),
          .count(difference?.count),
        ]
      }
      table.add(row)
    }
    return table
  }

  static func interval(_ range: ClosedRange<Double>?) -> ReportTable.Cell {
    ReportTable.Cell(
      range.map(ReportNumber.points) ?? "–",
      values: [
        range.map { ReportNumber.raw($0.lowerBound) } ?? "",
        range.map { ReportNumber.raw($0.upperBound) } ?? "",
      ])
  }

  private var differenceNote: String {
    var note = "Top-1 of the best evaluation"
    if !hasLastOnTest { note = "Top-1 of the one test" }
    note +=
      ", mean ± sample deviation. Differences are means over the seeds that both settings have; their intervals are "
    note +=
      "Student's t, each for its row alone: of twenty such intervals one misses the true difference by chance."
    let hasEqual = groups.contains { group in
      references.contains { difference(of: group, to: $0)?.isWithoutWidth == true }
    }
    if hasEqual { note += " Where all differences are equal, an interval has no width and tells nothing." }
    if groups.contains(where: \.isUnfinished) {
      note += " * No run of this setting is complete; it is not compared."
    }
    return note
  }

  // MARK: In sentences

  /// What may be said of α = 0 and the others, and no more; empty where there is nothing to compare.
  var verdicts: [String] {
    guard hasAccuracy else { return [] }
    let told = references.compactMap { kind -> String? in
      let rows = groups.compactMap { group in
        difference(of: group, to: kind).map { (label: group.label, difference: $0) }
      }.filter { $0.difference.verdict != .single }
      guard !rows.isEmpty else { return nil }
      func list(_ verdict: PairedDifference.Verdict) -> String? {
        let found = rows.filter { $0.difference.verdict == verdict }.map { row in
          row.difference.isWithoutWidth
            ? "\(row.label) (\(ReportNumber.points(row.difference.mean)) with every seed, which gives no interval)"
            : "\(row.label) (\(row.difference.interval.map(ReportNumber.points) ?? "–"))"
        }
        return found.isEmpty ? nil : found.joined(separator: ", ")
      }
      let parts = [
        list(.above).map { "better: \($0)" }, list(.below).map { "worse: \($0)" },
        list(.open).map { "not told apart: \($0)" },
      ].compactMap { $0 }
      return "Against α = 0, \(kind.rawValue), by 95 % intervals in points: \(parts.joined(separator: "; "))."
    }
    guard !references.isEmpty else { return [] }
    let hasSingles = groups.contains { group in
      references.contains { difference(of: group, to: $0)?.verdict == .single && hasSingleRun(group, $0) }
    }
    return told + failures + unpaired + singlePairs + (hasSingles ? [singleRunRule] : [])
  }

  /// Settings of which the runs that came to an end are not all: a mean of those that did says less.
  private var failures: [String] {
    let counts = groups.compactMap { group in
      let failed = group.runs.count { $0.failure != nil }
      return failed == 0 ? nil : "\(group.label) (\(failed) of \(group.runs.count))"
    }
    return counts.isEmpty ? [] : ["Runs that failed and are in no mean: \(counts.joined(separator: ", "))."]
  }

  /// Whether a setting or its α = 0 has one run alone.
  private func hasSingleRun(_ group: RunGroup, _ kind: Downsampling) -> Bool {
    group.bestTop1?.count == 1 || opponent(of: group, kind)?.bestTop1?.count == 1
  }

  /// Settings that share one seed with their α = 0, though both have several.
  private var singlePairs: [String] {
    references.compactMap { kind in
      let labels = groups.filter { group in
        difference(of: group, to: kind)?.verdict == .single && !hasSingleRun(group, kind)
      }.map(\.label)
      guard !labels.isEmpty else { return nil }
      return
        "Too few seeds in common with α = 0, \(kind.rawValue), for an interval: "
        + labels.joined(separator: ", ") + "."
    }
  }

  /// Settings that share no seed with their α = 0.
  private var unpaired: [String] {
    references.compactMap { kind in
      let labels = groups.filter { group in
        guard let other = opponent(of: group, kind), group.bestTop1 != nil, other.bestTop1 != nil else {
          return false
        }
        return difference(of: group, to: kind) == nil
      }.map(\.label)
      guard !labels.isEmpty else { return nil }
      return
        "No seed in common with α = 0, \(kind.rawValue), and so not compared: \(labels.joined(separator: ", "))."
    }
  }

  /// What a pair of single runs allows.
  var singleRunRule: String {
    let rule =
      "From one run of a setting nothing can be told of differences below the deviation from run to run"
    guard let known = runDeviation else {
      return rule + ", which is not known here: no setting has runs of two seeds."
    }
    return rule
      + ": \(ReportNumber.percent(known.deviation)) points over \(counted(known.runs, "run")) of "
      + "\(counted(known.settings, "setting")), and √2 times that for a difference of two."
  }
}

extension Report {
  /// A comparison's closing table: means by setting, differences to α = 0, and what they allow to say.
  package struct Closing: Sendable {
    /// Titles of the columns.
    package var header: [String]
    /// A cell for every column.
    package var rows: [[String]]
    /// How to read the table: what its numbers are, what the intervals do not cover, and what `*` stands for.
    package var note: String
    /// What may be said.
    package var sentences: [String]
  }

  /// One for each data set with something to compare.
  package var closings: [Closing] {
    comparisons.compactMap { comparison in
      comparison.differenceTable.map { table in
        Closing(
          header: table.columns.map(\.title), rows: table.rows.map { $0.map(\.shown) }, note: table.note,
          sentences: comparison.verdicts)
      }
    }
  }
}
