import OctNetSupport

/// Which images a limit leaves of those that lie in the order of their classes, the first of which would be of one class.
package enum ClassShares {
  /// Of every class the same share, from its first image on, and at least one where there are as many as classes.
  ///
  /// - Parameter labels: one an image.
  /// - Returns: indices, in order; all of them where the limit leaves all.
  package static func first(_ limit: Int, of labels: [Int]) -> [Int] {
    guard limit < labels.count else { return Array(labels.indices) }
    let counts = labels.reduce(into: [Int: Int]()) { $0[$1, default: 0] += 1 }
    var positions: [Int: Int] = [:]
    let shares = labels.map { label in
      let position = positions[label, default: 0]
      positions[label] = position + 1
      return (position, counts[label] ?? 1)
    }
    let ranked = labels.indices.sorted { a, b in
      let (x, y) = (shares[a], shares[b])
      return (x.0 * y.1, labels[a]) < (y.0 * x.1, labels[b])
    }
    return ranked.prefix(limit).sorted()
  }
}

extension Dataset {
  /// At most so many images: of each class its share where they lie in the order of their classes, else the first ones.
  package func limited(to limit: Int?) -> any Dataset {
    guard let limit, limit < count, targetSize == 0 else { return first(limit) }
    let labels = (0..<count).map(label(at:))
    guard zip(labels, labels.dropFirst()).allSatisfy({ $0 <= $1 }) else { return first(limit) }
    return SelectedImages(self, ClassShares.first(limit, of: labels), name: name)
  }
}
