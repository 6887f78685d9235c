/// A dense float32 array in host memory, row-major: what state dictionaries and results are made of.
///
/// The network itself computes in one planned arena; a `Tensor` is a copy that leaves or enters it.
public struct Tensor: Equatable, Sendable {
  /// Row-major; empty for a scalar.
  public var shape: [Int]
  /// As many as the product of the shape.
  public var values: [Float]

  /// - Precondition: `values.count` is the product of `shape` (1 for a scalar).
  public init(shape: [Int], values: [Float]) {
    precondition(values.count == shape.reduce(1, *), "\(values.count) values for shape \(shape)")
    self.shape = shape
    self.values = values
  }

  /// An array of zeros.
  public init(zeros shape: [Int]) {
    self.init(shape: shape, values: Array(repeating: 0, count: shape.reduce(1, *)))
  }
}
