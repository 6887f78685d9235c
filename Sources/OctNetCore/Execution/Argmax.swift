extension UnsafePointer<Float> {
  /// The first of the largest entries of a row.
  package func argmax(row: Int, of columns: Int) -> Int {
    let start = self + row * columns
    var best = 0
    for column in 1..<max(1, columns) where start[column] > start[best] { best = column }
    return best
  }
}
