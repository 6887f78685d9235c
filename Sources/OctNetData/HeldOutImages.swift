import OctNetSupport

/// Some images of a data set, in an order of their own.
struct SelectedImages: WrappedDataset {
  var base: any Dataset
  private let indices: [Int]
  let name: String

  init(_ base: any Dataset, _ indices: [Int], name: String) {
    self.base = base
    self.indices = indices
    self.name = name
  }

  var count: Int { indices.count }

  func place(of index: Int) -> Int { indices[index] }
}

extension Dataset {
  /// The first so many, all of them where there is no limit.
  package func first(_ limit: Int?) -> any Dataset {
    guard let limit, limit < count else { return self }
    return SelectedImages(self, Array(0..<limit), name: name)
  }
}

extension DataSplit {
  /// Takes images away from training, to choose the best epoch by.
  ///
  /// Every class gives the same share, as far as whole images go, and keeps at least one for training. Which ones, the
  /// seed decides and nothing else.
  ///
  /// - Parameters:
  ///   - amount: how many images, or below 1 which share of them.
  ///   - limit: only the first so many training images are there.
  /// - Throws: `OctNetError.configuration` where nothing would be held back, or more than may be.
  package func holdingBack(_ amount: Double, seed: UInt64, limit: Int?) throws(OctNetError) -> DataSplit {
    let images = min(train.count, limit ?? train.count)
    let count = amount < 1 ? Int((amount * Double(images)).rounded()) : Int(amount)
    guard count > 0 else {
      throw OctNetError.configuration(
        key: "validation",
        "\(format(amount, digits: 6)) of \(counted(images, "training image")) is none, expected at least one")
    }
    // Without classes, all are of one.
    var classes = [[Int]](repeating: [], count: train.targetSize > 0 ? 1 : train.classNames.count)
    for index in 0..<images { classes[train.targetSize > 0 ? 0 : train.label(at: index)].append(index) }
    let most = classes.reduce(0) { $0 + max(0, $1.count - 1) }
    guard count <= most else {
      throw OctNetError.configuration(
        key: "validation",
        "found \(count) of \(counted(images, "training image")), expected at most \(most): one of each class stays "
          + "in training")
    }
    let shares = Self.shares(of: count, sizes: classes.map(\.count))
    var held: [Int] = []
    for (label, indices) in classes.enumerated() where shares[label] > 0 {
      var indices = indices
      var random = RandomStream(seed: seed, "validation", label)
      for place in 0..<shares[label] {
        indices.swapAt(place, place + random.index(below: indices.count - place))
      }
      held += indices.prefix(shares[label])
    }
    held.sort()
    let isHeld = Set(held)
    var result = self
    result.train = SelectedImages(train, (0..<images).filter { !isHeld.contains($0) }, name: train.name)
    result.validation = SelectedImages(train, held, name: train.name + ", held back")
    return result
  }

  /// Whole numbers in proportion to the sizes: the largest remainders are rounded up, the first of equals; every size
  /// keeps one.
  private static func shares(of count: Int, sizes: [Int]) -> [Int] {
    let total = sizes.reduce(0, +)
    let exact = sizes.map { Double($0) * Double(count) / Double(total) }
    var shares = zip(exact, sizes).map { min(Int($0), max(0, $1 - 1)) }
    var missing = count - shares.reduce(0, +)
    let order = sizes.indices.sorted {
      (exact[$1] - exact[$1].rounded(.down), $0) < (exact[$0] - exact[$0].rounded(.down), $1)
    }
    // More than one round only where many classes have one image, which stays.
    while missing > 0 {
      for index in order where missing > 0 && shares[index] < sizes[index] - 1 {
        shares[index] += 1
        missing -= 1
      }
    }
    return shares
  }
}
