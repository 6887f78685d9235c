import OctNet

/// A network that follows from a seed: convolutions of any kernel, stride, group and ratio, norms, activations, pools,
/// sums and maps that several layers read, in an order that nobody would think of.
///
/// What a layer refuses is left out, so that every seed gives a network.
package struct RandomNetwork {
  package static let classes = 3

  package let seed: UInt64

  package init(seed: UInt64) { self.seed = seed }

  /// Odd and even sizes, down to one row.
  package var inputShape: MapShape {
    var draw = RandomStream(seed: seed, "input")
    return MapShape(
      height: 1 + draw.index(below: 11), width: 1 + draw.index(below: 11), channels: 1 + draw.index(below: 4))
  }

  package func make() throws -> Network {
    try Network(inputShape: inputShape, seed: seed) { image in
      var author = Author(seed: seed, image: image)
      for _ in 0..<(3 + author.draw.index(below: 8)) { author.addStep() }
      return try author.finish()
    }
  }
}

/// Writes a network step by step, and knows the features that there are.
private struct Author {
  var draw: RandomStream
  private var features: [OctFeature]
  private var names = 0

  init(seed: UInt64, image: OctFeature) {
    draw = RandomStream(seed: seed, "network")
    features = [image]
  }

  /// The latest feature as often as any other one, so that networks are deep and maps are shared.
  private mutating func feature() -> OctFeature {
    let index = draw.index(below: 2) == 0 ? features.count - 1 : draw.index(below: features.count)
    return features[index]
  }

  private mutating func chance(_ percent: Int) -> Bool { draw.index(below: 100) < percent }

  private mutating func one<Element>(of choices: [Element]) -> Element {
    choices[draw.index(below: choices.count)]
  }

  private mutating func activated(_ x: OctFeature) throws -> OctFeature {
    let layers: [any Layer] = [
      ReLU(), ReLU(), ReLU6(), Clamp(low: -0.5, high: 0.5), LeakyReLU(slope: 0.1), Sigmoid(), SiLU(), GELU(),
    ]
    return try layers[draw.index(below: layers.count)](x)
  }

  private mutating func name(_ kind: String) -> String {
    names += 1
    return "\(kind)\(names)"
  }

  /// One step; nothing where the layer does not take the feature.
  mutating func addStep() {
    if let made = try? step() { features.append(made) }
  }

  private mutating func step() throws -> OctFeature {
    let kind = draw.index(below: 16)
    let x = feature()
    switch kind {
    case 0: return try convolved(x)
    case 1: return try activated(convolution(x, bias: chance(60))(x))
    case 2: return try normalized(convolved(x), rectified: chance(70))
    case 3: return try residual(x)
    case 4: return try sumOfConvolutions(x, feature())
    case 5: return try x + equal(to: x)
    case 6: return try normalized(x, rectified: chance(50))
    case 7: return try activated(x)
    case 8: return try pooled(x)
    case 9, 10: return try joined(x, feature())
    case 11: return try upsampled(x)
    case 12: return try grouped(x)
    case 13:
      return try SqueezeExcite(name("se"), squeezedChannels: one(of: [1, 3]))(
        chance(50) ? normalized(x, rectified: true) : x)
    default: return try rectified(x + normalized(equal(to: x), rectified: false))
    }
  }

  /// Logits of the latest features, each pooled over its pixels.
  mutating func finish() throws -> OctFeature {
    var logits: OctFeature?
    for x in features.suffix(1 + draw.index(below: 2)) {
      let merged = try convolution(x, outputChannels: 5, kernelSize: 1, alphaOut: 0, bias: false)(x)
      let head = Linear(name("fc"), inputChannels: 5, outputChannels: RandomNetwork.classes)
      let part = try head(GlobalAvgPool()(merged))
      logits = try logits.map { try $0 + part } ?? part
    }
    // There is always one.
    guard let logits else { throw OctNetError.graph(layer: "", "no feature") }
    return logits
  }

  // MARK: Steps

  /// The ratio that makes exactly these low channels.
  private func alpha(_ x: OctFeature) -> Double {
    x.lowChannels == x.channels
      ? 1
      : (Double(x.lowChannels) + 0.5) / Double(x.channels)
        * (x.lowChannels == 0 ? 0 : 1)
  }

  private mutating func convolution(
    _ x: OctFeature, outputChannels: Int? = nil, kernelSize: Int? = nil, stride: Int = 1,
    alphaOut: Double? = nil, bias: Bool? = nil
  ) throws -> OctConv2d {
    let kernel = kernelSize ?? one(of: [1, 1, 3, 3, 5])
    let output = outputChannels ?? one(of: [1, 2, 3, 4, 8, 12, 16, 17, 24])
    let ratio = alphaOut ?? one(of: [0, 0, 0, 0.25, 0.5, 1])
    // Some divide nothing, which the layer refuses; depthwise where all three agree.
    let groups = outputChannels == nil && chance(35) ? one(of: [2, 4, x.channels]) : 1
    return OctConv2d(
      name("conv"), inputChannels: x.channels,
      outputChannels: groups > 1 && groups == x.channels && chance(70) ? x.channels : output,
      kernelSize: kernel,
      stride: stride, padding: kernel / 2, groups: groups, bias: bias ?? chance(20), alphaIn: alpha(x),
      alphaOut: ratio, variant: one(of: Variant.allCases), downsampling: one(of: Downsampling.allCases))
  }

  private mutating func convolved(_ x: OctFeature) throws -> OctFeature {
    try convolution(x, stride: chance(25) ? 2 : 1)(x)
  }

  private mutating func normalized(_ x: OctFeature, rectified: Bool) throws -> OctFeature {
    let norm = try BatchNorm2d(name("norm"), channels: x.channels, alpha: alpha(x))(x)
    return rectified ? try self.rectified(norm) : norm
  }

  /// As in most networks, or by any function.
  private mutating func rectified(_ x: OctFeature) throws -> OctFeature {
    try chance(50) ? ReLU()(x) : activated(x)
  }

  /// A convolution of `x` to its own shape.
  private mutating func equal(to x: OctFeature) throws -> OctFeature {
    try convolution(x, outputChannels: x.channels, alphaOut: alpha(x))(x)
  }

  private mutating func residual(_ x: OctFeature) throws -> OctFeature {
    let y = try normalized(equal(to: x), rectified: false)
    return try rectified(chance(50) ? y + x : x + y)
  }

  /// What the first stage of fusion joins: sums of convolutions, groups and kernels differing.
  private mutating func sumOfConvolutions(_ a: OctFeature, _ b: OctFeature) throws -> OctFeature {
    let channels = one(of: [4, 8, 16, 18])
    let other = a.height == b.height && a.width == b.width ? b : a
    func part(_ x: OctFeature) throws -> OctFeature {
      let kernel = one(of: [1, 3])
      let groups = one(of: [1, 1, 2, channels])
      return try OctConv2d(
        name("sum"), inputChannels: x.channels, outputChannels: channels, kernelSize: kernel,
        padding: kernel / 2, groups: groups, bias: chance(10), alphaIn: alpha(x), alphaOut: 0)(x)
    }
    return try part(a) + part(other)
  }

  /// Side by side, read by a convolution, or by that and something else.
  private mutating func joined(_ a: OctFeature, _ b: OctFeature) throws -> OctFeature {
    let isPair = a.height == b.height && a.width == b.width && (a.low == nil) == (b.low == nil)
    var parts = try isPair ? [a, b] : [a, activated(a)]
    if chance(30) { parts.append(try equal(to: a)) }
    if chance(10) { parts += parts }
    let map = try concatenated(parts)
    guard chance(70) else { return chance(50) ? map : try normalized(map, rectified: chance(70)) }
    let y = try convolution(map, stride: chance(20) ? 2 : 1)(map)
    return try chance(60) ? normalized(y, rectified: true) : y
  }

  /// Small maps only, so that networks stay small.
  private mutating func upsampled(_ x: OctFeature) throws -> OctFeature {
    guard x.height * x.width <= 40 else { return try activated(x) }
    if chance(50) {
      return try Upsample(scale: one(of: [1, 2, 3]), mode: one(of: Upsample.Mode.allCases))(x)
    }
    let kernel = one(of: [1, 2, 3, 4])
    return try OctConvTranspose2d(
      name("up"), inputChannels: x.channels, outputChannels: one(of: [3, 8, 16]), kernelSize: kernel,
      stride: one(of: [1, 2]), padding: chance(30) ? kernel / 2 : 0, bias: chance(50), alphaIn: alpha(x),
      alphaOut: one(of: [0, 0.25, 0.5]))(x)
  }

  private mutating func grouped(_ x: OctFeature) throws -> OctFeature {
    let norm = GroupNorm(name("gn"), groups: one(of: [1, 2, 3]), channels: x.channels, alpha: alpha(x))
    return try activated(norm(chance(50) ? convolved(x) : x))
  }

  private mutating func pooled(_ x: OctFeature) throws -> OctFeature {
    let size = one(of: [2, 3])
    return chance(50)
      ? try AvgPool2d(kernelSize: size, stride: 2, padding: size / 2, ceilMode: chance(80))(x)
      : try MaxPool2d(kernelSize: size, stride: 2, padding: size / 2, ceilMode: chance(80))(x)
  }
}

extension Network {
  /// Scales, shifts and running statistics of norms as if they had been trained.
  package func scatterNorms(_ stream: inout RandomStream) {
    for (index, parameter) in graph.parameters.enumerated()
    where parameter.kind == .normScale || parameter.kind == .normShift {
      let base: Float = parameter.kind == .normScale ? 1 : 0
      let values = (0..<parameter.count).map { _ in base + 0.3 * stream.normal() }
      values.withUnsafeBufferPointer { store($0, in: ParameterID(index: index)) }
    }
    for (index, buffer) in graph.buffers.enumerated() {
      let values = parameters.buffer(BufferID(index: index))
      for channel in 0..<buffer.count {
        values[channel] = buffer.initial == 1 ? 0.5 + stream.uniform() : 0.3 * stream.normal()
      }
    }
  }
}
