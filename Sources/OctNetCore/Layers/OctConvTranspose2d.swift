import OctNetSupport

/// Transposed octave convolution: as `OctConv2d`, with PyTorch's `ConvTranspose2d` f for each path,
///
///     Y_H = f(X_H; W_HH) + up2(f(X_L; W_LH))
///     Y_L = f(X_L; W_LL) + f(pool2(X_H); W_HL)
///
/// Output: (h − 1) · stride − 2 · padding + kernelSize + outputPadding rows. Where maps of odd sizes meet, the larger one is
/// cropped. αIn 0 begins, αOut 0 ends the octave part of a network; both 0 is PyTorch's layer.
public struct OctConvTranspose2d: Layer {
  public let name: String
  /// Of both maps together.
  public let inputChannels, outputChannels: Int
  /// Rows and columns of the kernel; pixels between two windows of the output; pixels cut from each side; pixels added at the end.
  public let kernelSize, stride, padding, outputPadding: Int
  /// Every path is grouped.
  public let groups: Int
  /// Share of the channels in the low map of the input and of the output, 0 ... 1.
  public let alphaIn, alphaOut: Double
  /// Whether each output channel has one.
  public let bias: Bool
  /// Names in the state dictionary.
  public let keys: OctaveKeys

  /// - Parameters:
  ///   - alphaIn: share of the input's channels in the low map.
  ///   - alphaOut: share of the output's channels in the low map.
  ///   - bias: whether each output channel has one.
  ///   - groups: channels are divided into so many, of each map.
  ///   - inputChannels: channels of its input.
  ///   - kernelSize: rows and columns of a window.
  ///   - name: its part of the dotted path of its parameters.
  ///   - outputChannels: channels of its output.
  ///   - padding: rows and columns beside the map on each side.
  ///   - stride: pixels from one window to the next.
  ///   - outputPadding: below the stride: rows and columns more at the end.
  ///   - keys: defaults to `plain` where both α are 0 and `octave` elsewhere.
  public init(
    _ name: String = "", inputChannels: Int, outputChannels: Int, kernelSize: Int, stride: Int = 1,
    padding: Int = 0, outputPadding: Int = 0, groups: Int = 1, bias: Bool = true, alphaIn: Double = 0,
    alphaOut: Double = 0, keys: OctaveKeys? = nil
  ) {
    self.name = name
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    self.kernelSize = kernelSize
    self.stride = stride
    self.padding = padding
    self.outputPadding = outputPadding
    self.groups = groups
    self.bias = bias
    self.alphaIn = alphaIn
    self.alphaOut = alphaOut
    self.keys = keys ?? (alphaIn == 0 && alphaOut == 0 ? .plain : .octave)
  }

  /// - Throws: `OctNetError.graph` where x does not have the channels that αIn says, where groups do not divide a path's
  ///   channels, or nothing would be left of the output.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    try validate(x)
    let output = try OctaveSplit(channels: outputChannels, alpha: alphaOut, named: "alphaOut", in: x.builder)
    let (height, width) = (extent(x.height), extent(x.width))
    let (lowHeight, lowWidth) = ((height + 1) / 2, (width + 1) / 2)

    let l2l = try apply("conv_l2l", x.low, output.low)?.cropped(to: lowHeight, lowWidth)
    let l2h = try apply("conv_l2h", x.low, output.high)?.cropped(to: lowHeight, lowWidth)
    // Nobody pools for a map that is not there.
    let pooled = output.low > 0 ? try x.high?.pooledByTwo() : nil
    let h2l = try apply("conv_h2l", pooled, output.low)?.cropped(to: lowHeight, lowWidth)
    let h2h = try apply("conv_h2h", x.high, output.high)

    let upsampled = try l2h?.upsampledByTwo(height: height, width: width)
    func sum(_ a: SymbolicMap?, _ b: SymbolicMap?) throws -> SymbolicMap? {
      guard let a, let b else { return a ?? b }
      return try a + b
    }
    return OctFeature(
      high: try sum(h2h, upsampled), low: try sum(l2l, h2l), height: height, width: width, builder: x.builder)
  }

  private func extent(_ size: Int) -> Int { (size - 1) * stride - 2 * padding + kernelSize + outputPadding }

  private func validate(_ x: OctFeature) throws {
    let input = try OctaveSplit(channels: inputChannels, alpha: alphaIn, named: "alphaIn", in: x.builder)
    guard input.high == x.highChannels, input.low == x.lowChannels else {
      throw x.builder.error(
        "transposed convolution of \(numbered(inputChannels, "channel")) at alphaIn \(alphaIn) expects \(input.high) high and "
          + "\(input.low) low, found \(x)")
    }
    guard inputChannels > 0, outputChannels > 0, kernelSize > 0, stride > 0, padding >= 0, groups > 0,
      outputPadding >= 0, outputPadding < stride
    else {
      throw x.builder.error(
        "channels, kernel size, stride and groups are at least 1 and outputPadding is below the stride, found "
          + "\(inputChannels) → \(outputChannels), kernel \(kernelSize), stride \(stride), padding \(padding), "
          + "outputPadding \(outputPadding), groups \(groups)")
    }
  }

  /// One path: a transposed convolution of its own. nil where its source or target has no channels.
  private func apply(_ key: String, _ source: SymbolicMap?, _ channels: Int) throws -> SymbolicMap? {
    guard let source, channels > 0 else { return nil }
    let builder = source.builder
    return try builder.scoped(keys == .octave ? key : "") {
      let shape = source.shape
      guard shape.channels.isMultiple(of: groups), channels.isMultiple(of: groups) else {
        throw builder.error(
          "\(numbered(groups, "group")) do not divide the path's \(shape.channels) → \(numbered(channels, "channel"))"
        )
      }
      let (height, width) = (extent(shape.height), extent(shape.width))
      guard height > 0, width > 0 else {
        throw builder.error("padding \(padding) leaves nothing of a map of \(shape)")
      }
      let geometry = ConvGeometry(
        input: MapShape(height: height, width: width, channels: channels), outputChannels: shape.channels,
        kernelHeight: kernelSize, kernelWidth: kernelSize, stride: stride, padding: padding, groups: groups)
      precondition(geometry.output == shape, "a transposed convolution has one size")
      // What reaches a pixel of the output: kernel taps, of which a stride skips all but a share.
      let fan = max(1, shape.channels / groups * kernelSize * kernelSize / (stride * stride))
      let weight = try builder.addParameter(
        "weight", .weight, shape: geometry.weightShape, .kaimingNormal(fanOut: fan), layout: geometry)
      let bias = try bias ? builder.addParameter("bias", .bias, shape: [channels], .constant(0)) : nil
      return try source.applying(TransposedConvolution(geometry: geometry, weight: weight, bias: bias))
    }
  }
}

extension SymbolicMap {
  /// - Throws: `OctNetError.graph` where it is smaller.
  fileprivate func cropped(to height: Int, _ width: Int) throws -> SymbolicMap {
    guard shape.height >= height, shape.width >= width else {
      throw builder.error(
        "a low map of \(shape) where half of the high one, rounded up, is \(height)×\(width): the padding is too large for it"
      )
    }
    return try cropped(height: height, width: width)
  }
}
