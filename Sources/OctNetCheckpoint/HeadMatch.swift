import OctNetCore
import OctNetSupport

/// What becomes of a classifier of somebody's weights that is for as many classes as the network has.
enum HeadMatch: Equatable {
  case keep(reason: String)
  /// The file's row for each of the network's classes.
  case reorder([Int])
  /// The first difference.
  case leave(String)

  init(of data: ClassLabels, to file: ClassLabels, byNumber: Bool) {
    do throws(OctNetError) {
      let mapping = try ClassMapping(of: data, to: file, owner: "the file", byNumber: byNumber)
      if let note = mapping.note, mapping.isIdentity {
        self = .keep(reason: note)
      } else if mapping.isIdentity {
        self = .keep(
          reason: byNumber && !ClassMapping.same(data.names, file.names)
            ? "its classes are taken by number" : "same classes")
      } else {
        self = .reorder(mapping.labels)
      }
    } catch {
      guard case .configuration(_, let problem) = error else {
        self = .leave("\(error)")
        return
      }
      self = .leave(problem)
    }
  }
}

extension StateFitting {
  /// Keeps, reorders or leaves the classifier (torchvision's `fc` or `classifier`), where there is one for as many classes as there should be.
  mutating func apply(_ match: HeadMatch) {
    let head = slots.filter { Self.isHead($0.name) }
    guard report.head == .loaded, !head.isEmpty else { return }
    var match = match
    if case .reorder(let rows) = match, let row = rows.first(where: { $0 >= rows.count }) {
      match = .leave("the file names class \(row), for which its classifier has no row")
    }
    switch match {
    case .keep(let reason): report.headReason = reason
    case .leave(let difference):
      report.head = .otherNames(difference)
      report.keptKeys = head.map(\.name)
      let left = Set(report.keptKeys)
      state.removeAll { left.contains($0.name) }
    case .reorder(let rows):
      report.head = .reordered
      let shapes = Dictionary(head.map { ($0.name, $0.shape) }, uniquingKeysWith: { first, _ in first })
      for index in state.indices {
        // What does not fit, or has other rows, is refused afterwards.
        guard let shape = shapes[state[index].name], case .tensor(let tensor) = state[index].value,
          tensor.shape == shape, shape.first == rows.count
        else { continue }
        let size = tensor.values.count / rows.count
        var sorted = tensor
        for (row, source) in rows.enumerated() {
          sorted.values.replaceSubrange(
            row * size..<(row + 1) * size, with: tensor.values[source * size..<(source + 1) * size])
        }
        state[index].value = .tensor(sorted)
      }
    }
  }
}
