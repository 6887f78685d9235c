/// A batch of mixed images has two labels each, and divides the target between them.
public struct MixedLabels {
  /// count class indices.
  public let labels: UnsafePointer<Int32>
  /// Of the first label, 0 ... 1; the rest is the second one's.
  public let share: Float

  /// - Precondition: as many labels as the batch has images.
  public init(labels: UnsafePointer<Int32>, share: Float) {
    self.labels = labels
    self.share = share
  }
}
