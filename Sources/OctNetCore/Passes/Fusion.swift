import OctNetSupport

/// Joins operations that share their memory traffic. Models never mention it; results agree with the unfused
/// graph within rounding.
extension Graph {
  /// The fused graph for a pass.
  package func fused(for pass: Pass) -> Graph {
    let joined = joiningConvolutions().joiningNormalizations()
    return pass == .inference ? joined.foldingNormalizations() : joined
  }

  /// conv + conv and conv + up2(low) become one accumulation; neither the summands nor the upsampled map ever exist.
  ///
  /// These are the two sums of an octave convolution (paper, equation 2).
  func joiningConvolutions() -> Graph {
    let consumers = consumers()
    let producers = producers()
    var replaced = Set<Int>()
    var joined: [Int: Node] = [:]

    for (index, node) in nodes.enumerated()
    where node.operation is Addition && node.inputs[0] != node.inputs[1] {
      var convolutions: [Int] = []
      var upsamplings: [Int] = []
      for input in node.inputs {
        guard let source = producers[input.index], consumers[input.index].count == 1 else { continue }
        switch nodes[source].operation {
        case let conv as Convolution where conv.bias == nil: convolutions.append(source)
        case is Upsampling: upsamplings.append(source)
        default: break
        }
      }
      guard convolutions.count + upsamplings.count == 2, !convolutions.isEmpty else { continue }
      let parts = convolutions.compactMap { nodes[$0].operation as? Convolution }
      let low = upsamplings.first.map { shape(of: nodes[$0].inputs[0]) }
      let sum = ConvolutionSum(
        sources: parts.map { .init(geometry: $0.geometry, weight: $0.weight) }, low: low)
      guard sum.isSupported else { continue }
      joined[index] = Node(
        operation: sum, inputs: (convolutions + upsamplings).map { nodes[$0].inputs[0] }, output: node.output,
        path: node.path)
      replaced.formUnion(convolutions + upsamplings)
    }
    return replacing(replaced, with: joined)
  }

  /// norm → ReLU and norm → addition → ReLU become one pass over memory.
  ///
  /// Only where nothing else reads the maps in between, and where the other summand exists before the norm runs or
  /// can: nodes keep their order, the joined node takes the place of the last of its parts.
  func joiningNormalizations() -> Graph {
    let consumers = consumers()
    let producers = producers()
    func onlyConsumer(of value: ValueID) -> Int? {
      value != output && consumers[value.index].count == 1 ? consumers[value.index][0] : nil
    }
    var replaced = Set<Int>()
    var joined: [Int: Node] = [:]

    for (index, node) in nodes.enumerated() {
      guard let pointwise = node.operation as? Pointwise, pointwise.activation == .relu,
        let source = producers[node.inputs[0].index], onlyConsumer(of: node.inputs[0]) == index
      else { continue }
      if var norm = nodes[source].operation as? BatchNormalization, !norm.appliesReLU {
        norm.appliesReLU = true
        joined[index] = Node(
          operation: norm, inputs: nodes[source].inputs, output: node.output, path: nodes[source].path)
        replaced.insert(source)
      } else if nodes[source].operation is Addition,
        let (normIndex, residual) = normToJoin(source, replaced, producers, onlyConsumer)
      {
        guard var norm = nodes[normIndex].operation as? BatchNormalization else { continue }
        norm.appliesReLU = true
        norm.addsResidual = true
        joined[index] = Node(
          operation: norm, inputs: [nodes[normIndex].inputs[0], residual], output: node.output,
          path: nodes[normIndex].path)
        replaced.formUnion([source, normIndex])
      }
    }

    return replacing(replaced, with: joined)
  }

  /// conv → norm becomes one operation that normalises its sums before it writes them. Only with running statistics:
  /// those of a batch are not known before the sums are.
  func foldingNormalizations() -> Graph {
    let consumers = consumers()
    let producers = producers()
    var replaced = Set<Int>()
    var joined: [Int: Node] = [:]

    for (index, node) in nodes.enumerated() {
      guard let norm = node.operation as? BatchNormalization, norm.shape.count > 0,
        let source = producers[node.inputs[0].index], consumers[node.inputs[0].index].count == 1,
        node.inputs[0] != output, var sum = nodes[source].operation.convolutionSum
      else { continue }
      sum.norm = norm
      joined[index] = Node(
        operation: sum, inputs: nodes[source].inputs + node.inputs.dropFirst(), output: node.output,
        path: nodes[source].path)
      replaced.insert(source)
    }
    return replacing(replaced, with: joined)
  }

  private func replacing(_ removed: Set<Int>, with joined: [Int: Node]) -> Graph {
    var result = self
    result.nodes = nodes.indices.compactMap { index in
      removed.contains(index) ? nil : joined[index] ?? nodes[index]
    }
    return result
  }

  /// The summand of an addition that a norm alone produces, and the other summand.
  private func normToJoin(
    _ addition: Int, _ replaced: Set<Int>, _ producers: [Int?], _ onlyConsumer: (ValueID) -> Int?
  ) -> (norm: Int, residual: ValueID)? {
    let inputs = nodes[addition].inputs
    guard inputs[0] != inputs[1] else { return nil }
    for (candidate, other) in [(inputs[0], inputs[1]), (inputs[1], inputs[0])] {
      if let norm = producers[candidate.index], !replaced.contains(norm),
        nodes[norm].operation is BatchNormalization, onlyConsumer(candidate) == addition
      {
        return (norm, other)
      }
    }
    return nil
  }

  /// The node that produces each value.
  func producers() -> [Int?] {
    var table = [Int?](repeating: nil, count: values.count)
    for (index, node) in nodes.enumerated() { table[node.output.index] = index }
    return table
  }
}

extension Operation {
  /// This operation as a sum of convolutions that a norm may be folded into; nil where it is none.
  fileprivate var convolutionSum: ConvolutionSum? {
    switch self {
    case let conv as Convolution where conv.bias == nil:
      return ConvolutionSum(
        sources: [.init(geometry: conv.geometry, weight: conv.weight)], low: nil)
    case let sum as ConvolutionSum where sum.norm == nil: return sum
    default: return nil
    }
  }
}
