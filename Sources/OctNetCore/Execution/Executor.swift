import OctNetSupport

/// Runs a graph over its arena: forward, and backward where the plan is for training.
///
/// Pointers are bound once; a step only supplies the images.
package final class Executor {
  private let graph: Graph
  private let plan: ExecutionPlan
  /// For the next pass, up to as many as there is scratch memory for. Results do not depend on it.
  package var threads: Int {
    didSet { precondition((1...mostThreads).contains(threads)) }
  }
  private let mostThreads: Int
  private let arena: AlignedBuffer
  private let memory: ParameterMemory
  /// The same with gradients that live until their updates have run.
  private let transientMemory: ParameterMemory
  private let transientGradients: AlignedBuffer
  /// Of parameters whose gradients nobody asks for.
  private let unreadGradients: AlignedBuffer
  /// Input and output maps of each node; nil stands for the network's input.
  private let inputs: [[UnsafePointer<Float>?]]
  private let outputs: [UnsafeMutablePointer<Float>]
  /// The same as backward finds them: maps that are made again have a second place.
  private let backwardInputs: [[UnsafePointer<Float>?]]
  private let backwardOutputs: [UnsafeMutablePointer<Float>]
  private let outputGradients: [UnsafePointer<Float>?]
  /// Of the network.
  private let outputPlaces: [UnsafePointer<Float>]
  private let sinks: [[GradientSink?]]
  private let saved: [UnsafeMutableRawBufferPointer]
  private let forwardScratch, backwardScratch: [UnsafeMutableRawBufferPointer]
  /// Receives the time of every operation.
  package var profiler: Profiler?

  /// - Throws: `OctNetError.configuration` where the system refuses the memory.
  package init(
    graph: Graph, memory: ParameterMemory, plan: ExecutionPlan, threads: Int
  ) throws(OctNetError) {
    let arena = try AlignedBuffer(byteCount: plan.arenaBytes, for: "batchSize")
    func floats(_ offset: Int) -> UnsafeMutablePointer<Float> {
      (arena.base + offset).assumingMemoryBound(to: Float.self)
    }
    self.graph = graph
    self.plan = plan
    self.threads = threads
    mostThreads = threads
    self.arena = arena
    // Not touched by the operations that look before they compute, and so no memory but addresses.
    let unread = zip(graph.parameters, memory.isFrozen).filter(\.1).map(\.0.storedCount).max() ?? 0
    unreadGradients = AlignedBuffer(byteCount: (plan.training ? unread : 0) * MemoryLayout<Float>.stride)
    var memory = memory
    memory.unread = unreadGradients.floats
    self.memory = memory
    let (offsets, count) = Self.transientOffsets(graph)
    transientGradients = AlignedBuffer(byteCount: (plan.training ? count : 0) * MemoryLayout<Float>.stride)
    transientMemory = ParameterMemory(
      values: memory.values, gradients: transientGradients.floats, buffers: memory.buffers,
      parameterOffsets: memory.parameterOffsets, gradientOffsets: offsets,
      bufferOffsets: memory.bufferOffsets,
      isFrozen: memory.isFrozen, unread: memory.unread)
    func inputMaps(_ places: [Int?]) -> [[UnsafePointer<Float>?]] {
      graph.nodes.map { node in
        node.inputs.map { input in places[input.index].map { UnsafePointer(floats($0)) } }
      }
    }
    func outputMaps(_ places: [Int?]) -> [UnsafeMutablePointer<Float>] {
      graph.nodes.map { node in
        guard let offset = places[node.output.index] else {
          preconditionFailure("every node's output is planned")
        }
        return floats(offset)
      }
    }
    let backwardPlaces = zip(plan.recomputed, plan.values).map { $0 ?? $1 }
    inputs = inputMaps(plan.values)
    outputs = outputMaps(plan.values)
    outputPlaces = graph.outputs.map { output in
      guard let offset = plan.values[output.value.index] else {
        preconditionFailure("every output is a node's")
      }
      return UnsafePointer(floats(offset))
    }
    backwardInputs = inputMaps(backwardPlaces)
    backwardOutputs = outputMaps(backwardPlaces)
    outputGradients = graph.nodes.map { node in
      plan.gradients[node.output.index].map { UnsafePointer(floats($0)) }
    }
    sinks = graph.nodes.enumerated().map { index, node in
      node.inputs.enumerated().map { position, input in
        plan.gradients[input.index].map {
          GradientSink(pointer: floats($0), accumulate: plan.accumulates[index][position])
        }
      }
    }
    saved = zip(graph.nodes, plan.saved).map { node, offset in
      UnsafeMutableRawBufferPointer(
        start: offset.map { arena.base + $0 },
        count: offset == nil ? 0 : node.operation.savedBytes(batch: plan.batch))
    }
    func scratch(_ passes: [Pass]) -> [UnsafeMutableRawBufferPointer] {
      graph.nodes.map { node in
        let bytes = passes.map { node.operation.scratchBytes($0, batch: plan.batch, threads: threads) }
        return UnsafeMutableRawBufferPointer(start: arena.base + plan.scratch, count: bytes.max() ?? 0)
      }
    }
    forwardScratch = scratch([plan.training ? .trainingForward : .inference])
    backwardScratch = plan.training ? scratch([.backward]) : []
  }

  /// - Parameters:
  ///   - demand: of a training plan: whose gradients are wanted.
  ///   - recomputes: nil: where all maps would take more than `Recomputation.worthwhileBytes`.
  package static func plan(
    graph: Graph, batch: Int, training: Bool, threads: Int, demand: GradientDemand = GradientDemand(),
    recomputes: Bool? = nil
  ) -> ExecutionPlan {
    func make(_ recomputes: Bool) -> ExecutionPlan {
      ExecutionPlan(
        graph: graph, batch: batch, training: training, threads: threads, demand: demand,
        recomputes: recomputes)
    }
    let plan = make(recomputes ?? false)
    guard training, recomputes == nil, plan.mapBytes > Recomputation.worthwhileBytes else { return plan }
    return make(true)
  }

  /// Bytes beside the arena: gradients that live until their updates have run.
  package static func transientBytes(_ graph: Graph) -> Int {
    transientOffsets(graph).1 * MemoryLayout<Float>.stride
  }

  package var arenaBytes: Int { plan.arenaBytes }
  var batch: Int { plan.batch }

  /// count × floats of the first output, valid until the next call, as are those of the others (`output(_:)`).
  ///
  /// - Parameter visit: sees each node's output while it is in memory; false ends the pass.
  package func forward(
    images: UnsafePointer<Float>, count: Int, seed: UInt64 = 0,
    visit: ((Graph.Node, UnsafePointer<Float>) -> Bool)? = nil
  ) -> UnsafePointer<Float> {
    precondition(count > 0 && count <= plan.batch)
    for (index, node) in graph.nodes.enumerated() {
      let context = ForwardContext(
        batch: count, isTraining: plan.training, threads: threads, seed: Self.nodeSeed(seed, index),
        memory: memory, inputs: inputs[index].map { $0 ?? images }, output: outputs[index],
        saved: saved[index], scratch: forwardScratch[index])
      if let profiler {
        profiler.measure(
          node.operation.kind, .forward, shapes: shapes(of: node),
          operations: 2 * Double(count * node.operation.computedMacs), bytes: bytes(of: node, count: count)
        ) { node.operation.forward(context) }
      } else {
        node.operation.forward(context)
      }
      if let visit, !visit(node, UnsafePointer(outputs[index])) { break }
    }
    return output()
  }

  /// Floats of a node's output for one image.
  package func size(of node: Graph.Node) -> Int { graph.shape(of: node.output).count }

  /// Gradients of all parameters, after `outputGradient` has been filled. Same images, count and seed as in forward.
  ///
  /// - Parameter updates: receives each parameter and its gradient once nothing reads the parameter any more, and has run
  ///   them all in the end; the gradients are gone then. Without it all gradients are kept.
  /// - Parameter visit: is called after each operation with its parameters: their gradients are known, and nothing reads
  ///   them any more.
  package func backward(
    images: UnsafePointer<Float>, count: Int, seed: UInt64 = 0,
    updates: UpdateQueue? = nil, visit: (([ParameterID]) -> Void)? = nil
  ) {
    precondition(plan.training)
    let memory = updates == nil ? self.memory : transientMemory
    for (index, node) in graph.nodes.enumerated().reversed() {
      guard let gradient = outputGradients[index] else {
        if node.operation.runsUpdates { updates?.finish() }
        continue
      }
      for again in plan.recomputations[index] { recompute(again, images: images, count: count, seed: seed) }
      let context = BackwardContext(
        batch: count, threads: threads, seed: Self.nodeSeed(seed, index), memory: memory,
        inputs: backwardInputs[index].map { $0 ?? images }, output: backwardOutputs[index],
        outputGradient: gradient,
        inputGradients: sinks[index], saved: saved[index], scratch: backwardScratch[index],
        profiler: profiler,
        updates: updates)
      if let profiler, !node.operation.profilesBackward {
        profiler.measure(
          node.operation.kind, .backward, shapes: shapes(of: node),
          bytes: backwardBytes(of: node, sinks: sinks[index], count: count)
        ) { node.operation.backward(context) }
      } else {
        node.operation.backward(context)
      }
      visit?(node.operation.parameters)
      guard let updates else { continue }
      // From here on their gradients' memory is another's. A frozen convolution has no kernel that ran them.
      if node.operation.runsUpdates { updates.finish() }
      for parameter in node.operation.parameters where !memory.isFrozen[parameter.index] {
        updates.append(parameter, gradient: memory.gradient(parameter))
      }
    }
    updates?.finish()
  }

  /// Makes a node's output again, where backward reads it.
  private func recompute(_ index: Int, images: UnsafePointer<Float>, count: Int, seed: UInt64) {
    let node = graph.nodes[index]
    let context = ForwardContext(
      batch: count, isTraining: true, threads: threads, seed: Self.nodeSeed(seed, index), memory: memory,
      inputs: backwardInputs[index].map { $0 ?? images }, output: backwardOutputs[index], saved: saved[index],
      scratch: forwardScratch[index])
    guard let profiler else { return node.operation.recompute(context) }
    profiler.measure(
      node.operation.kind, .recompute, shapes: shapes(of: node), bytes: bytes(of: node, count: count)
    ) { node.operation.recompute(context) }
  }

  /// Where gradients lie that wait for their updates, and the floats they take. An operation that runs the updates writes its
  /// own gradients meanwhile: those from one such operation up to the next take turns in two halves.
  private static func transientOffsets(_ graph: Graph) -> (offsets: [Int], count: Int) {
    let lane = AlignedBuffer.cacheLine / MemoryLayout<Float>.stride
    var offsets = Array(repeating: 0, count: graph.parameters.count)
    var halves = [0, 0]
    var half = 0, end = 0
    var inSecond: [Int] = []
    for node in graph.nodes.reversed() {
      if node.operation.runsUpdates { (half, end) = (1 - half, 0) }
      for parameter in node.operation.parameters {
        offsets[parameter.index] = end
        if half == 1 { inSecond.append(parameter.index) }
        end += (graph.parameters[parameter.index].storedCount + lane - 1) / lane * lane
      }
      halves[half] = max(halves[half], end)
    }
    for parameter in inSecond { offsets[parameter] += halves[0] }
    return (offsets, halves[0] + halves[1])
  }

  private func shapes(of node: Graph.Node) -> String {
    node.inputs.map { graph.shape(of: $0).description }.joined(separator: " + ")
      + "→\(graph.shape(of: node.output))"
  }

  /// Inputs, output and parameters, each counted once.
  private func bytes(of node: Graph.Node, count: Int) -> Double {
    let maps = (node.inputs + [node.output]).map { graph.shape(of: $0).count }.reduce(0, +)
    let parameters = node.operation.parameters.map { graph.parameters[$0.index].count }.reduce(0, +)
    return Double((count * maps + parameters) * MemoryLayout<Float>.stride)
  }

  /// The maps that backward reads, the gradient of the output and those of the inputs, twice where they are added to.
  private func backwardBytes(of node: Graph.Node, sinks: [GradientSink?], count: Int) -> Double {
    let reads = node.operation.backwardReads
    var maps = graph.shape(of: node.output).count * (reads.output ? 2 : 1)
    for (input, sink) in zip(node.inputs, sinks) {
      let shape = graph.shape(of: input)
      if let sink { maps += shape.count * (sink.accumulate ? 2 : 1) }
    }
    for input in node.inputs.prefix(reads.inputs) { maps += graph.shape(of: input).count }
    return Double(count * maps * MemoryLayout<Float>.stride)
  }

  /// count × floats of the output's shape, as the last forward pass left them.
  package func output(_ index: Int = 0) -> UnsafePointer<Float> { outputPlaces[index] }

  /// Where the loss writes ∂loss/∂output; nil where nothing that is trained lies upstream.
  package func outputGradient(_ index: Int = 0) -> UnsafeMutablePointer<Float>? {
    gradient(of: graph.outputs[index].value)
  }

  /// ∂loss/∂input after a backward pass, where it was asked for.
  package var inputGradient: UnsafePointer<Float>? { gradient(of: graph.input).map { UnsafePointer($0) } }

  private func gradient(of value: ValueID) -> UnsafeMutablePointer<Float>? {
    plan.gradients[value.index].map { (arena.base + $0).assumingMemoryBound(to: Float.self) }
  }

  /// Each node draws from a stream of its own.
  private static func nodeSeed(_ seed: UInt64, _ node: Int) -> UInt64 {
    var stream = RandomStream(seed: seed, "node", node)
    return stream.next()
  }
}
