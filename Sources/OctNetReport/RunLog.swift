import OctNetCore
import OctNetData
import OctNetSupport
import OctNetTraining

/// What `log.csv` and `timing.csv` of a run say, epoch by epoch.
struct RunLog: Equatable, Sendable {
  struct Row: Equatable, Sendable {
    /// From 1; epochs may be missing.
    var epoch: Int
    /// Accuracies are fractions.
    var trainLoss, trainAccuracy: Double
    /// `nil` after an epoch without an evaluation.
    var testLoss, testTop1, testTop5: Double?
  }

  var rows: [Row] = []
  /// Of the training alone, one number an epoch; empty where nobody measured.
  var seconds: [Double] = []

  /// - Throws: `OctNetError.file` that names the line and what is wrong with it.
  init(logPath: String, timingPath: String?) throws(OctNetError) {
    let log = try NumberTable(path: logPath)
    let columns = try log.columns([
      "epoch", "train_loss", "train_accuracy", "test_loss", "test_top1", "test_top5", "learning_rate",
    ])
    for (line, cells) in log.rows {
      func number(_ index: Int) throws(OctNetError) -> Double {
        guard let value = cells[columns[index]] else { throw log.failure(line, "a cell is empty") }
        return value
      }
      let epoch = try number(0)
      guard epoch >= 1, epoch <= 1e9, epoch == epoch.rounded(), epoch > Double(rows.last?.epoch ?? 0) else {
        throw log.failure(
          line, "expected an epoch after the one before it, found \(format(epoch, digits: 8))")
      }
      let row = Row(
        epoch: Int(epoch), trainLoss: try number(1), trainAccuracy: try number(2),
        testLoss: cells[columns[3]], testTop1: cells[columns[4]], testTop5: cells[columns[5]])
      for accuracy in [row.trainAccuracy, row.testTop1, row.testTop5].compactMap({ $0 })
      where !(0...1).contains(accuracy) {
        throw log.failure(
          line, "expected accuracies as fractions from 0 to 1, found \(format(accuracy, digits: 8))")
      }
      for loss in [row.trainLoss, row.testLoss].compactMap({ $0 })
      where loss.isFinite && loss.magnitude > Double(Float.greatestFiniteMagnitude) {
        throw log.failure(line, "expected losses, found \(format(loss, digits: 8))")
      }
      rows.append(row)
    }
    if let timingPath {
      let timing = try NumberTable(path: timingPath)
      seconds = try Self.seconds(of: timing, column: try timing.columns(["epoch", "seconds"])[1])
    } else if let column = log.header.firstIndex(of: "seconds") {
      // Logs of earlier versions.
      seconds = try Self.seconds(of: log, column: column)
    }
  }

  private static func seconds(of table: NumberTable, column: Int) throws(OctNetError) -> [Double] {
    var seconds: [Double] = []
    for (line, cells) in table.rows {
      guard let value = cells[column], value > 0, value <= StateValidation.longestSeconds else {
        throw table.failure(line, "expected seconds above 0")
      }
      seconds.append(value)
    }
    return seconds
  }
}

/// A file of numbers: a header with the names of the columns, then cells that are numbers or empty, between commas.
struct NumberTable {
  let path: String
  let header: [String]
  /// With their line in the file, from 1.
  private(set) var rows: [(line: Int, cells: [Double?])] = []

  /// - Throws: `OctNetError.file` that names the line and what is wrong with it.
  init(path: String) throws(OctNetError) {
    self.path = path
    let text = String(decoding: try FileReader.bytes(of: path, limit: FileLimit.log), as: UTF8.self)
    var lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map(String.init)
    if lines.last == "" { lines.removeLast() }
    func cells(_ line: String) -> [String] {
      line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
    guard let first = lines.first else {
      throw OctNetError.file(path: path, "empty, expected a header and rows of numbers")
    }
    header = cells(first)
    for (index, line) in lines.enumerated().dropFirst() {
      let found = cells(line)
      guard found.count == header.count else {
        throw failure(
          index + 1, "expected \(counted(header.count, "cell")) as in the header, found \(found.count)")
      }
      var numbers: [Double?] = []
      for cell in found {
        guard cell.isEmpty || Double(cell) != nil else {
          throw failure(index + 1, "expected a number, found \"\(cell.prefix(40))\"")
        }
        numbers.append(Double(cell))
      }
      rows.append((index + 1, numbers))
    }
  }

  /// Where the columns of these names are.
  /// - Throws: `OctNetError.file` for a missing one.
  func columns(_ names: [String]) throws(OctNetError) -> [Int] {
    var columns: [Int] = []
    for name in names {
      guard let column = header.firstIndex(of: name) else {
        throw failure(1, "expected a column \(name), found \(header.joined(separator: ","))")
      }
      columns.append(column)
    }
    return columns
  }

  func failure(_ line: Int, _ problem: String) -> OctNetError {
    .file(path: path, "line \(line): \(problem)")
  }
}
