import OctNet

/// Some classes of a data set under numbers of their own, and of each only the first so many images.
struct FewClasses: Dataset {
  private let base: any Dataset
  private let indices: [Int]
  private let numbers: [Int: Int]
  let classNames: [String]

  init(_ base: any Dataset, classes: [Int], imagesOfEach limit: Int = .max) {
    self.base = base
    classNames = classes.map { base.classNames[$0] }
    numbers = Dictionary(uniqueKeysWithValues: zip(classes, classes.indices))
    var counts: [Int: Int] = [:]
    let numbers = numbers
    indices = (0..<base.count).filter { index in
      let label = base.label(at: index)
      guard numbers[label] != nil, counts[label, default: 0] < limit else { return false }
      counts[label, default: 0] += 1
      return true
    }
  }

  var name: String { base.name + ", \(classNames.count) classes" }
  var count: Int { indices.count }
  var height: Int { base.height }
  var width: Int { base.width }
  var channels: Int { base.channels }

  func label(at index: Int) -> Int { numbers[base.label(at: indices[index])] ?? 0 }

  func copyPixels(at index: Int, to destination: UnsafeMutablePointer<UInt8>) throws(OctNetError) {
    try base.copyPixels(at: indices[index], to: destination)
  }
}
