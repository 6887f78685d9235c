/// How a parameter lies in memory where that is not PyTorch's order: the kernels of an operation may read blocks, with
/// padding that is zero and stays zero under every optimizer.
public protocol ParameterLayout: Sendable {
  /// Floats in memory, padding included.
  var storedCount: Int { get }

  /// From PyTorch's order. `target` has `storedCount` floats; all of them are written.
  func pack(_ source: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>)

  /// Into PyTorch's order, as many floats as the parameter's shape has elements.
  func unpack(_ source: UnsafePointer<Float>, into target: UnsafeMutablePointer<Float>)
}
