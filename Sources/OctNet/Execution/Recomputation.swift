/// Which maps a training step does not keep until backward reads them, but makes again from others it keeps.
///
/// A norm's backward reads the norm's input, so what follows from it in one pass over memory, the activations between
/// the convolutions and their pooled copies, need not be kept as well. Chains end at the second sum of two maps: along
/// the residual path every other map is kept. (Chen et al. 2016, arXiv 1604.06174, without repeating a convolution.)
struct Recomputation {
  /// When a value is made again, and the last step of backward that reads it.
  struct Life {
    var first, last: Int
  }

  /// For each value that is not kept.
  private(set) var lives: [Life?]
  /// Nodes to run again before each node's backward pass, in order.
  private(set) var before: [[Int]]

  /// - Parameters:
  ///   - readers: steps of backward that read each value.
  ///   - backwardStep: the step of a node's backward pass.
  init(graph: Graph, readers: [[Int]], backwardStep: (Int) -> Int) {
    let nodes = graph.nodes
    lives = Array(repeating: nil, count: graph.values.count)
    before = Array(repeating: [], count: nodes.count)

    // Sums of two maps between a value and the kept ones it can be made from; nil where it cannot.
    var sums = [Int?](repeating: nil, count: graph.values.count)
    sums[graph.input.index] = 0
    var isKept = readers.map { !$0.isEmpty }
    for (index, node) in nodes.enumerated() {
      let output = node.output.index
      let inputs = node.inputs.map { sums[$0.index] }
      if node.operation.isRecomputable, inputs.allSatisfy({ $0 != nil }) {
        let chain = (inputs.compactMap { $0 }.max() ?? 0) + (inputs.count > 1 ? 1 : 0)
        if chain <= 1 {
          sums[output] = chain
          // What only its own node reads is wanted as soon as the forward pass ends here, or not at all.
          isKept[output] = readers[output] == [backwardStep(index)]
        }
      }
      if isKept[output] { sums[output] = 0 }
    }

    var demands = readers
    for (index, node) in nodes.enumerated().reversed() {
      let output = node.output.index
      guard !isKept[output], sums[output] != nil, let first = demands[output].min(),
        let last = demands[output].max()
      else { continue }
      lives[output] = Life(first: first, last: last)
      for input in node.inputs { demands[input.index].append(first) }
      before[2 * nodes.count - first].insert(index, at: 0)
    }
    self.demands = demands
  }

  /// Steps of backward that read each value, those that make others again included.
  let demands: [[Int]]
}
