import OctNetSupport

/// Which maps a training step does not keep until backward reads them, but makes again from others that it keeps.
///
/// A norm's backward reads the norm's input, so the activation behind it need not be kept as well, and where a residual
/// was added and is kept, neither. Only one pass over memory stands between a map that is kept and one that is made
/// again: along the residual path every second map is kept. (Chen et al. 2016, arXiv 1604.06174, without repeating a
/// convolution.)
struct Recomputation {
  /// Maps of a training step in bytes above which it is worth its time, some 2 % of a step's. Below, memory is not what
  /// a machine lacks.
  static let worthwhileBytes = 1 << 30

  /// When a value is made again, and the last step of backward that reads it.
  struct Life {
    let first, last: Int
  }

  /// For each value that is not kept.
  private(set) var lives: [Life?]
  /// Nodes to run again before each node's backward pass, in order.
  private(set) var before: [[Int]]
  /// Steps of backward that read each value that is kept, those that make others again included.
  private(set) var readers: [[Int]]

  /// - Parameters:
  ///   - readers: steps of backward that read each value.
  ///   - backwardStep: the step of a node's backward pass.
  init(graph: Graph, readers: [[Int]], backwardStep: (Int) -> Int) {
    lives = Array(repeating: nil, count: graph.values.count)
    before = Array(repeating: [], count: graph.nodes.count)
    self.readers = readers
    for (index, node) in graph.nodes.enumerated() where node.operation.isRecomputable {
      let output = node.output.index
      // What only its own node reads is wanted as soon as the forward pass ends here.
      guard let first = readers[output].min(), let last = readers[output].max(), first < backwardStep(index),
        node.inputs.allSatisfy({ $0 == graph.input || !readers[$0.index].isEmpty && lives[$0.index] == nil })
      else { continue }
      lives[output] = Life(first: first, last: last)
      self.readers[output] = []
      for input in node.inputs { self.readers[input.index].append(first) }
      before[2 * graph.nodes.count - first].append(index)
    }
  }
}
