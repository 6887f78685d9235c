/// Another form of a parameter that an operation reads in passes which repeat with the same values, such as the weights
/// of a 3×3 convolution as Winograd's algorithm takes them. Inference sessions make it once and keep it.
public struct WeightPreparation: Sendable {
  /// Which parameter.
  public let parameter: ParameterID
  /// Floats of the form.
  public let count: Int
  /// Makes it, on so many threads.
  public let prepare:
    @Sendable (
      _ value: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ threads: Int
    ) -> Void

  /// An operation that has the form reads it and no longer the parameter itself.
  public init(
    parameter: ParameterID, count: Int,
    prepare:
      @escaping @Sendable (
        _ value: UnsafePointer<Float>, _ target: UnsafeMutablePointer<Float>, _ threads: Int
      ) -> Void
  ) {
    self.parameter = parameter
    self.count = count
    self.prepare = prepare
  }
}
