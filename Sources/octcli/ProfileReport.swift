import Foundation
import OctNet

/// Where the time of a step went, the slowest kind of operation first; everything by one step.
struct ProfileReport {
  struct Row: Encodable {
    let operation: String
    let part: Profiler.Part
    /// Empty where the shapes of one kind are added up.
    let shapes: String
    let calls: Int
    let milliseconds: Double
    /// Of all operations.
    let share: Double
    let gflops, gigabytesPerSecond: Double

    enum CodingKeys: String, CodingKey {
      case operation, part, shapes, calls, share, gflops
      case milliseconds = "ms"
      case gigabytesPerSecond = "gb_per_second"
    }
  }

  let rows: [Row]

  init(profiler: Profiler, repetitions: Int, byShape: Bool) {
    let total = profiler.entries.values.map(\.seconds).reduce(0, +)
    let groups = Dictionary(grouping: profiler.entries) { key, _ in
      Profiler.Key(kind: key.kind, part: key.part, shapes: byShape ? key.shapes : "")
    }
    rows = groups.map { key, members in
      let entries = members.map(\.value)
      let seconds = entries.map(\.seconds).reduce(0, +)
      return Row(
        operation: key.kind, part: key.part, shapes: key.shapes,
        calls: entries.map(\.calls).reduce(0, +) / repetitions,
        milliseconds: seconds * 1e3 / Double(repetitions), share: seconds / total,
        gflops: entries.map(\.operations).reduce(0, +) / seconds * 1e-9,
        gigabytesPerSecond: entries.map(\.bytes).reduce(0, +) / seconds * 1e-9)
    }.sorted { $0.milliseconds > $1.milliseconds }
  }

  var table: String {
    var table = TextTable(header: ["operation", "calls", "ms", "share", "GFLOP/s", "GB/s"])
    for row in rows {
      table.add([
        "\(row.operation) \(row.part.rawValue)" + (row.shapes.isEmpty ? "" : " \(row.shapes)"),
        String(row.calls),
        String(format: "%.2f", row.milliseconds), String(format: "%.1f%%", 100 * row.share),
        row.gflops > 0 ? String(format: "%.1f", row.gflops) : "–",
        String(format: "%.1f", row.gigabytesPerSecond),
      ])
    }
    return table.description
      + "\nGB/s counts every operand once; what a cache holds makes it larger than the memory's."
  }
}
