import CKernels
import OctNetCore
import OctNetData
import OctNetSupport

/// What one training step saw.
public struct StepResult: Sendable {
  /// Mean loss over the images.
  public let loss: Float
  /// Images whose largest logit is the label's.
  public let correct: Int
}

/// Forward and backward passes of a network with softmax cross-entropy, for batches up to a fixed size.
///
/// Call it from one thread only: the worker threads belong to the thread that started them.
public final class TrainingSession {
  private let network: Network
  private let executor: Executor
  private let threads: Int
  private let labelSmoothing: Float
  private let classes: Int
  private var losses: [Float]

  /// - Parameters:
  ///   - labelSmoothing: share of the target that is spread over all classes, 0 ... 1.
  ///   - fused: false runs every layer as it was recorded.
  ///   - recomputes: whether activations are made again for backward instead of kept, a quarter of the memory for some
  ///     2 % of a step's time. No bit depends on it. nil: where all maps would take more than 1 GiB.
  /// - Throws: `OctNetError.graph` where the output is not a vector of logits; `OctNetError.configuration` for sizes that
  ///   are out of bounds or need more memory than there is.
  public convenience init(
    network: Network, batchSize: Int, threads: Int, labelSmoothing: Float = 0, fused: Bool = true,
    recomputes: Bool? = nil
  ) throws {
    try self.init(
      network: network, batchSize: batchSize, threads: threads, labelSmoothing: labelSmoothing, fused: fused,
      recomputes: recomputes
    ) { _ in 0 }
  }

  /// - Parameter bytesBeside: what the caller is going to allocate beside the session, by the size of a batch.
  package init(
    network: Network, batchSize: Int, threads: Int, labelSmoothing: Float = 0, fused: Bool = true,
    recomputes: Bool? = nil, bytesBeside: (Int) -> Int
  ) throws {
    classes = try network.requireLogits()
    try SettingBounds.check(batchSize: batchSize, threads: threads, of: network.inputShape)
    self.network = network
    self.threads = threads
    self.labelSmoothing = labelSmoothing
    let graph = fused ? network.graph.fused(for: .trainingForward) : network.graph
    func makePlan(_ batch: Int) -> ExecutionPlan {
      Executor.plan(graph: graph, batch: batch, training: true, threads: threads, recomputes: recomputes)
    }
    // Gradients take memory from the first step on.
    let constant =
      Executor.transientBytes(graph) + network.parameters.count * MemoryLayout<Float>.stride
    let plan = makePlan(batchSize)
    try MemoryDemand.check(batchSize: batchSize, threads: threads, stack: KernelThreads.stackBytes) { batch in
      let arena = batch == batchSize ? plan.arenaBytes : makePlan(batch).arenaBytes
      return constant + arena + batch * MemoryLayout<Float>.stride + bytesBeside(batch)
    }
    losses = Array(repeating: 0, count: batchSize)
    executor = try Executor(
      graph: graph, memory: network.parameters.memory, plan: plan, threads: threads)
  }

  /// Receives the time of every operation from now on; nil measures nothing.
  public var profiler: Profiler? {
    get { executor.profiler }
    set { executor.profiler = newValue }
  }

  /// Bytes of the arena that holds all maps, gradients and scratch memory.
  public var arenaBytes: Int { executor.arenaBytes }

  /// One forward and backward pass. Afterwards `network.parameters.gradients` holds the gradient of the mean loss and
  /// the running statistics have moved.
  ///
  /// - Parameters:
  ///   - images: [count, height, width, channels].
  ///   - labels: class indices in 0 ..< classes.
  ///   - mixed: second labels, where images were mixed.
  ///   - dropoutSeed: another one each step.
  public func step(
    images: UnsafePointer<Float>, labels: UnsafePointer<Int32>, mixed: MixedLabels? = nil, count: Int,
    dropoutSeed: UInt64 = 0
  ) -> StepResult {
    let result = forward(images, labels, mixed, count, dropoutSeed)
    executor.backward(images: images, count: count, seed: dropoutSeed)
    return result
  }

  /// A step that hands each parameter with its gradient to a queue of updates, made once the loss is known. Where the loss is
  /// not a number, there is no queue and there are no gradients.
  func step(
    images: UnsafePointer<Float>, labels: UnsafePointer<Int32>, mixed: MixedLabels? = nil, count: Int,
    dropoutSeed: UInt64, updates: () -> UpdateQueue
  ) -> StepResult {
    let result = forward(images, labels, mixed, count, dropoutSeed)
    guard result.loss.isFinite else { return result }
    executor.backward(images: images, count: count, seed: dropoutSeed, updates: updates())
    return result
  }

  /// The forward pass, the loss and its gradient.
  private func forward(
    _ images: UnsafePointer<Float>, _ labels: UnsafePointer<Int32>, _ mixed: MixedLabels?, _ count: Int,
    _ seed: UInt64
  ) -> StepResult {
    let logits = executor.forward(images: images, count: count, seed: seed)
    computeLoss(logits, labels, mixed, count: count)
    // Of a mixed image, the label with the larger share.
    var dominant = labels
    if let mixed, mixed.share < 0.5 { dominant = mixed.labels }
    var correct = 0
    for image in 0..<count where logits.argmax(row: image, of: classes) == Int(dominant[image]) {
      correct += 1
    }
    // Double, in order: the same bits for any number of threads.
    let total = losses[..<count].reduce(0.0) { $0 + Double($1) }
    for index in network.counters.indices { network.counters[index] &+= 1 }
    return StepResult(loss: Float(total / Double(count)), correct: correct)
  }

  /// Fills `losses` and the gradient of the logits.
  private func computeLoss(
    _ logits: UnsafePointer<Float>, _ labels: UnsafePointer<Int32>, _ mixed: MixedLabels?, count: Int
  ) {
    func compute() {
      check(
        oct_softmax_cross_entropy(
          count, classes, logits, labels, mixed?.labels, mixed?.share ?? 1, labelSmoothing, 1 / Float(count),
          &losses, executor.outputGradient, Int32(threads)))
    }
    guard let profiler else { return compute() }
    // Logits in, their gradient out.
    profiler.measure(
      "loss", .forward, bytes: Double(2 * count * classes * MemoryLayout<Float>.stride), compute)
  }

  /// Where the first number comes from that is not finite, in words: a parameter, or the output of a layer in a
  /// repetition of the step's forward pass; nil where all are finite. The running statistics move once more.
  func firstNonFinite(images: UnsafePointer<Float>, count: Int, dropoutSeed: UInt64) -> String? {
    for entry in network.parameters.entries {
      for index in entry.range where !network.parameters.values[index].isFinite {
        return "parameter \(entry.name) is \(network.parameters.values[index])"
      }
    }
    var origin: String?
    _ = executor.forward(images: images, count: count, seed: dropoutSeed) { node, output in
      for index in 0..<count * self.executor.size(of: node) where !output[index].isFinite {
        origin = "output of \(node.path) (\(node.operation.kind)) is \(output[index])"
        return false
      }
      return true
    }
    return origin
  }

  /// count × classes logits of the last step (training mode); tests compare them.
  func lastLogits(images: UnsafePointer<Float>, count: Int) -> [Float] {
    let logits = executor.forward(images: images, count: count)
    return Array(UnsafeBufferPointer(start: logits, count: count * classes))
  }
}
