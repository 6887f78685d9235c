import OctNetCore
import OctNetSupport

/// Goes through a network's operations and writes down the nodes that compute the same on maps of [batch, channels, height,
/// width].
struct GraphTranslation {
  /// Names of the tensors that hold a map: as [batch, channels, height, width], and where it has one pixel perhaps as
  /// [batch, channels], which is what a linear layer reads and writes.
  struct Tensors {
    var map: String?
    var vector: String?
  }

  let network: Network
  let folding: NormFolding?
  var list: NodeList
  private(set) var tensors: [ValueID: Tensors] = [:]
  /// Maps that are joined for a convolution, by their places.
  private var joined: [[ValueID]: String] = [:]

  var graph: Graph { network.graph }

  /// - Throws: `OctNetError.graph`, naming the layer, for an operation that has no form in ONNX.
  init(_ network: Network, folding: NormFolding?, list: NodeList, image: String) throws(OctNetError) {
    self.network = network
    self.folding = folding
    self.list = list
    tensors[graph.input] = Tensors(map: image)
    for index in graph.nodes.indices { try translate(index) }
  }

  // MARK: Tensors

  /// The map in four dimensions.
  mutating func map(_ value: ValueID) -> String {
    if let map = tensors[value]?.map { return map }
    guard let vector = tensors[value]?.vector else { preconditionFailure("a map before its node") }
    let shape = list.integers([0, graph.shape(of: value).channels, 1, 1])
    let map = list.add("Reshape", vector + "/map", [vector, shape])
    tensors[value]?.map = map
    return map
  }

  /// A map of one pixel in two dimensions.
  mutating func vector(_ value: ValueID) -> String {
    if let vector = tensors[value]?.vector { return vector }
    let map = map(value)
    let vector = list.add("Flatten", map + "/vector", [map], [.int("axis", 1)])
    tensors[value]?.vector = vector
    return vector
  }

  /// All in two dimensions where they are known so, else in four.
  private mutating func alike(_ values: [ValueID]) -> (names: [String], isVector: Bool) {
    let vectors = values.compactMap { tensors[$0]?.vector }
    if vectors.count == values.count { return (vectors, true) }
    var maps: [String] = []
    for value in values { maps.append(map(value)) }
    return (maps, false)
  }

  /// What a tensor is called from now on.
  mutating func rename(_ tensor: String, to name: String) {
    for value in tensors.keys {
      if tensors[value]?.map == tensor { tensors[value]?.map = name }
      if tensors[value]?.vector == tensor { tensors[value]?.vector = name }
    }
  }

  // MARK: Nodes

  private mutating func translate(_ index: Int) throws(OctNetError) {
    let node = graph.nodes[index]
    guard let form = node.operation.knownForm else {
      throw .graph(layer: node.path, "the operation \"\(node.operation.kind)\" has no form in ONNX")
    }
    let name = name(of: node)
    if case .identity = form { return alias(node) }
    if case .batchNorm = form, folding?.folded.contains(index) == true { return alias(node) }
    let output = graph.shape(of: node.output)
    switch form {
    case .convolution(let geometry, let weight, let bias):
      let source = joinedMap(node.inputs, name)
      let constants = constants(
        index, weight, bias, shape: geometry.weightShape, channels: geometry.output.channels)
      tensors[node.output] = Tensors(
        map: list.add("Conv", name, [source] + constants, geometry.attributes))
    case .transposedConvolution(let geometry, let weight, let bias):
      // Its weight is that of the convolution backward: inputs first.
      let source = map(node.inputs[0])
      let constants = constants(
        index, weight, bias, shape: geometry.weightShape, channels: output.channels, groups: geometry.groups)
      tensors[node.output] = Tensors(
        map: list.add(
          "ConvTranspose", name, [source] + constants,
          geometry.attributes + [.ints("output_padding", geometry.outputPadding)]))
    case .linear(let weight, let bias):
      let source = vector(node.inputs[0])
      let shape = [output.channels, graph.shape(of: node.inputs[0]).channels]
      let constants = constants(index, weight, bias, shape: shape, channels: output.channels)
      tensors[node.output] = Tensors(
        vector: list.add("Gemm", name, [source] + constants, [.int("transB", 1)]))
    case .batchNorm, .activation, .scale, .addition, .concatenation:
      let (sources, isVector) = alike(node.inputs)
      let result = elementwise(form, name, sources)
      tensors[node.output] = isVector ? Tensors(vector: result) : Tensors(map: result)
    default:
      tensors[node.output] = Tensors(map: ofMaps(form, name, node, output))
    }
  }

  /// A node that computes nothing.
  private mutating func alias(_ node: Graph.Node) { tensors[node.output] = tensors[node.inputs[0]] }

  /// The layer's path; what has no parameters is named after the layer around it and what it does.
  private func name(of node: Graph.Node) -> String {
    if node.path.isEmpty { return node.operation.kind }
    return node.operation.parameters.isEmpty ? node.path + "/" + node.operation.kind : node.path
  }

  private mutating func joinedMap(_ values: [ValueID], _ name: String) -> String {
    guard values.count > 1 else { return map(values[0]) }
    if let known = joined[values] { return known }
    var sources: [String] = []
    for value in values { sources.append(map(value)) }
    let result = list.add("Concat", name + "/concat", sources, [.int("axis", 1)])
    joined[values] = result
    return result
  }

  /// What is computed alike in two and in four dimensions.
  private mutating func elementwise(_ form: OperationForm, _ name: String, _ sources: [String]) -> String {
    switch form {
    case .batchNorm(let scale, let shift, let mean, let variance, let epsilon):
      let count = network.graph.parameters[scale.index].count
      let constants =
        [network.values(of: scale), network.values(of: shift)]
        + [network.values(of: mean), network.values(of: variance)]
      let names = [
        graph.parameters[scale.index].name, graph.parameters[shift.index].name,
        graph.buffers[mean.index].name, graph.buffers[variance.index].name,
      ]
      var inputs = sources
      for (name, values) in zip(names, constants) {
        inputs.append(list.constant(name, shape: [count], values))
      }
      return list.add("BatchNormalization", name, inputs, [.float("epsilon", epsilon)])
    case .activation(let activation): return list.activation(activation, name, sources[0])
    case .scale(let factor): return list.add("Mul", name, [sources[0], list.scalar(factor)])
    case .addition: return list.add("Add", name, sources)
    default: return list.add("Concat", name, sources, [.int("axis", 1)])
    }
  }

  private mutating func ofMaps(
    _ form: OperationForm, _ name: String, _ node: Graph.Node, _ output: MapShape
  ) -> String {
    let source = map(node.inputs[0])
    switch form {
    case .groupNorm(let groups, let scale, let shift, let epsilon):
      let names = [graph.parameters[scale.index].name, graph.parameters[shift.index].name]
      return list.groupNorm(
        name, source, shape: output, groups: groups, epsilon: epsilon,
        scale: (names[0], network.values(of: scale)), shift: (names[1], network.values(of: shift)))
    case .gate: return list.add("Mul", name, [source, map(node.inputs[1])])
    case .averagePool(let window):
      return list.add(
        "AveragePool", name, [source], window.attributes + [.int("count_include_pad", 0)])
    case .maxPool(let window): return list.add("MaxPool", name, [source], window.attributes)
    case .globalAverage: return list.add("GlobalAveragePool", name, [source])
    case .upsampling(let scale, let isBilinear):
      let input = graph.shape(of: node.inputs[0])
      let whole = MapShape(
        height: input.height * scale, width: input.width * scale, channels: input.channels)
      let resized = list.upsampling(
        name + (whole == output ? "" : "/whole"), source, scale: scale, isBilinear: isBilinear)
      return whole == output ? resized : list.crop(name, resized, to: output)
    case .crop: return list.crop(name, source, to: output)
    default: preconditionFailure("written elsewhere")
    }
  }

  // MARK: Weights

  /// Weight and bias with the norm behind them, as constants.
  ///
  /// - Parameter groups: of a transposed convolution, whose weight has the inputs first.
  private mutating func constants(
    _ index: Int, _ weight: ParameterID, _ bias: ParameterID?, shape: [Int], channels: Int, groups: Int? = nil
  ) -> [String] {
    var values = network.values(of: weight)
    var shifts = bias.map { network.values(of: $0) }
    if let change = folding?.changes[index] {
      let rows = values.count / (shape[0] * (groups == nil ? 1 : shape[1]))
      for first in stride(from: 0, to: values.count, by: rows) {
        let row = first / rows
        let channel = groups.map { row / shape[1] / (shape[0] / $0) * shape[1] + row % shape[1] } ?? row
        for position in first..<first + rows {
          values[position] = Float(Double(values[position]) * change.scale[channel])
        }
      }
      let sums = (0..<channels).map {
        Double(shifts?[$0] ?? 0) * change.scale[$0] + change.shift[$0]
      }
      if shifts != nil || sums.contains(where: { $0 != 0 }) { shifts = sums.map(Float.init) }
    }
    let name = graph.parameters[weight.index].name
    var result = [list.constant(name, shape: shape, values)]
    if let shifts {
      let layer = name.hasSuffix("weight") ? String(name.dropLast("weight".count)) : name + "."
      let biasName = bias.map { graph.parameters[$0.index].name } ?? layer + "bias"
      result.append(list.constant(biasName, shape: [channels], shifts))
    }
    return result
  }
}

extension ConvGeometry {
  fileprivate var attributes: [Onnx_AttributeProto] {
    [
      .ints("kernel_shape", [kernelHeight, kernelWidth]), .ints("strides", [stride, stride]),
      .ints("pads", [padding, padding, padding, padding]), .ints("dilations", [1, 1]),
      .int("group", groups),
    ]
  }

  /// Rows and columns that the convolution from `input` to `output` does not reach.
  fileprivate var outputPadding: [Int] {
    [
      input.height - ((output.height - 1) * stride - 2 * padding + kernelHeight),
      input.width - ((output.width - 1) * stride - 2 * padding + kernelWidth),
    ]
  }
}

extension PoolGeometry {
  /// Windows that reach past the end (`ceilMode`) are padding here, on which runtimes agree.
  fileprivate var attributes: [Onnx_AttributeProto] {
    func end(_ size: Int, _ count: Int) -> Int {
      max(0, (count - 1) * stride + kernelSize - size - padding)
    }
    return [
      .ints("kernel_shape", [kernelSize, kernelSize]), .ints("strides", [stride, stride]),
      .ints(
        "pads",
        [padding, padding, end(input.height, output.height), end(input.width, output.width)]),
    ]
  }
}
