import OctNetCore

/// What a rule for matrices updates as one: filters with a row for each output, in which the columns of all paths into the same
/// map stand side by side; or a parameter that is alone.
struct FilterMatrix {
  /// A parameter: some of the columns, or all.
  struct Path {
    /// Its index in the store.
    let parameter: Int
    let entry: ParameterStore.Entry

    var columns: Int { entry.shape.dropFirst().reduce(1, *) }
  }

  /// In the order of their columns. All have as many rows.
  private(set) var paths: [Path]

  var rows: Int { paths[0].entry.shape[0] }
  var columns: Int { paths.reduce(0) { $0 + $1.columns } }

  init(alone parameter: Int, _ entry: ParameterStore.Entry) {
    paths = [Path(parameter: parameter, entry: entry)]
  }

  /// Those of all parameters that are trained by a rule for matrices. Filters with settings of their own, or beside frozen
  /// ones, are a matrix of their own.
  static func all(in entries: [ParameterStore.Entry], _ settings: [UpdateSettings]) -> [FilterMatrix] {
    var matrices: [FilterMatrix] = []
    for (index, entry) in entries.enumerated() where settings[index].rule.isForMatrices && !entry.isFrozen {
      let place = matrices.lastIndex { matrix in
        matrix.shares(entry) && settings[matrix.paths[0].parameter] == settings[index]
      }
      if let place {
        matrices[place].insert(Path(parameter: index, entry: entry))
      } else {
        matrices.append(FilterMatrix(alone: index, entry))
      }
    }
    return matrices
  }

  /// Whether the filters write to the same map, as many channels.
  private func shares(_ entry: ParameterStore.Entry) -> Bool {
    guard let target = entry.target, let own = paths[0].entry.target else { return false }
    return target.map == own.map && entry.shape[0] == rows
  }

  private mutating func insert(_ path: Path) {
    func position(_ path: Path) -> Int { path.entry.target?.position ?? 0 }
    let place = paths.firstIndex { position($0) > position(path) } ?? paths.count
    paths.insert(path, at: place)
  }
}
