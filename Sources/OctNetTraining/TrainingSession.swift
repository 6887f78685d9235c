import CKernels
import OctNetCore
import OctNetData
import OctNetSupport

/// What one training step saw.
public struct StepResult: Equatable, Sendable {
  /// Mean loss over the images.
  public let loss: Float
  /// Predictions that are right, of `predictions`: with cross-entropy, images (or pixels) whose largest logit is the label's.
  public let correct: Int
  /// Images; of maps, pixels; 0 where the loss knows no right and wrong.
  public let predictions: Int
}

/// Forward and backward passes of a network with a loss, for batches up to a fixed size.
///
/// ```swift
/// let session = try TrainingSession(network: network, batchSize: 32, threads: 2)
/// let optimizer = Optimizer(parameters: network.parameters, configuration: .adam, threads: 2)
/// for (images, labels) in batches {
///   let result = try session.step(images: images, labels: labels)
///   optimizer.update(learningRate: 1e-3)
/// }
/// ```
///
/// Call it from one thread only: the worker threads belong to the thread that started them.
public final class TrainingSession {
  private let network: Network
  /// Of an image.
  private let inputShape: MapShape
  private let executor: Executor
  private var governor: ThreadGovernor
  private let batchSize: Int
  private let loss: any Loss
  private let reduction: LossReduction
  private let targets: TargetCounts
  private let outputs: [Network.Output]
  /// Of the network: those that count this session's steps.
  private let counters: [Int]
  /// Whether parameters are frozen as they were when the passes were planned.
  private let isFrozen: [Bool]
  /// Images of the forward pass that `backward` belongs to.
  private var pending: (images: [Float], dropoutSeed: UInt64)?

  /// - Parameters:
  ///   - batchSize: images that a call takes at most.
  ///   - network: trained in place: the session writes its gradients.
  ///   - threads: OpenMP threads that it uses.
  ///   - loss: of the outputs.
  ///   - reduction: whether gradients are those of the images' mean loss or of the sum.
  ///   - inputGradient: whether backward computes ∂loss/∂images too, see `inputGradient`.
  ///   - fused: false runs every layer as it was recorded.
  ///   - recomputes: whether activations are made again for backward instead of kept, a quarter of the memory for some
  ///     2 % of a step's time. No bit depends on it. nil: where all maps would take more than 1 GiB.
  /// - Throws: `OctNetError.graph` where the loss does not fit the outputs; `OctNetError.configuration` for sizes that
  ///   are out of bounds or need more memory than there is.
  public convenience init(
    network: Network, batchSize: Int, threads: Int, loss: any Loss = CrossEntropy(),
    reduction: LossReduction = .mean, inputGradient: Bool = false,
    fused: Bool = true, recomputes: Bool? = nil
  ) throws {
    try self.init(
      network: network, batchSize: batchSize, threads: threads, loss: loss, reduction: reduction,
      inputGradient: inputGradient,
      fused: fused, recomputes: recomputes
    ) { _ in 0 }
  }

  /// - Parameters:
  ///   - graph: the network's for images of another size: with the same parameters; nil for its own.
  ///   - resting: parameters that no update changes any more: their gradients are 0, and what only they need is not computed.
  ///   - bytesBeside: what the caller is going to allocate beside the session, by the size of a batch.
  package init(
    network: Network, graph other: Graph? = nil, batchSize: Int, threads: Int,
    loss: any Loss = CrossEntropy(),
    reduction: LossReduction = .mean, inputGradient: Bool = false,
    fused: Bool = true, recomputes: Bool? = nil, resting: Set<Int> = [], bytesBeside: (Int) -> Int
  ) throws {
    let own = other ?? network.graph
    inputShape = own.shape(of: own.input)
    try SettingBounds.check(batchSize: batchSize, threads: threads, of: inputShape)
    self.network = network
    governor = ThreadGovernor(threads: threads)
    self.batchSize = batchSize
    self.loss = loss
    self.reduction = reduction
    outputs = own.networkOutputs
    targets = try loss.targets(for: outputs)
    counters = network.countingCounters
    let trained = network.demand(input: inputGradient)
    isFrozen = trained.isFrozen
    // A norm that rests goes on with the statistics of its batches.
    let recorded = own.freezingNorms(trained)
    let demand = trained.without(resting)
    let graph = fused ? recorded.fused(for: .trainingForward, demand: demand) : recorded
    func makePlan(_ batch: Int) -> ExecutionPlan {
      Executor.plan(
        graph: graph, batch: batch, training: true, threads: threads, demand: demand, recomputes: recomputes)
    }
    // Gradients take memory from the first step on.
    let constant =
      Executor.transientBytes(graph) + network.parameters.count * MemoryLayout<Float>.stride
    let plan = makePlan(batchSize)
    try MemoryDemand.check(batchSize: batchSize, threads: threads, stack: KernelThreads.stackBytes) { batch in
      let arena = batch == batchSize ? plan.arenaBytes : makePlan(batch).arenaBytes
      return constant + arena + batch * MemoryLayout<Float>.stride + bytesBeside(batch)
    }
    executor = try Executor(
      graph: graph, memory: network.parameters.memory(isFrozen: demand.isFrozen), plan: plan, threads: threads
    )
    network.parameters.clearGradients(isFrozen: demand.isFrozen)
  }

  /// Receives the time of every operation from now on; nil measures nothing.
  public var profiler: Profiler? {
    get { executor.profiler }
    set { executor.profiler = newValue }
  }

  /// Bytes of the arena that holds all maps, gradients and scratch memory.
  public var arenaBytes: Int { executor.arenaBytes }

  // MARK: Steps

  /// One forward and backward pass. Afterwards `network.parameters.gradients` holds the gradient of the mean loss and
  /// the running statistics have moved.
  ///
  /// - Parameters:
  ///   - images: [count, height, width, channels], up to the session's batch size of them.
  ///   - labels: class indices, as many as the loss asks for.
  ///   - values: floats, as many as the loss asks for.
  ///   - dropoutSeed: another one each step.
  /// - Throws: `OctNetError.configuration` for arrays of other lengths and labels that are no classes; then nothing has
  ///   happened.
  @discardableResult
  public func step(
    images: [Float], labels: [Int32] = [], values: [Float] = [], dropoutSeed: UInt64 = 0
  ) throws(OctNetError) -> StepResult {
    try withChecked(images, labels, values) { images, targets, count in
      step(images: images, targets: targets, count: count, dropoutSeed: dropoutSeed)
    }
  }

  /// The forward pass alone, in training mode: the running statistics move. `backward` may follow.
  ///
  /// - Returns: [count, …] of each output, in the order of `network.outputs`.
  /// - Throws: `OctNetError.configuration` for an array of another length.
  public func forward(images: [Float], dropoutSeed: UInt64 = 0) throws(OctNetError) -> [[Float]] {
    let count = try checkedCount(of: images)
    images.withUnsafeBufferPointer { images in
      guard let base = images.baseAddress else { return }
      forward(images: base, count: count, dropoutSeed: dropoutSeed)
    }
    pending = (images, dropoutSeed)
    return outputs.indices.map { Array(output($0, count: count)) }
  }

  /// The backward pass of the last `forward`, with gradients of the caller's own.
  ///
  /// - Parameter outputGradients: ∂loss/∂output by its name, [count, …] as `forward` gave the output; zeros for outputs that
  ///   are not named.
  /// - Throws: `OctNetError.configuration` without a forward pass before it, for unknown outputs and other lengths; then
  ///   nothing has happened.
  public func backward(outputGradients: [String: [Float]]) throws(OctNetError) {
    guard let (images, seed) = pending else {
      throw .configuration(key: "backward", "there is no forward pass before it")
    }
    let count = images.count / inputShape.count
    for (name, gradient) in outputGradients {
      guard let output = outputs.first(where: { $0.name == name }) else {
        let names = outputs.map(\.name).joined(separator: ", ")
        throw .configuration(key: "outputGradients", "found \"\(name)\", expected one of \(names)")
      }
      guard gradient.count == count * output.shape.count else {
        throw .configuration(
          key: "outputGradients",
          "found \(numbered(gradient.count, "number")) for \(name), expected \(count) × \(output.shape)")
      }
    }
    for (index, output) in outputs.enumerated() {
      guard let place = executor.outputGradient(index) else { continue }
      if let gradient = outputGradients[output.name] {
        place.update(from: gradient, count: gradient.count)
      } else {
        place.update(repeating: 0, count: count * output.shape.count)
      }
    }
    pending = nil
    images.withUnsafeBufferPointer { images in
      guard let base = images.baseAddress else { return }
      checkFrozen()
      executor.backward(images: base, count: count, seed: seed)
    }
  }

  /// ∂loss/∂images of the last backward pass, [count, height, width, channels].
  /// - Precondition: the session was made with `inputGradient`, and the last batch had `count` images.
  public func inputGradient(count: Int) -> [Float] {
    precondition(count > 0 && count <= batchSize)
    guard let gradient = executor.inputGradient else {
      preconditionFailure("the session was made without inputGradient")
    }
    return Array(UnsafeBufferPointer(start: gradient, count: count * inputShape.count))
  }

  // MARK: Without checks of lengths, for loaders

  /// Of those that were asked for, the threads that the next step uses (`ThreadGovernor`), and its update should.
  package var activeThreads: Int { governor.threads }

  package func step(
    images: UnsafePointer<Float>, labels: UnsafePointer<Int32>, mixed: MixedLabels? = nil, count: Int,
    dropoutSeed: UInt64 = 0
  ) -> StepResult {
    step(
      images: images, targets: targetPointers(labels, mixed, count: count), count: count,
      dropoutSeed: dropoutSeed)
  }

  package func step(
    images: UnsafePointer<Float>, targets: TargetPointers, count: Int, dropoutSeed: UInt64
  ) -> StepResult {
    governor.measure(images: count) { threads in
      executor.threads = threads
      let result = forward(images, targets, count, dropoutSeed)
      executor.backward(images: images, count: count, seed: dropoutSeed)
      return result
    }
  }

  /// A step on a shard of a batch.
  ///
  /// - Parameters:
  ///   - imagesOfMean: of the batch: gradients are the shard's share of those of its mean.
  ///   - backward: gets the result of the forward pass, and says whether a backward pass follows it.
  ///   - visit: is called in it as `Executor.backward` says.
  func step(
    images: UnsafePointer<Float>, targets: TargetPointers, count: Int, dropoutSeed: UInt64, imagesOfMean: Int,
    backward: (StepResult) -> Bool, visit: (([ParameterID]) -> Void)? = nil
  ) -> StepResult {
    executor.threads = governor.threads
    let (result, forwardTime) = ThreadGovernor.timed(images: count) {
      forward(images, targets, count, dropoutSeed, imagesOfMean: imagesOfMean)
    }
    guard backward(result) else { return result }
    let ((), backwardTime) = ThreadGovernor.timed(images: 0) {
      executor.backward(images: images, count: count, seed: dropoutSeed, visit: visit)
    }
    // What lay between the two is no work of these threads.
    governor.add(forwardTime + backwardTime)
    return result
  }

  /// A step that hands each parameter with its gradient to a queue of updates, made once the loss is known. Where the loss is
  /// not a number, there is no queue and there are no gradients.
  func step(
    images: UnsafePointer<Float>, targets: TargetPointers, count: Int, dropoutSeed: UInt64,
    updates: (_ threads: Int) -> UpdateQueue
  ) -> StepResult {
    governor.measure(images: count) { threads in
      executor.threads = threads
      let result = forward(images, targets, count, dropoutSeed)
      guard result.loss.isFinite else { return result }
      executor.backward(images: images, count: count, seed: dropoutSeed, updates: updates(threads))
      return result
    }
  }

  func targetPointers(
    _ labels: UnsafePointer<Int32>, _ mixed: MixedLabels?, count: Int
  ) -> TargetPointers {
    TargetPointers(
      labels: UnsafeBufferPointer(start: labels, count: count * targets.labels), mixed: mixed)
  }

  private func forward(images: UnsafePointer<Float>, count: Int, dropoutSeed: UInt64) {
    checkFrozen()
    _ = executor.forward(images: images, count: count, seed: dropoutSeed)
    for index in counters { network.counters[index] &+= 1 }
  }

  private func output(_ index: Int, count: Int) -> UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: executor.output(index), count: count * outputs[index].shape.count)
  }

  /// The forward pass, the loss and its gradient.
  private func forward(
    _ images: UnsafePointer<Float>, _ targets: TargetPointers, _ count: Int, _ seed: UInt64,
    imagesOfMean: Int? = nil
  ) -> StepResult {
    pending = nil
    forward(images: images, count: count, dropoutSeed: seed)
    let gradients = outputs.indices.map { index in
      executor.outputGradient(index).map {
        UnsafeMutableBufferPointer(start: $0, count: count * outputs[index].shape.count)
      }
    }
    for gradient in gradients { gradient?.update(repeating: 0) }
    let context = LossContext(
      count: count, threads: executor.threads, scale: reduction.scale(count: imagesOfMean ?? count),
      labels: targets.labels,
      values: targets.values,
      mixed: targets.mixed,
      outputs: outputs.indices.map { output($0, count: count) }, gradients: gradients, descriptions: outputs)
    let value: LossValue
    if let profiler {
      // Outputs in, their gradients out.
      let numbers = outputs.reduce(0) { $0 + 2 * count * $1.shape.count }
      value = profiler.measure("loss", .forward, bytes: Double(numbers * MemoryLayout<Float>.stride)) {
        loss.evaluate(context)
      }
    } else {
      value = loss.evaluate(context)
    }
    return StepResult(
      loss: Float(value.sum / Double(count)), correct: value.correct, predictions: value.predictions)
  }

  // MARK: Checks

  func withChecked(
    _ images: [Float], _ labels: [Int32], _ values: [Float],
    _ body: (UnsafePointer<Float>, TargetPointers, Int) -> StepResult
  ) throws(OctNetError) -> StepResult {
    let count = try checkedCount(of: images)
    try checkTargets(labels, values, count: count)
    return images.withUnsafeBufferPointer { images in
      labels.withUnsafeBufferPointer { labels in
        values.withUnsafeBufferPointer { values in
          // Its length was checked: there are images.
          guard let base = images.baseAddress else { preconditionFailure("a batch has images") }
          return body(base, TargetPointers(labels: labels, values: values), count)
        }
      }
    }
  }

  private func checkedCount(of images: [Float]) throws(OctNetError) -> Int {
    try inputShape.checkedCount(ofNumbers: images.count, batchSize: batchSize)
  }

  private func checkTargets(_ labels: [Int32], _ values: [Float], count: Int) throws(OctNetError) {
    for (key, found, each) in [
      ("labels", labels.count, targets.labels), ("values", values.count, targets.values),
    ] {
      guard found == count * each else {
        throw .configuration(
          key: key,
          "found \(found) for \(numbered(count, "image")), expected \(each == 0 ? "none" : "\(count * each)")"
        )
      }
    }
    if let wrong = labels.firstIndex(where: { $0 < 0 || Int($0) >= targets.classes }) {
      throw .configuration(
        key: "labels",
        "found \(labels[wrong]) at \(wrong), expected 0 ..< \(targets.classes)")
    }
  }

  /// Gradients were planned for the parameters that were not frozen then.
  private func checkFrozen() {
    precondition(
      zip(network.parameters.entries, isFrozen).allSatisfy { $0.isFrozen == $1 },
      "parameters were frozen or unfrozen after the session was made")
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
    return Array(UnsafeBufferPointer(start: logits, count: count * outputs[0].shape.count))
  }
}
