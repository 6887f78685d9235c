import OctNetCore
import OctNetSupport

/// Batch norms as part of the convolutions in front of them.
///
/// A norm with running statistics is a scale and a shift a channel. It goes through sums, upsampling, crops and averages, which
/// keep channels and constants, up to the convolutions whose sum it is of: for the two paths of an octave convolution,
///
///     s · (conv(x_H) + up2(conv(x_L))) + t = (conv with s · W_HH, bias t)(x_H) + up2((conv with s · W_LH)(x_L))
///
/// Runtimes fold norms themselves, but only those directly behind one convolution.
struct NormFolding {
  /// What becomes of a convolution's weights: a factor for each output channel, and what is added behind.
  struct Change {
    var scale, shift: [Double]
  }

  /// By the node's place in the graph.
  private(set) var changes: [Int: Change] = [:]
  /// Places of the norms that need no node.
  private(set) var folded: Set<Int> = []

  private let graph: Graph
  private let producers: [ValueID: Int]
  private var readers: [ValueID: Int] = [:]

  /// - Parameters:
  ///   - network: its statistics and parameters are read.
  ///   - outputs: maps that must stay as they are.
  init(_ network: Network, outputs: Set<ValueID>) {
    graph = network.graph
    producers = Dictionary(
      uniqueKeysWithValues: graph.nodes.enumerated().map { ($0.element.output, $0.offset) })
    for node in graph.nodes { for input in node.inputs { readers[input, default: 0] += 1 } }
    for output in outputs { readers[output, default: 0] += 1 }
    for (index, node) in graph.nodes.enumerated() {
      guard
        case .batchNorm(let scale, let shift, let mean, let variance, let epsilon)? = node.operation.knownForm,
        let convolutions = convolutions(behind: node.inputs[0])
      else { continue }
      folded.insert(index)
      let factors = AffineNorm(
        network, scale: scale, shift: shift, mean: mean, variance: variance, epsilon: epsilon)
      for (position, convolution) in convolutions.enumerated() {
        let none = Array(repeating: 0.0, count: factors.shift.count)
        changes[convolution] = Change(scale: factors.scale, shift: position == 0 ? factors.shift : none)
      }
    }
  }

  /// Those whose sum the map is and nothing else reads; nil where it is something else.
  private func convolutions(behind value: ValueID) -> [Int]? {
    guard readers[value] == 1, let index = producers[value] else { return nil }
    let node = graph.nodes[index]
    switch node.operation.knownForm {
    case .convolution, .transposedConvolution, .linear: return [index]
    case .addition:
      guard let a = convolutions(behind: node.inputs[0]), let b = convolutions(behind: node.inputs[1])
      else { return nil }
      return a + b
    case .upsampling, .crop, .averagePool, .identity: return convolutions(behind: node.inputs[0])
    default: return nil
    }
  }
}

/// γ · (x − mean) / √(var + ε) + β as scale · x + shift, in double precision.
struct AffineNorm {
  let scale, shift: [Double]

  init(
    _ network: Network, scale: ParameterID, shift: ParameterID, mean: BufferID, variance: BufferID,
    epsilon: Float
  ) {
    let gamma = network.values(of: scale), beta = network.values(of: shift)
    let mean = network.values(of: mean), variance = network.values(of: variance)
    let factors = gamma.indices.map {
      Double(gamma[$0]) / (Double(variance[$0]) + Double(epsilon)).squareRoot()
    }
    self.scale = factors
    self.shift = gamma.indices.map { Double(beta[$0]) - factors[$0] * Double(mean[$0]) }
  }
}

extension Network {
  /// In PyTorch's layout.
  func values(of id: ParameterID) -> [Float] { load(id, from: parameters.values).values }

  func values(of id: BufferID) -> [Float] {
    Array(UnsafeBufferPointer(start: parameters.buffer(id), count: graph.buffers[id.index].count))
  }
}
