import OctNetSupport

/// How a stride-2 octave convolution shrinks its input.
public enum Variant: String, Codable, CaseIterable, Sendable {
  /// As the paper's authors published it: only the high map is pooled for H→H, L→H takes the low map as it is.
  case paper
  /// As the CIFAR-10 notebook that OctNet reproduces: both maps are pooled, then an ordinary octave convolution.
  case seed
}

/// What makes maps smaller.
public enum Downsampling: String, Codable, CaseIterable, Sendable {
  /// 2×2 average pooling before a stride-1 convolution.
  case average
  /// Stride-2 convolutions in place of the pools (paper, table 3, first row).
  case strided
}

/// Octave convolution (arXiv 1904.05049, equation 2):
///
///     Y_H = f(X_H; W_HH) + up2(f(X_L; W_LH))
///     Y_L = f(X_L; W_LL) + f(pool2(X_H); W_HL)
///
/// with `low = ⌊α · channels⌋` on either side. αIn 0 begins, αOut 0 ends the octave part of a network; both 0 is the
/// ordinary convolution (with stride 2 where `downsampling` is `strided`; else it pools first). Works on every input size: pooling is in ceil mode and upsampling is cropped.
public struct OctConv2d: Layer {
  public let name: String
  /// Of both maps together.
  public let inputChannels, outputChannels: Int
  /// Rows and columns of the kernel; pixels from one window to the next; pixels beside the map on each side.
  public let kernelSize, stride, padding: Int
  /// Every path has as many groups, or its number of outputs where that is less. groups = channels is depthwise: only H→H
  /// and L→L exist.
  public let groups: Int
  /// Share of the channels in the low map of the input and of the output, 0 ... 1.
  public let alphaIn, alphaOut: Double
  /// Whether each output channel has one.
  public let bias: Bool
  /// Exchange between the octaves, for ablations. A path that is a map's only source stays.
  public let lowToHigh, highToLow: Bool
  /// How stride 2 shrinks octave features.
  public let variant: Variant
  /// What makes maps smaller.
  public let downsampling: Downsampling
  /// Names in the state dictionary.
  public let keys: OctaveKeys
  /// How weights and biases begin.
  public let initialization: ConvInitialization

  /// Weights begin as He's normal numbers, biases with 0, unless `initialization` says otherwise. `forward` refuses what does
  /// not fit.
  public init(
    _ name: String = "", inputChannels: Int, outputChannels: Int, kernelSize: Int, stride: Int = 1,
    padding: Int = 0, groups: Int = 1, bias: Bool = false, alphaIn: Double, alphaOut: Double,
    lowToHigh: Bool = true, highToLow: Bool = true, variant: Variant = .paper,
    downsampling: Downsampling = .average, keys: OctaveKeys = .octave,
    initialization: ConvInitialization = .kaimingNormal
  ) {
    self.name = name
    self.inputChannels = inputChannels
    self.outputChannels = outputChannels
    self.kernelSize = kernelSize
    self.stride = stride
    self.padding = padding
    self.groups = groups
    self.bias = bias
    self.alphaIn = alphaIn
    self.alphaOut = alphaOut
    self.lowToHigh = lowToHigh
    self.highToLow = highToLow
    self.variant = variant
    self.downsampling = downsampling
    self.keys = keys
    self.initialization = initialization
  }

  /// - Throws: `OctNetError.graph` where x does not have the channels that αIn says, where groups do not divide a
  ///   path's channels, or where the kernel is larger than the padded map.
  public func forward(_ x: OctFeature) throws -> OctFeature {
    try validate(x)
    let output = try OctaveSplit(channels: outputChannels, alpha: alphaOut, named: "alphaOut", in: x.builder)
    let depthwise = groups > 1 && groups == inputChannels && groups == outputChannels
    let hasLowToHigh = !depthwise && (lowToHigh || x.high == nil)
    let hasHighToLow = !depthwise && (highToLow || x.low == nil)
    let plan = try PathPlan(x, stride: stride, variant: variant, downsampling: downsampling)

    let (high, low) = (x.highChannels, x.lowChannels)
    let toHigh = Target(map: x.builder.addTarget(), inputs: high + (hasLowToHigh ? low : 0))
    let toLow = Target(map: x.builder.addTarget(), inputs: low + (hasHighToLow ? high : 0))
    // Low channels that no low map goes on with: Dirac's filters pass them on behind the high ones.
    let merged = output.low == 0 && high > 0 && hasLowToHigh ? low : 0
    let l2lFilters = Filters(toLow, 0, passing: 0..<low)
    let l2hFilters = Filters(
      toHigh, 1, passing: high..<high + (high == 0 ? low : merged), zeros: high + merged)
    let h2lFilters = Filters(toLow, 1, passing: low..<low + (low == 0 ? high : 0), zeros: low)
    let h2hFilters = Filters(toHigh, 0, passing: 0..<high, zeros: merged == 0 ? 0 : high + merged)

    // In d-li14's order of parameters.
    let l2l = try apply("conv_l2l", plan.l2l, output.low, l2lFilters, in: x.builder, depthwise)
    let l2h = hasLowToHigh ? try apply("conv_l2h", plan.l2h, output.high, l2hFilters, in: x.builder) : nil
    let h2l = hasHighToLow ? try apply("conv_h2l", plan.h2l, output.low, h2lFilters, in: x.builder) : nil
    let h2h = try apply("conv_h2h", plan.h2h, output.high, h2hFilters, in: x.builder, depthwise)

    let height = extent(x.height)
    let width = extent(x.width)
    let upsampled = try plan.upsamplesLow ? l2h?.upsampledByTwo(height: height, width: width) : l2h
    let newHigh = try sum(h2h, upsampled, in: x.builder)
    let newLow = try sum(l2l, h2l, in: x.builder)
    guard newHigh != nil || newLow != nil else {
      throw x.builder.error("no path from \(x) to \(output.high) high and \(output.low) low channels is left")
    }
    return OctFeature(high: newHigh, low: newLow, height: height, width: width, builder: x.builder)
  }

  /// Full-resolution size after this layer. Pools round up, as strided convolutions with padding ⌊k / 2⌋ do.
  private func extent(_ size: Int) -> Int {
    let reduced = stride == 2 && downsampling == .average ? (size + 1) / 2 : size
    return ConvGeometry.extent(
      reduced, kernel: kernelSize, stride: downsampling == .strided ? stride : 1, padding: padding)
  }

  private func validate(_ x: OctFeature) throws {
    let input = try OctaveSplit(channels: inputChannels, alpha: alphaIn, named: "alphaIn", in: x.builder)
    guard input.high == x.highChannels, input.low == x.lowChannels else {
      throw x.builder.error(
        "convolution of \(numbered(inputChannels, "channel")) at alphaIn \(alphaIn) expects \(input.high) high and "
          + "\(input.low) low, found \(x)")
    }
    guard stride == 1 || stride == 2 || (x.low == nil && alphaOut == 0 && downsampling == .strided) else {
      throw x.builder.error("an octave convolution has stride 1 or 2, found \(stride)")
    }
    guard inputChannels > 0, outputChannels > 0, kernelSize > 0, padding >= 0, groups > 0 else {
      throw x.builder.error(
        "channels, kernel size and groups are at least 1, found \(inputChannels) → \(outputChannels), "
          + "kernel \(kernelSize), padding \(padding), groups \(groups)")
    }
  }

  /// One of the new maps.
  private struct Target {
    /// From `GraphBuilder.addTarget`.
    let map: Int
    /// Channels of all paths into it together.
    let inputs: Int
  }

  /// Those of one path, among all of its target.
  private struct Filters {
    let target: FilterTarget
    let inputs: Int
    /// As `Initializer.dirac` has them.
    let passing: Range<Int>
    let zeros: Int

    init(_ target: Target, _ position: Int, passing: Range<Int>, zeros: Int = 0) {
      self.target = FilterTarget(map: target.map, position: position)
      inputs = target.inputs
      self.passing = passing
      self.zeros = zeros
    }
  }

  /// One path: a convolution of its own. nil where its source or target has no channels.
  private func apply(
    _ key: String, _ source: PathPlan.Source?, _ channels: Int, _ filters: Filters, in builder: GraphBuilder,
    _ depthwise: Bool = false
  ) throws -> SymbolicMap? {
    guard let source, channels > 0 else { return nil }
    return try builder.scoped(keys == .octave ? key : "") {
      let input = source.map.shape
      let groups = depthwise ? input.channels : min(self.groups, channels)
      guard input.channels.isMultiple(of: groups), channels.isMultiple(of: groups) else {
        throw builder.error(
          "\(numbered(groups, "group")) do not divide the path's \(input.channels) → \(numbered(channels, "channel")) "
            + "(alpha \(alphaIn) → \(alphaOut))"
        )
      }
      let geometry = ConvGeometry(
        input: input, outputChannels: channels, kernelHeight: kernelSize, kernelWidth: kernelSize,
        stride: source.stride, padding: padding, groups: groups)
      guard geometry.output.pixels > 0 else {
        throw builder.error(
          "kernel \(kernelSize) with padding \(padding) does not fit on a map of \(input)")
      }
      try checkWhitening(source.map, geometry)
      // PyTorch's fan out counts all output channels, whatever the groups.
      let fanOut = channels * kernelSize * kernelSize
      let fanIn = max(1, filters.inputs / groups) * kernelSize * kernelSize
      let parts = source.map.concatenatedParts
      let layout = ConcatenatedLayout(
        parts: parts.map {
          ConvGeometry(
            input: $0.shape, outputChannels: channels, kernelHeight: kernelSize, kernelWidth: kernelSize,
            stride: source.stride, padding: padding, groups: 1)
        })
      let isSum = groups == 1 && parts.count > 1 && layout.isSupported
      let weight = try builder.addParameter(
        "weight", .weight, shape: geometry.weightShape,
        initialization.weight(
          fanIn: fanIn, fanOut: fanOut, passing: filters.passing, zeros: filters.zeros),
        layout: isSum ? layout : geometry, isFrozen: initialization.isFrozen, target: filters.target)
      let bias =
        try bias
        ? builder.addParameter("bias", .bias, shape: [channels], initialization.bias(fanIn: fanIn)) : nil
      guard isSum else {
        return try source.map.applying(Convolution(geometry: geometry, weight: weight, bias: bias))
      }
      return try builder.record(Convolution(concatenated: layout, weight: weight, bias: bias), parts)
    }
  }

  /// Whitening filters follow from the network's images, two for each number of a patch.
  private func checkWhitening(_ source: SymbolicMap, _ geometry: ConvGeometry) throws {
    guard case .whitening = initialization else { return }
    let numbers = geometry.weightShape.dropFirst().reduce(1, *)
    guard source.id == source.builder.graph.input, groups == 1, geometry.output.channels == 2 * numbers
    else {
      throw source.builder.error(
        "whitening filters read the network's input and are 2 for each number of a patch, here \(2 * numbers), found "
          + "\(numbered(geometry.output.channels, "filter")) of a map of \(source.shape)")
    }
    guard numbers <= 1024 else {
      throw source.builder.error("whitening takes patches of up to 1024 numbers, found \(numbers)")
    }
  }

  private func sum(_ a: SymbolicMap?, _ b: SymbolicMap?, in builder: GraphBuilder) throws -> SymbolicMap? {
    guard let a, let b else { return a ?? b }
    guard a.shape == b.shape else {
      throw builder.error(
        "the paths of an octave convolution do not meet: \(a.shape) and \(b.shape); the rule is padding = "
          + "kernelSize / 2 with an odd kernel, found kernel \(kernelSize), padding \(padding)")
    }
    return try a + b
  }
}

/// What each of the four paths reads, and with which stride.
private struct PathPlan {
  struct Source {
    let map: SymbolicMap
    let stride: Int
  }

  let h2h, l2h, l2l, h2l: Source?
  /// Whether L→H comes out at half the resolution of the new high map.
  let upsamplesLow: Bool

  init(_ x: OctFeature, stride: Int, variant: Variant, downsampling: Downsampling) throws {
    func source(_ map: SymbolicMap?, _ stride: Int) -> Source? { map.map { Source(map: $0, stride: stride) } }
    let shrinks = stride > 1
    // The low map already has the size of the new high map.
    upsamplesLow = !(shrinks && variant == .paper)
    switch downsampling {
    case .average:
      let high = try shrinks ? x.high?.pooledByTwo() : x.high
      let low = try shrinks ? x.low?.pooledByTwo() : x.low
      h2h = source(high, 1)
      l2h = source(upsamplesLow ? low : x.low, 1)
      l2l = source(low, 1)
      h2l = source(try high?.pooledByTwo(), 1)
    case .strided:
      h2h = source(x.high, stride)
      l2h = source(x.low, upsamplesLow ? stride : 1)
      l2l = source(x.low, stride)
      // A stride-1 layer halves once, by stride; a stride-2 layer halves twice: pool, then stride.
      h2l = source(try shrinks ? x.high?.pooledByTwo() : x.high, 2)
    }
  }
}
