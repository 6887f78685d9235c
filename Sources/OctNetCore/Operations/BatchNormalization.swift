import CKernels
import OctNetSupport

/// output = f(γ · (x − mean) / √(var + ε) + β + residual?), statistics over batch and pixels; f is the activation, if there is one.
///
/// Inputs: the map and, where `addsResidual`, the map to add. Models record norm, addition and activation separately;
/// the fusion pass joins them into one pass over memory.
struct BatchNormalization: Operation {
  let shape: MapShape
  let scale, shift: ParameterID
  let runningMean, runningVariance: BufferID
  var epsilon: Float
  var momentum: Float
  var activation: Activation?
  var addsResidual = false
  /// Normalises with the running statistics in training too, which then stand still: a norm that is not trained.
  var isFrozen = false

  var kind: String { "batch_norm" + (addsResidual ? "+add" : "") + activation.suffix }
  func outputShape(_ inputs: [MapShape]) -> MapShape { shape }
  var role: OperationRole { .norm(self) }
  var parameters: [ParameterID] { [scale, shift] }
  /// The activation's derivative follows from the output, which without a residual follows from the map; that of SiLU and GELU
  /// from their argument, which is made again from the map and the residual.
  var backwardReads: BackwardReads {
    guard let activation else { return .init(inputs: isFrozen ? 0 : 1) }
    if isFrozen { return .init(output: true) }
    guard addsResidual else { return .init(inputs: 1) }
    return activation.keepsOutput ? .init(inputs: 1, output: true) : .init(inputs: 2)
  }
  var leastTrainingBatch: Int { shape.pixels == 1 && !isFrozen ? 2 : 1 }
  var isRecomputable: Bool { !isFrozen }

  /// The residual's gradient is the output's, masked: mostly it stays as it is.
  var inPlaceGradients: [Int] { addsResidual ? [1, 0] : [0] }

  private func descriptor(batch: Int) -> oct_batch_norm_desc {
    oct_batch_norm_desc(
      rows: batch * shape.pixels, c: shape.channels, epsilon: epsilon, momentum: momentum,
      activation: activation.descriptor)
  }

  /// Mean, inverse deviation and shift, a float a channel each.
  func savedBytes(batch: Int) -> Int { isFrozen ? 0 : 3 * shape.channels * MemoryLayout<Float>.stride }

  func scratchBytes(_ pass: Pass, batch: Int, threads: Int) -> Int {
    var descriptor = descriptor(batch: batch)
    return pass == .inference || isFrozen ? 0 : oct_batch_norm_scratch_bytes(&descriptor)
  }

  func forward(_ c: ForwardContext) {
    var descriptor = descriptor(batch: c.batch)
    let residual = addsResidual ? c.input(1) : nil
    let gamma = c.memory.value(scale)
    let beta = c.memory.value(shift)
    let mean = c.memory.buffer(runningMean)
    let variance = c.memory.buffer(runningVariance)
    if c.isTraining, !isFrozen, let saved = c.saved.baseAddress?.assumingMemoryBound(to: Float.self) {
      check(
        oct_batch_norm_forward_training(
          &descriptor, c.input(0), gamma, beta, residual, mean, variance, c.output, saved,
          saved + shape.channels, saved + 2 * shape.channels, c.scratch.baseAddress, Int32(c.threads)))
    } else {
      check(
        oct_batch_norm_forward_inference(
          &descriptor, c.input(0), gamma, beta, mean, variance, residual, c.output, Int32(c.threads)))
    }
  }

  func recompute(_ c: ForwardContext) {
    guard let saved = c.saved.baseAddress?.assumingMemoryBound(to: Float.self) else {
      preconditionFailure("batch norm needs its saved statistics")
    }
    var descriptor = descriptor(batch: c.batch)
    check(
      oct_batch_norm_recompute(
        &descriptor, c.input(0), c.memory.value(scale), addsResidual ? c.input(1) : nil, saved,
        saved + shape.channels, saved + 2 * shape.channels, c.output, Int32(c.threads)))
  }

  /// Scale and bias a channel that do what the norm does with its running statistics.
  func fold(
    _ memory: ParameterMemory, scale: UnsafeMutablePointer<Float>, bias: UnsafeMutablePointer<Float>
  ) {
    var descriptor = descriptor(batch: 1)
    oct_batch_norm_fold(
      &descriptor, memory.value(self.scale), memory.value(shift), memory.buffer(runningMean),
      memory.buffer(runningVariance), scale, bias)
  }

  func backward(_ c: BackwardContext) {
    guard !isFrozen else { return backwardFrozen(c) }
    guard let saved = c.saved.baseAddress?.assumingMemoryBound(to: Float.self) else {
      preconditionFailure("batch norm needs its saved statistics")
    }
    // None where the norm reads the network's input.
    let sink = c.inputGradient(0)
    var descriptor = descriptor(batch: c.batch)
    let residual = addsResidual ? c.inputGradient(1) : nil
    check(
      oct_batch_norm_backward(
        &descriptor, c.input(0), addsResidual ? c.output : nil, addsResidual ? c.input(1) : nil,
        c.outputGradient, c.memory.value(scale), saved,
        saved + shape.channels, saved + 2 * shape.channels, sink?.pointer, sink?.accumulate ?? false,
        residual?.pointer, residual?.accumulate ?? false, c.memory.gradient(scale), c.memory.gradient(shift),
        c.scratch.baseAddress,
        Int32(c.threads)))
  }

  private func backwardFrozen(_ c: BackwardContext) {
    let sink = c.inputGradient(0)
    let residual = addsResidual ? c.inputGradient(1) : nil
    var descriptor = descriptor(batch: c.batch)
    check(
      oct_batch_norm_backward_inference(
        &descriptor, activation == nil ? nil : c.output, c.outputGradient, c.memory.value(scale),
        c.memory.buffer(runningVariance), sink?.pointer, sink?.accumulate ?? false, residual?.pointer,
        residual?.accumulate ?? false, Int32(c.threads)))
  }
}

extension BatchNormalization: JoinableNorm {
  func frozen() -> any JoinableNorm {
    var result = self
    result.isFrozen = true
    return result
  }

  func activated(by activation: Activation) -> (any JoinableNorm)? {
    guard self.activation == nil, activation.isSupported else { return nil }
    // The pass of a norm that stands still reads one map, and makes none again.
    guard !isFrozen || activation.keepsOutput else { return nil }
    var result = self
    result.activation = activation
    return result
  }

  func addingResidual() -> (any JoinableNorm)? {
    guard activation == nil, !addsResidual else { return nil }
    var result = self
    result.addsResidual = true
    return result
  }
}
