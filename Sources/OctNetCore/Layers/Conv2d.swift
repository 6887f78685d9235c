/// The ordinary convolution: `OctConv2d` with both α zero and strided downsampling.
///
/// Input [h, w, inputChannels], output [⌊(h + 2·padding − kernelSize) / stride⌋ + 1, …, outputChannels]. The parameter
/// `weight` has PyTorch's shape [outputChannels, inputChannels / groups, kernelSize, kernelSize].
public struct Conv2d: Layer {
  private let convolution: OctConv2d

  public var name: String { convolution.name }

  /// The weights begin as Kaiming's normal numbers, the bias with 0, unless `initialization` says otherwise.
  public init(
    _ name: String = "", inputChannels: Int, outputChannels: Int, kernelSize: Int, stride: Int = 1,
    padding: Int = 0, groups: Int = 1, bias: Bool = true, initialization: ConvInitialization = .kaimingNormal
  ) {
    convolution = OctConv2d(
      name, inputChannels: inputChannels, outputChannels: outputChannels, kernelSize: kernelSize,
      stride: stride, padding: padding, groups: groups, bias: bias, alphaIn: 0, alphaOut: 0,
      downsampling: .strided, keys: .plain, initialization: initialization)
  }

  public func forward(_ x: OctFeature) throws -> OctFeature { try convolution.forward(x) }
}
