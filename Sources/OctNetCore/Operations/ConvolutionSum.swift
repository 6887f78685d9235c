import CKernels
import OctNetSupport

/// output = norm?(Σ conv(source, weight) + up2(low)): the two sums of an octave convolution, each in one accumulation.
///
/// Inputs: the map of each source, the low map where there is one, and the map to add where the norm has one.
struct ConvolutionSum: Operation {
  struct Source {
    let geometry: ConvGeometry
    let weight: ParameterID
  }

  let sources: [Source]
  /// Shape of the map that the output starts from, nearest-upsampled.
  let low: MapShape?
  /// With running statistics, applied to the sum while it is in registers, with its addition and ReLU. Inference only.
  var norm: BatchNormalization?

  var kind: String {
    "conv" + (sources.count > 1 ? "+conv" : "") + (low == nil ? "" : "+up")
      + (norm.map { "+" + $0.kind } ?? "")
  }
  var macs: Int { sources.map(\.geometry.macs).reduce(0, +) }
  var computedMacs: Int { sources.map(\.geometry.computedMacs).reduce(0, +) }
  var parameters: [ParameterID] { sources.map(\.weight) + (norm?.parameters ?? []) }
  var backwardReads: BackwardReads { .init(inputs: sources.count) }
  var profilesBackward: Bool { true }
  var runsUpdates: Bool { true }

  private var output: MapShape { sources[0].geometry.output }

  /// Whether the kernels sum these sources in one accumulation; convolutions of unlike groups they do not.
  var isSupported: Bool {
    withDescriptors(batch: 1) { descriptors in
      let kernelSources = descriptors.map {
        oct_conv2d_source(desc: $0, src: nil, weights: nil, transformed: nil)
      }
      return oct_conv2d_sources_check(kernelSources, Int32(kernelSources.count)) == OCT_OK
    }
  }

  func scratchBytes(_ pass: Pass, batch: Int, threads: Int) -> Int {
    if pass == .backward {
      return sources.map { source in
        var descriptor = source.geometry.descriptor(batch: batch)
        return max(
          oct_conv2d_backward_data_scratch_bytes(&descriptor, Int32(threads)),
          oct_conv2d_backward_weights_scratch_bytes(&descriptor, Int32(threads)))
      }.max() ?? 0
    }
    return withDescriptors(batch: batch) { descriptors in
      let kernelSources = descriptors.map {
        oct_conv2d_source(desc: $0, src: nil, weights: nil, transformed: nil)
      }
      return foldedBytes
        + oct_conv2d_forward_sources_scratch_bytes(kernelSources, Int32(kernelSources.count), Int32(threads))
    }
  }

  /// The weights in the form of Winograd's algorithm, where that is faster for so many images; forward then reads them in
  /// that form only.
  func preparations(images: Int) -> [WeightPreparation] {
    let takesTransformed = withDescriptors(batch: images) { descriptors in
      let kernelSources = descriptors.map {
        oct_conv2d_source(desc: $0, src: nil, weights: nil, transformed: nil)
      }
      return oct_conv2d_takes_transformed(kernelSources, Int32(kernelSources.count))
    }
    guard takesTransformed else { return [] }
    return sources.map { source in
      WeightPreparation(
        parameter: source.weight, count: source.geometry.transformedCount(images: images),
        prepare: source.geometry.transform)
    }
  }

  /// Scale and bias of the norm, a float a channel each, whole cache lines.
  private var foldedBytes: Int {
    guard let norm else { return 0 }
    let line = AlignedBuffer.cacheLine
    return (2 * norm.shape.channels * MemoryLayout<Float>.stride + line - 1) / line * line
  }

  func forward(_ c: ForwardContext) {
    withDescriptors(batch: c.batch) { descriptors in
      let kernelSources = zip(descriptors, sources.indices).map { descriptor, index in
        oct_conv2d_source(
          desc: descriptor, src: c.inputs[index],
          weights: UnsafePointer(c.memory.value(sources[index].weight)),
          transformed: c.memory.prepared[sources[index].weight])
      }
      let lowMap = low == nil ? nil : c.inputs[sources.count]
      var epilogue = epilogue(c)
      check(
        oct_conv2d_forward_sources(
          kernelSources, Int32(kernelSources.count), lowMap, low?.height ?? 0, low?.width ?? 0, &epilogue,
          c.output, c.scratch.map { $0 + foldedBytes }, Int32(c.threads)))
    }
  }

  /// Derived from the current statistics in every pass: a few thousand numbers, and never out of date.
  private func epilogue(_ c: ForwardContext) -> oct_conv2d_epilogue {
    guard let norm, let folded = c.scratch?.assumingMemoryBound(to: Float.self) else { return .init() }
    let bias = folded + norm.shape.channels
    norm.fold(c.memory, scale: folded, bias: bias)
    return oct_conv2d_epilogue(
      scale: folded, bias: bias, residual: norm.addsResidual ? c.inputs.last : nil, relu: norm.appliesReLU)
  }

  func backward(_ c: BackwardContext) {
    precondition(norm == nil, "a folded norm has no backward pass")
    let threads = Int32(c.threads)
    for (index, source) in sources.enumerated() {
      var descriptor = source.geometry.descriptor(batch: c.batch)
      c.profiled(kind, .backwardWeights, source.geometry) {
        check(
          c.besideUpdates {
            oct_conv2d_backward_weights(
              &descriptor, c.inputs[index], c.outputGradient, c.memory.gradient(source.weight), false, $0,
              c.scratch, threads)
          })
      }
      if let sink = c.inputGradients[index] {
        c.profiled(kind, .backwardData, source.geometry) {
          check(
            oct_conv2d_backward_data(
              &descriptor, c.outputGradient, c.memory.value(source.weight), sink.pointer, sink.accumulate,
              c.scratch, threads))
        }
      }
    }
    if let low, let sink = c.inputGradients[sources.count] {
      // Without the convolutions this is an upsampling, whose profile it joins.
      let upsampling = Upsampling(input: low, output: output)
      let maps = output.count + low.count * (sink.accumulate ? 2 : 1)
      let bytes = Double(c.batch * maps * MemoryLayout<Float>.stride)
      c.profiled(upsampling.kind, shapes: "\(low)→\(output)", bytes: bytes) {
        upsampling.backward(c.outputGradient, batch: c.batch, threads: c.threads, into: sink)
      }
    }
  }

  /// Descriptors at addresses that stay valid during `body`.
  private func withDescriptors<Result>(
    batch: Int, _ body: ([UnsafePointer<oct_conv2d_desc>]) -> Result
  ) -> Result {
    let descriptors = sources.map { $0.geometry.descriptor(batch: batch) }
    return descriptors.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { preconditionFailure("a sum has sources") }
      return body(buffer.indices.map { base + $0 })
    }
  }
}
