import OctNetCore

/// The layers in front of the first stage of a residual network; plain at every α.
struct ResidualStem: Layer {
  let name = ""
  let kind: Stem
  let inputChannels, channels: Int
  let activation: any Layer
  /// Of its norms.
  let epsilon: Float

  package func forward(_ x: OctFeature) throws -> OctFeature {
    switch kind {
    case .imagenet:
      let x = try unit(1, inputChannels, channels, kernel: 7, stride: 2)(x)
      return try MaxPool2d(kernelSize: 3, stride: 2, padding: 1)(x)
    case .cifar: return try unit(1, inputChannels, channels, kernel: 3)(x)
    case .large: return try x.builder.scoped("stem") { try large(x) }
    }
  }

  /// Three 3×3 convolutions, and in place of the pool a bottleneck with stride 2. The authors' networks have 64 channels;
  /// others have theirs in the same proportion.
  private func large(_ x: OctFeature) throws -> OctFeature {
    var x = try unit(1, inputChannels, channels / 8, kernel: 3)(x)
    x = try unit(2, channels / 8, channels / 2, kernel: 3, stride: 2)(x)
    x = try unit(3, channels / 2, channels, kernel: 3)(x)
    return try x.builder.scoped("block") {
      var y = try unit(1, channels, channels / 2, kernel: 1)(x)
      y = try unit(2, channels / 2, channels / 2, kernel: 3, stride: 2)(y)
      y = try normed("conv3", "bn3", channels / 2, channels, kernel: 1, stride: 1)(y)
      return try activation(
        y + normed("downsample.0", "downsample.1", channels, channels, kernel: 1, stride: 2)(x))
    }
  }

  /// Convolution, norm, activation.
  private func unit(_ index: Int, _ input: Int, _ output: Int, kernel: Int, stride: Int = 1) -> Sequence {
    Sequence(
      layers: normed("conv\(index)", "bn\(index)", input, output, kernel: kernel, stride: stride).layers
        + [activation])
  }

  private func normed(
    _ conv: String, _ norm: String, _ input: Int, _ output: Int, kernel: Int, stride: Int
  ) -> Sequence {
    Sequence(layers: [
      Conv2d(
        conv, inputChannels: input, outputChannels: output, kernelSize: kernel, stride: stride,
        padding: kernel / 2, bias: false),
      BatchNorm2d(norm, channels: output, epsilon: epsilon),
    ])
  }

  /// Layers one after the other that keep their own names.
  private struct Sequence: Layer {
    let name = ""
    let layers: [any Layer]

    func forward(_ x: OctFeature) throws -> OctFeature { try layers.reduce(x) { try $1($0) } }
  }
}
