import OctNetSupport

extension Dataset {
  /// The same images with the network's class names and numbers.
  ///
  /// - Parameters:
  ///   - mapping: from the data's classes to the network's.
  ///   - restoringOrder: images that stand in the order of their labels stand in that of their new labels, as they
  ///     did when the classes had that order.
  public func mapped(by mapping: ClassMapping, restoringOrder: Bool = false) -> any Dataset {
    let isRenamed = !ClassMapping.same(classNames, mapping.classNames)
    guard isRenamed || !mapping.isIdentity else { return self }
    return MappedImages(self, mapping, restoringOrder: restoringOrder)
  }
}

/// A data set under other class names and numbers.
private struct MappedImages: WrappedDataset {
  var base: any Dataset
  private let mapping: ClassMapping
  /// `nil` for the order of `base`.
  private let order: [Int]?

  init(_ base: any Dataset, _ mapping: ClassMapping, restoringOrder: Bool) {
    self.base = base
    self.mapping = mapping
    guard restoringOrder else {
      order = nil
      return
    }
    let labels = (0..<base.count).map(base.label(at:))
    let isSorted = zip(labels, labels.dropFirst()).allSatisfy { $0 <= $1 }
    order =
      isSorted
      ? labels.indices.sorted { (mapping.labels[labels[$0]], $0) < (mapping.labels[labels[$1]], $1) } : nil
  }

  var classNames: [String] { mapping.classNames }

  func label(at index: Int) -> Int { mapping.labels[base.label(at: place(of: index))] }

  func place(of index: Int) -> Int { order?[index] ?? index }
}

extension DataSplit {
  /// Test and validation images under the class names and numbers of training.
  /// - Throws: `OctNetError.configuration` for a class without training images.
  package func agreeing() throws(OctNetError) -> DataSplit {
    let labels = ClassLabels(names: train.classNames)
    func agreeing(_ images: any Dataset) throws(OctNetError) -> any Dataset {
      guard !ClassMapping.same(images.classNames, labels.names) else { return images }
      let own = ClassLabels(names: images.classNames)
      return images.mapped(by: try ClassMapping(of: own, to: labels, owner: "the training images"))
    }
    var result = self
    result.test = try agreeing(test)
    if let validation { result.validation = try agreeing(validation) }
    return result
  }

  /// All images under other class names and numbers.
  package func mapped(by mapping: ClassMapping) -> DataSplit {
    var result = self
    result.train = train.mapped(by: mapping, restoringOrder: true)
    result.test = test.mapped(by: mapping, restoringOrder: true)
    result.validation = validation?.mapped(by: mapping, restoringOrder: true)
    return result
  }
}
