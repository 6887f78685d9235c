import OctNetCore
import OctNetSupport

/// Writes logits as CSV rows, many at a time.
struct PredictionsWriter {
  private let file: FileWriter
  private var pending: [UInt8] = []
  private let pendingLimit = 1 << 20

  init(file: FileWriter) { self.file = file }

  mutating func writeHeader(classes: Int) throws {
    let columns = ["index", "label"] + (0..<classes).map { "logit_\($0)" }
    try add(columns.joined(separator: ","))
  }

  /// 9 significant digits tell any two floats apart.
  mutating func write(index: Int, label: Int, logits: UnsafeBufferPointer<Float>) throws {
    let numbers = logits.map { format(Double($0), digits: 9) }
    try add("\(index),\(label)," + numbers.joined(separator: ","))
  }

  mutating func flush() throws {
    try pending.withUnsafeBytes { try file.write($0) }
    pending.removeAll(keepingCapacity: true)
  }

  private mutating func add(_ row: String) throws {
    pending.append(contentsOf: Array(row.utf8))
    pending.append(UInt8(ascii: "\n"))
    if pending.count >= pendingLimit { try flush() }
  }
}
