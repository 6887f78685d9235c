import CKernels
import OctNetSupport

/// γ · (x − mean) / √(var + ε) + β, statistics of each image over the pixels and channels of a group.
struct GroupNormalization: Operation {
  let shape: MapShape
  let groups: Int
  let scale, shift: ParameterID
  let epsilon: Float

  var kind: String { "group_norm" }
  func outputShape(_ inputs: [MapShape]) -> MapShape { shape }
  var parameters: [ParameterID] { [scale, shift] }
  var backwardReads: BackwardReads { .init(inputs: 1) }

  private func descriptor(batch: Int) -> oct_group_norm_desc {
    oct_group_norm_desc(n: batch, pixels: shape.pixels, c: shape.channels, groups: groups, epsilon: epsilon)
  }

  /// Mean and inverse deviation of each image and group.
  func savedBytes(batch: Int) -> Int { 2 * batch * groups * MemoryLayout<Float>.stride }

  func scratchBytes(_ pass: Pass, batch: Int, threads: Int) -> Int {
    var descriptor = descriptor(batch: batch)
    return oct_group_norm_scratch_bytes(&descriptor)
  }

  func forward(_ c: ForwardContext) {
    var descriptor = descriptor(batch: c.batch)
    let saved = c.saved.baseAddress?.assumingMemoryBound(to: Float.self)
    check(
      oct_group_norm_forward(
        &descriptor, c.input(0), c.value(scale), c.value(shift), c.output, saved,
        saved.map { $0 + c.batch * groups }, c.scratch.baseAddress, Int32(c.threads)))
  }

  func backward(_ c: BackwardContext) {
    guard let saved = c.saved.baseAddress?.assumingMemoryBound(to: Float.self) else {
      preconditionFailure("group norm needs its saved statistics")
    }
    var descriptor = descriptor(batch: c.batch)
    let sink = c.inputGradient(0)
    check(
      oct_group_norm_backward(
        &descriptor, c.input(0), c.outputGradient, c.value(scale), saved, saved + c.batch * groups,
        sink?.pointer, sink?.accumulate ?? false, c.gradient(scale), c.gradient(shift), c.scratch.baseAddress,
        Int32(c.threads)))
  }
}
