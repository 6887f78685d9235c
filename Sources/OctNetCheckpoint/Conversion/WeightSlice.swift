import OctNetCore
import OctNetSupport

/// Which elements of an ordinary network's parameter or running statistic an octave network's is.
struct WeightSlice {
  let octave, ordinary: String
  let octaveShape, ordinaryShape: [Int]
  /// The ordinary row of each row.
  let rows: [Int]
  /// The ordinary column of each column, for each group of rows; [[0]] for vectors.
  let columns: [[Int]]

  private var taps: Int { octaveShape.dropFirst(2).reduce(1, *) }

  /// Calls `body` with the place of each run of numbers that lie together in both.
  private func forEachRun(_ body: (_ octave: Int, _ ordinary: Int, _ count: Int) -> Void) {
    let taps = taps
    let width = ordinaryShape.count > 1 ? ordinaryShape[1] : 1
    let rowsOfAGroup = max(1, rows.count / max(1, columns.count))
    var place = 0
    for (row, source) in rows.enumerated() {
      for column in columns[min(row / rowsOfAGroup, columns.count - 1)] {
        body(place, (source * width + column) * taps, taps)
        place += taps
      }
    }
  }

  /// The slice of `tensor`.
  func taken(from tensor: Tensor) -> Tensor {
    var slice = Tensor(zeros: octaveShape)
    forEachRun { place, source, count in
      for tap in 0..<count { slice.values[place + tap] = tensor.values[source + tap] }
    }
    return slice
  }

  /// Puts the slice back.
  func put(_ slice: Tensor, into tensor: inout Tensor) {
    forEachRun { place, target, count in
      for tap in 0..<count { tensor.values[target + tap] = slice.values[place + tap] }
    }
  }

  var count: Int { octaveShape.reduce(1, *) }
}
