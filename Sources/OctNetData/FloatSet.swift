import OctNetSupport

/// A data set of floats in memory: measurements rather than pictures, or images with several labels or none.
public struct FloatSet: Dataset {
  public let name: String
  public let height, width, channels: Int
  /// Of the classes, or of the numbers of a target; may be empty for those.
  public let classNames: [String]
  /// count × height × width × channels.
  public let values: [Float]
  /// One class each; empty where there are targets.
  public let labels: [Int]
  /// count × `targetSize`; empty where there are labels.
  public let targets: [Float]
  public let targetSize: Int

  public let count: Int

  /// Images with one class each.
  /// - Precondition: the sizes fit each other, and every label is the index of a class.
  public init(
    name: String, height: Int, width: Int, channels: Int, values: [Float], classNames: [String], labels: [Int]
  ) {
    precondition(labels.allSatisfy { classNames.indices.contains($0) }, "a label without a class")
    self.init(
      name, [height, width, channels], values, classNames, count: labels.count, labels: labels, targets: [],
      targetSize: 0)
  }

  /// Images with several numbers each: 1 and 0 for labels that an image has and has not, or what is to be computed.
  /// - Precondition: the sizes fit each other; `targetNames` are `targetSize`, or none.
  public init(
    name: String, height: Int, width: Int, channels: Int, values: [Float], targets: [Float], targetSize: Int,
    targetNames: [String] = []
  ) {
    precondition(targetSize > 0 && targets.count.isMultiple(of: targetSize), "targets of \(targetSize)")
    precondition(targetNames.isEmpty || targetNames.count == targetSize, "\(targetNames.count) names")
    self.init(
      name, [height, width, channels], values, targetNames, count: targets.count / targetSize, labels: [],
      targets: targets, targetSize: targetSize)
  }

  private init(
    _ name: String, _ shape: [Int], _ values: [Float], _ classNames: [String], count: Int, labels: [Int],
    targets: [Float], targetSize: Int
  ) {
    precondition(shape.allSatisfy { $0 > 0 }, "an image of \(shape)")
    precondition(
      values.count == count * shape.reduce(1, *),
      "\(numbered(values.count, "number")) for \(numbered(count, "image")) of \(shape)"
    )
    self.name = name
    (height, width, channels) = (shape[0], shape[1], shape[2])
    self.values = values
    self.classNames = classNames
    self.labels = labels
    self.targets = targets
    self.targetSize = targetSize
    self.count = count
  }

  public var hasFloatValues: Bool { true }

  /// 0 where there are targets.
  public func label(at index: Int) -> Int { labels.isEmpty ? 0 : labels[index] }

  public func copyPixels(at index: Int, to destination: UnsafeMutablePointer<UInt8>) {
    preconditionFailure("\(name) has floats, no pixels")
  }

  public func copyValues(at index: Int, to destination: UnsafeMutablePointer<Float>) {
    Self.copy(values, index, imageSize, to: destination)
  }

  public func copyTarget(at index: Int, to destination: UnsafeMutablePointer<Float>) {
    Self.copy(targets, index, targetSize, to: destination)
  }

  private static func copy(
    _ source: [Float], _ index: Int, _ size: Int, to destination: UnsafeMutablePointer<Float>
  ) {
    precondition(index >= 0 && (index + 1) * size <= source.count, "image \(index)")
    source.withUnsafeBufferPointer {
      guard let base = $0.baseAddress else { return }
      destination.update(from: base + index * size, count: size)
    }
  }
}
