import CKernels

/// The sizes of one convolution, batch left open.
public struct ConvGeometry: Hashable, Sendable {
  /// Of one image.
  public var input, output: MapShape
  /// Taps.
  public var kernelHeight, kernelWidth: Int
  /// In both directions.
  public var stride: Int
  /// Zeros beside the map on each side.
  public var padding: Int
  /// Channels of either side are divided into so many.
  public var groups: Int

  /// The output follows from the rest: ⌊(size + 2·padding − kernel) / stride⌋ + 1.
  public init(
    input: MapShape, outputChannels: Int, kernelHeight: Int, kernelWidth: Int, stride: Int, padding: Int,
    groups: Int
  ) {
    self.input = input
    self.kernelHeight = kernelHeight
    self.kernelWidth = kernelWidth
    self.stride = stride
    self.padding = padding
    self.groups = groups
    output = MapShape(
      height: Self.extent(input.height, kernel: kernelHeight, stride: stride, padding: padding),
      width: Self.extent(input.width, kernel: kernelWidth, stride: stride, padding: padding),
      channels: outputChannels)
  }

  static func extent(_ size: Int, kernel: Int, stride: Int, padding: Int) -> Int {
    let span = size + 2 * padding - kernel
    return span < 0 ? 0 : span / stride + 1
  }

  /// OIHW, as PyTorch.
  public var weightShape: [Int] {
    [output.channels, input.channels / groups, kernelHeight, kernelWidth]
  }
  /// Multiplications and additions for one image, taps beside the map included.
  public var macs: Int {
    output.count * (input.channels / groups) * kernelHeight * kernelWidth
  }

  /// Those of `macs` whose tap lies inside the map. The kernels skip the others.
  var computedMacs: Int {
    func taps(_ size: Int, _ count: Int, _ kernel: Int) -> Int {
      (0..<count).map { index in
        let first = index * stride - padding
        return max(0, min(kernel, size - first) - max(0, -first))
      }.reduce(0, +)
    }
    return taps(input.height, output.height, kernelHeight) * taps(input.width, output.width, kernelWidth)
      * output.channels * (input.channels / groups)
  }

  var isDepthwise: Bool { groups > 1 && groups == input.channels && groups == output.channels }

  /// Both maps and the weights, each counted once.
  func bytes(batch: Int) -> Double {
    Double((batch * (input.count + output.count) + weightShape.reduce(1, *)) * MemoryLayout<Float>.stride)
  }

  func descriptor(batch: Int) -> oct_conv2d_desc {
    oct_conv2d_desc(
      n: batch, ih: input.height, iw: input.width, ic: input.channels, oh: output.height, ow: output.width,
      oc: output.channels, kh: kernelHeight, kw: kernelWidth, sh: stride, sw: stride, ph: padding,
      pw: padding, g: groups, direct: false)
  }

  /// Floats of the weights as Winograd's algorithm takes them, 0 where the kernels do not use it for so many images.
  func transformedCount(images: Int) -> Int {
    var descriptor = descriptor(batch: images)
    return oct_conv2d_transformed_count(&descriptor)
  }

  /// The same of weights that are there.
  func transformedSize(_ transformed: UnsafePointer<Float>) -> Int {
    var descriptor = descriptor(batch: 1)
    return oct_conv2d_transformed_size(&descriptor, transformed)
  }

  @Sendable func transform(
    _ weights: UnsafePointer<Float>, into transformed: UnsafeMutablePointer<Float>, images: Int, threads: Int
  ) {
    var descriptor = descriptor(batch: images)
    oct_conv2d_transform_weights(&descriptor, weights, transformed, Int32(threads))
  }
}

/// The blocks in which the kernels read the weights of a convolution; in the state dictionary they are OIHW.
extension ConvGeometry: ParameterLayout {
  /// Floats of the kernels' blocked weight layout.
  public var storedCount: Int {
    var descriptor = descriptor(batch: 1)
    return oct_conv2d_weights_count(&descriptor)
  }

  public func pack(_ oihw: UnsafePointer<Float>, into weights: UnsafeMutablePointer<Float>) {
    var descriptor = descriptor(batch: 1)
    oct_conv2d_pack_weights(&descriptor, oihw, weights)
  }

  public func unpack(_ weights: UnsafePointer<Float>, into oihw: UnsafeMutablePointer<Float>) {
    var descriptor = descriptor(batch: 1)
    oct_conv2d_unpack_weights(&descriptor, weights, oihw)
  }
}
