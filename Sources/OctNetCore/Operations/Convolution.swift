import CKernels
import OctNetSupport

/// output = f(norm?(Σ conv(source, weight) + up2(low) + Σ bias)), all in one accumulation: an ordinary
/// convolution, a linear layer, or one of the two sums of an octave convolution (paper, equation 2).
///
/// Layers record one source and no more; the passes over the graph join the rest. Inputs: the map of each source, the low
/// map where there is one, and the map to add where the norm has one.
struct Convolution: Operation {
  struct Source {
    let geometry: ConvGeometry
    let weight: ParameterID
    /// Floats of the parameter before the source's weights: several sources may share one, see `ConcatenatedLayout`.
    var offset = 0
  }

  let sources: [Source]
  var biases: [ParameterID]
  /// For profiles and tables: what the layer is called.
  var name = "conv"
  /// Shape of the map that the output starts from, nearest-upsampled.
  var low: MapShape?
  /// With running statistics, applied to the sum while it is in registers, with its addition; its activation becomes that of
  /// the convolution. Inference only.
  var norm: BatchNormalization?
  /// f, applied while the sum is in registers. In training only where its derivative follows from the output.
  var activation: Activation?

  init(geometry: ConvGeometry, weight: ParameterID, bias: ParameterID?, name: String = "conv") {
    sources = [Source(geometry: geometry, weight: weight)]
    biases = bias.map { [$0] } ?? []
    self.name = name
  }

  /// A convolution of maps side by side, each of which is a source.
  init(concatenated layout: ConcatenatedLayout, weight: ParameterID, bias: ParameterID?) {
    sources = zip(layout.parts, layout.offsets).map {
      Source(geometry: $0, weight: weight, offset: $1)
    }
    biases = bias.map { [$0] } ?? []
  }

  private init(sources: [Source], biases: [ParameterID], low: MapShape?) {
    self.sources = sources
    self.biases = biases
    self.low = low
  }

  var kind: String {
    name + (sources.count > 1 ? "+conv" : "") + (low == nil ? "" : "+up")
      + (norm.map { "+" + $0.kind } ?? "") + activation.suffix
  }
  func outputShape(_ inputs: [MapShape]) -> MapShape { output }
  var role: OperationRole { .convolution(self) }
  var macs: Int { sources.map(\.geometry.macs).reduce(0, +) }
  var computedMacs: Int { sources.map(\.geometry.computedMacs).reduce(0, +) }
  var parameters: [ParameterID] { weights + biases + (norm?.parameters ?? []) }
  var backwardReads: BackwardReads { .init(inputs: sources.count, output: activation != nil) }
  var profilesBackward: Bool { true }
  var runsUpdates: Bool { true }

  /// Each once.
  private var weights: [ParameterID] {
    sources.map(\.weight).reduce(into: []) { if $0.last != $1 { $0.append($1) } }
  }
  private var output: MapShape { sources[0].geometry.output }
  private var isFinished: Bool { norm != nil || activation != nil }

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
      let bias =
        biases.isEmpty ? 0 : oct_bias_backward_scratch_bytes(batch * output.pixels, output.channels)
      return sources.map { source in
        var descriptor = source.geometry.descriptor(batch: batch)
        return max(
          oct_conv2d_backward_data_scratch_bytes(&descriptor, Int32(threads)),
          oct_conv2d_backward_weights_scratch_bytes(&descriptor, Int32(threads)))
      }.reduce(bias, max)
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
    guard takesTransformed, sources.allSatisfy({ $0.geometry.transformedCount(images: images) > 0 }) else {
      return []
    }
    return weights.map { weight in
      let parts = sources.filter { $0.weight == weight }
      let counts = parts.map { $0.geometry.transformedCount(images: images) }
      return WeightPreparation(parameter: weight, count: counts.reduce(0, +)) { value, target, threads in
        var first = 0
        for (part, count) in zip(parts, counts) {
          part.geometry.transform(value + part.offset, into: target + first, images: images, threads: threads)
          first += count
        }
      }
    }
  }

  /// Scale and bias of the epilogue, a float a channel each, whole cache lines; none where a single bias is read as it is.
  private var foldedBytes: Int {
    guard norm != nil || biases.count > 1 else { return 0 }
    let line = AlignedBuffer.cacheLine
    return (2 * output.channels * MemoryLayout<Float>.stride + line - 1) / line * line
  }

  func forward(_ c: ForwardContext) {
    withDescriptors(batch: c.batch) { descriptors in
      let kernelSources = zip(descriptors, sources.indices).map { descriptor, index in
        oct_conv2d_source(
          desc: descriptor, src: c.input(index),
          weights: UnsafePointer(c.memory.value(sources[index].weight) + sources[index].offset),
          transformed: transformed(index, c))
      }
      let lowMap = low == nil ? nil : c.input(sources.count)
      var epilogue = epilogue(c)
      check(
        oct_conv2d_forward_sources(
          kernelSources, Int32(kernelSources.count), lowMap, low?.height ?? 0, low?.width ?? 0, &epilogue,
          c.output, c.scratch.baseAddress.map { $0 + foldedBytes }, Int32(c.threads)))
    }
  }

  /// Prepared for the images of the plan, which may be more than those of this pass: their number does not depend on it.
  private func transformed(_ index: Int, _ c: ForwardContext) -> UnsafePointer<Float>? {
    guard let prepared = c.memory.prepared[sources[index].weight] else { return nil }
    let before = sources[..<index].filter { $0.weight == sources[index].weight }
    return before.reduce(prepared) { $0 + $1.geometry.transformedSize($0) }
  }

  /// Derived from the current parameters in every pass: a few thousand numbers, and never out of date.
  private func epilogue(_ c: ForwardContext) -> oct_conv2d_epilogue {
    var epilogue = oct_conv2d_epilogue()
    epilogue.activation = activation.descriptor
    let values = biases.map { c.memory.value($0) }
    guard let folded = c.scratch.baseAddress?.assumingMemoryBound(to: Float.self), foldedBytes > 0 else {
      epilogue.bias = values.first.map { UnsafePointer($0) }
      return epilogue
    }
    let channels = output.channels
    let (scale, bias) = (folded, folded + channels)
    if let norm {
      norm.fold(c.memory, scale: scale, bias: bias)
      for value in values {
        for channel in 0..<channels { bias[channel] += scale[channel] * value[channel] }
      }
      epilogue.scale = UnsafePointer(scale)
      epilogue.residual = norm.addsResidual ? c.inputs.last : nil
    } else {
      for channel in 0..<channels { bias[channel] = values.reduce(0) { $0 + $1[channel] } }
    }
    epilogue.bias = UnsafePointer(bias)
    return epilogue
  }

  func backward(_ c: BackwardContext) {
    precondition(norm == nil, "a norm that is folded into a convolution has no backward pass")
    let threads = Int32(c.threads)
    if let activation { backward(c, through: activation) }
    for (index, source) in sources.enumerated() {
      var descriptor = source.geometry.descriptor(batch: c.batch)
      // With the first source's weights: the bias is of all of them.
      let trainedBiases = index == 0 && activation == nil ? biases.filter(c.needsGradient) : []
      if c.needsGradient(source.weight) || !trainedBiases.isEmpty {
        c.profiled(kind, .backwardWeights, source.geometry) {
          if c.needsGradient(source.weight) {
            check(
              c.besideUpdates {
                oct_conv2d_backward_weights(
                  &descriptor, c.input(index), c.outputGradient,
                  c.memory.gradient(source.weight) + source.offset, false, $0,
                  c.scratch.baseAddress, threads)
              })
          }
          for bias in trainedBiases {
            check(
              oct_bias_backward(
                c.batch * output.pixels, output.channels, c.outputGradient, c.memory.gradient(bias),
                c.scratch.baseAddress, threads))
          }
        }
      }
      if let sink = c.inputGradient(index) {
        c.profiled(kind, .backwardData, source.geometry) {
          check(
            oct_conv2d_backward_data(
              &descriptor, c.outputGradient, c.memory.value(source.weight) + source.offset, sink.pointer,
              sink.accumulate,
              c.scratch.baseAddress, threads))
        }
      }
    }
    if let low, let sink = c.inputGradient(sources.count) {
      // Without the convolutions this is an upsampling, whose profile it joins.
      let upsampling = Upsampling(input: low, output: output)
      let maps = output.count + low.count * (sink.accumulate ? 2 : 1)
      let bytes = Double(c.batch * maps * MemoryLayout<Float>.stride)
      c.profiled(upsampling.kind, shapes: "\(low)→\(output)", bytes: bytes) {
        upsampling.backward(c.outputGradient, batch: c.batch, threads: c.threads, into: sink)
      }
    }
  }

  /// Makes the gradient of f's argument out of the output's, in its place: nobody reads the gradient of a map after the
  /// operation that made the map. The biases' gradients are its sums, taken in the same pass.
  private func backward(_ c: BackwardContext, through activation: Activation) {
    let gradient = UnsafeMutablePointer(mutating: c.outputGradient)
    let threads = Int32(c.threads)
    let bytes = Double(3 * c.batch * output.count * MemoryLayout<Float>.stride)
    var descriptor = activation.descriptor
    c.profiled(activation.kind, shapes: "\(output)", bytes: bytes) {
      let trained = biases.filter(c.needsGradient)
      guard let first = trained.first else {
        check(
          oct_activation_backward(
            &descriptor, c.batch * output.count, c.output, gradient, gradient, false, threads))
        return
      }
      check(
        oct_bias_activation_backward(
          &descriptor, c.batch * output.pixels, output.channels, c.output, gradient, c.memory.gradient(first),
          c.scratch.baseAddress, threads))
      for bias in trained.dropFirst() {
        c.memory.gradient(bias).update(from: c.memory.gradient(first), count: output.channels)
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

extension Convolution: JoinableConvolution {
  var joinsSums: Bool { !isFinished && low == nil }

  func adding(_ other: any JoinableConvolution) -> (any JoinableConvolution)? {
    guard let other = other as? Convolution, joinsSums, other.joinsSums else { return nil }
    let sum = Convolution(sources: sources + other.sources, biases: biases + other.biases, low: nil)
    return sum.isSupported ? sum : nil
  }

  func adding(upsampled low: MapShape) -> (any JoinableConvolution)? {
    guard joinsSums else { return nil }
    let sum = Convolution(sources: sources, biases: biases, low: low)
    return sum.isSupported ? sum : nil
  }

  func normalized(by norm: any JoinableNorm) -> (any JoinableConvolution)? {
    guard !isFinished, var norm = norm as? BatchNormalization else { return nil }
    var result = self
    result.activation = norm.activation
    norm.activation = nil
    result.norm = norm
    return result
  }

  func activated(by activation: Activation) -> (any JoinableConvolution)? {
    guard self.activation == nil, activation.isSupported else { return nil }
    var result = self
    result.activation = activation
    return result
  }
}

extension BackwardContext {
  /// Runs one part of a convolution's backward pass, and reports it where somebody asks.
  func profiled(_ kind: String, _ part: Profiler.Part, _ geometry: ConvGeometry, _ body: () -> Void) {
    guard let profiler else { return body() }
    profiler.measure(
      kind, part,
      shapes: "\(geometry.input)→\(geometry.output) \(geometry.kernelHeight)×\(geometry.kernelWidth)",
      operations: 2 * Double(batch * geometry.computedMacs),
      bytes: geometry.bytes(batch: batch), body)
  }

  /// A backward pass that multiplies nothing.
  func profiled(_ kind: String, shapes: String, bytes: Double, _ body: () -> Void) {
    guard let profiler else { return body() }
    profiler.measure(kind, .backward, shapes: shapes, bytes: bytes, body)
  }
}
