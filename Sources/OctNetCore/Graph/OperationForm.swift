/// What an operation computes at inference, in words that other runtimes have too: for programs that write a network down.
///
/// Parameters are in PyTorch's layout (`Parameter.shape`).
package enum OperationForm: Sendable {
  /// Of its inputs' channels side by side, which are those of `geometry.input`. Weight: OIHW.
  case convolution(ConvGeometry, weight: ParameterID, bias: ParameterID?)
  /// The backward pass of the convolution from its output to its input, which `geometry` is. Weight: [in, out / groups, kh, kw].
  case transposedConvolution(ConvGeometry, weight: ParameterID, bias: ParameterID?)
  /// x · weightᵀ + bias of a 1×1 map.
  case linear(weight: ParameterID, bias: ParameterID?)
  /// γ · (x − mean) / √(var + ε) + β with running statistics.
  case batchNorm(
    scale: ParameterID, shift: ParameterID, mean: BufferID, variance: BufferID, epsilon: Float)
  /// The same with statistics of each image and group of channels.
  case groupNorm(groups: Int, scale: ParameterID, shift: ParameterID, epsilon: Float)
  case activation(Activation)
  /// Its input times a number.
  case scale(Float)
  /// The sum of its two inputs.
  case addition
  /// Its first input times its second, which is a number for each channel.
  case gate
  /// Its inputs' channels side by side.
  case concatenation
  /// Over the pixels of each window that are inside the map.
  case averagePool(PoolGeometry)
  case maxPool(PoolGeometry)
  /// Over all pixels.
  case globalAverage
  /// The pixel at (y / scale, x / scale), or bilinear as PyTorch with `align_corners` false; then the output's first rows and
  /// columns.
  case upsampling(scale: Int, isBilinear: Bool)
  /// The output's first rows and columns.
  case crop
  case identity
}

/// An operation that says what it computes.
package protocol DescribedOperation: Operation {
  /// Nil where passes have joined several into it.
  var form: OperationForm? { get }
}

extension Operation {
  /// What it says itself; else what it is to the passes, which is all that an operation of somebody's own can say. Nil where
  /// that is nothing.
  package var knownForm: OperationForm? {
    if let described = self as? any DescribedOperation { return described.form }
    switch role.kind {
    case .addition: return .addition
    case .activation(let activation): return .activation(activation)
    case .opaque, .upsampling, .convolution, .norm: return nil
    }
  }
}
