import OctNetSupport

/// Where everything lives while a graph runs: one offset into the arena for each map, gradient and saved statistic.
///
/// Time is counted in steps. Inference has a step for each node. Training has a step for each node, one for the
/// loss, and one for each node backwards. A buffer lives from the step that writes it to the last that reads it.
package struct ExecutionPlan {
  let batch: Int
  let training: Bool
  private(set) var values: [Int?]
  /// Where those values are during backward that are made again.
  private(set) var recomputed: [Int?]
  /// Nodes to run again before each node's backward pass, in order.
  private(set) var recomputations: [[Int]]
  private(set) var gradients: [Int?]
  private(set) var saved: [Int?]
  private(set) var scratch: Int
  package private(set) var arenaBytes: Int
  /// The part of the arena that holds maps, gradients and statistics; scratch memory follows it.
  var mapBytes: Int { scratch }
  /// Whether a node's contribution to an input's gradient adds to earlier ones.
  private(set) var accumulates: [[Bool]]

  /// - Parameters:
  ///   - demand: of a training plan: whose gradients are wanted.
  ///   - recomputes: whether backward makes maps again that forward need not keep (see `Recomputation`).
  init(
    graph: Graph, batch: Int, training: Bool, threads: Int, demand: GradientDemand = GradientDemand(),
    recomputes: Bool
  ) {
    self.batch = batch
    self.training = training
    let nodes = graph.nodes
    let lossStep = nodes.count
    func backwardStep(_ node: Int) -> Int { 2 * nodes.count - node }

    var requests: [MemoryPlanner.Request] = []
    func request(_ bytes: Int, _ first: Int, _ last: Int) -> Int {
      requests.append(.init(bytes: bytes, first: first, last: last))
      return requests.count - 1
    }
    func mapBytes(_ value: ValueID) -> Int {
      batch * graph.shape(of: value).count * MemoryLayout<Float>.stride
    }

    let consumers = graph.consumers()
    let needsGradient = demand.values(of: graph)
    var valueRequests = [Int?](repeating: nil, count: graph.values.count)
    var gradientRequests = valueRequests
    var savedRequests = [Int?](repeating: nil, count: nodes.count)
    var accumulates = nodes.map { $0.inputs.map { _ in false } }

    var readers = Array(repeating: [Int](), count: graph.values.count)
    if training {
      for (index, node) in nodes.enumerated() where needsGradient[node.output.index] {
        let reads = node.operation.backwardReads
        for input in node.inputs.prefix(reads.inputs) { readers[input.index].append(backwardStep(index)) }
        if reads.output { readers[node.output.index].append(backwardStep(index)) }
      }
    }
    var recomputedRequests = valueRequests
    recomputations = nodes.map { _ in [] }
    if training, recomputes {
      let recomputation = Recomputation(graph: graph, readers: readers, backwardStep: backwardStep)
      recomputations = recomputation.before
      readers = recomputation.readers
      for (value, life) in recomputation.lives.enumerated() {
        guard let life else { continue }
        recomputedRequests[value] = request(mapBytes(ValueID(index: value)), life.first, life.last)
      }
    }

    for (index, node) in nodes.enumerated() {
      let output = node.output.index
      var last = max(consumers[output].last ?? index, readers[output].max() ?? index)
      if graph.isOutput(node.output) { last = max(last, lossStep) }
      valueRequests[output] = request(mapBytes(node.output), index, last)
      // A norm normalises with the statistics of its batch, and is made again from them, where nobody differentiates it too.
      let isNorm = if case .norm = node.operation.role.kind { true } else { false }
      if training, needsGradient[output] || isNorm {
        let bytes = node.operation.savedBytes(batch: batch)
        if bytes > 0 { savedRequests[index] = request(bytes, index, backwardStep(index)) }
      }
    }
    if training {
      let producers = graph.producers()
      for (index, node) in nodes.enumerated().reversed() where needsGradient[node.output.index] {
        let gradient: Int
        if let shared = gradientRequests[node.output.index] {
          gradient = shared
        } else {
          // The last consumer runs backward first and so assigns.
          let writer = consumers[node.output.index].last
          let first = writer.map(backwardStep) ?? lossStep
          let whole = graph.isOutput(node.output) ? lossStep : first
          gradient = request(mapBytes(node.output), whole, backwardStep(index))
          gradientRequests[node.output.index] = gradient
        }
        // Where the operation can, the gradient of an input takes the place of the output's.
        let input = node.operation.inPlaceGradients.map { node.inputs[$0] }.first {
          needsGradient[$0.index] && consumers[$0.index].last == index && !graph.isOutput($0)
            && Set(node.inputs).count == node.inputs.count
        }
        if let input, let producer = producers[input.index] {
          gradientRequests[input.index] = gradient
          requests[gradient].last = backwardStep(producer)
        }
      }
      if needsGradient[graph.input.index], let first = consumers[graph.input.index].last.map(backwardStep) {
        gradientRequests[graph.input.index] = request(mapBytes(graph.input), first, 2 * nodes.count)
      }
      // The loss has written the outputs' gradients.
      var written = Set(graph.outputs.map(\.value))
      for (index, node) in nodes.enumerated().reversed() {
        for (position, input) in node.inputs.enumerated() where needsGradient[input.index] {
          accumulates[index][position] = !written.insert(input).inserted
        }
      }
    }

    var scratchBytes = 0
    for node in nodes {
      for pass in training ? [Pass.trainingForward, .backward] : [Pass.inference] {
        scratchBytes = max(
          scratchBytes, node.operation.scratchBytes(pass, batch: batch, threads: threads))
      }
    }

    let (offsets, bytes) = MemoryPlanner.plan(requests)
    values = valueRequests.map { $0.map { offsets[$0] } }
    recomputed = recomputedRequests.map { $0.map { offsets[$0] } }
    gradients = gradientRequests.map { $0.map { offsets[$0] } }
    saved = savedRequests.map { $0.map { offsets[$0] } }
    self.accumulates = accumulates
    scratch = bytes
    arenaBytes = bytes + scratchBytes
  }
}
