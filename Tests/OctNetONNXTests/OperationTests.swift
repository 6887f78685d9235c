import Testing

import OctNet
@testable import OctNetONNX

/// Each kind of operation as nodes: their kinds, inputs, attributes and constants.
struct OperationTests {
  private let shape = MapShape(height: 7, width: 6, channels: 4)

  @Test func convolution() throws {
    let model = try ReadModel(shape) { x in
      try Conv2d(
        "a.conv", inputChannels: 4, outputChannels: 6, kernelSize: 3, stride: 2, padding: 1, groups: 2,
        bias: true)(x)
    }
    let node = try model.node("a.conv")
    #expect(node.opType == "Conv" && node.input == ["image", "a.conv.weight", "a.conv.bias"])
    #expect(node.output == ["logits"])
    #expect(node.ints("kernel_shape") == [3, 3] && node.ints("strides") == [2, 2])
    #expect(node.ints("pads") == [1, 1, 1, 1] && node.ints("dilations") == [1, 1])
    #expect(node.int("group") == 2)
    #expect(try model.constant("a.conv.weight").dims == [6, 2, 3, 3])
    #expect(try model.constant("a.conv.bias").dims == [6])
    #expect(model.proto.graph.output.map(ReadModel.description) == ["logits 1 [batch, 6, 4, 3]"])
  }

  /// Numbers in PyTorch's order, whatever the kernels' blocks are.
  @Test func weightsAreThoseOfTheStateDictionary() throws {
    let network = try Network(inputShape: shape, seed: 3) { x in
      try Conv2d("conv", inputChannels: 4, outputChannels: 5, kernelSize: 3, bias: false)(x)
    }
    let model = try ReadModel(ONNXModel(network))
    #expect(try model.floats("conv.weight") == network.parameter("conv.weight").values)
    #expect(try model.node("conv").input == ["image", "conv.weight"])
  }

  @Test func transposedConvolution() throws {
    let model = try ReadModel(shape) { x in
      try OctConvTranspose2d(
        "up", inputChannels: 4, outputChannels: 6, kernelSize: 3, stride: 2, padding: 1, outputPadding: 1,
        groups: 2)(x)
    }
    let node = try model.node("up")
    #expect(node.opType == "ConvTranspose" && node.input == ["image", "up.weight", "up.bias"])
    #expect(node.ints("kernel_shape") == [3, 3] && node.ints("strides") == [2, 2])
    #expect(node.ints("pads") == [1, 1, 1, 1] && node.ints("output_padding") == [1, 1])
    #expect(node.int("group") == 2)
    #expect(try model.constant("up.weight").dims == [4, 3, 3, 3])
    #expect(model.proto.graph.output.map(ReadModel.description) == ["logits 1 [batch, 6, 14, 12]"])
  }

  @Test func linearAndGlobalAverage() throws {
    let model = try ReadModel(shape) { x in
      try Linear("fc", inputChannels: 4, outputChannels: 3)(GlobalAvgPool()(x))
    }
    #expect(model.kinds == ["GlobalAveragePool", "Flatten", "Gemm"])
    #expect(model.nodes[1].int("axis") == 1)
    let node = try model.node("fc")
    #expect(node.int("transB") == 1 && node.input.dropFirst() == ["fc.weight", "fc.bias"])
    #expect(try model.constant("fc.weight").dims == [3, 4])
    #expect(model.proto.graph.output.map(ReadModel.description) == ["logits 1 [batch, 3]"])
  }

  @Test func scaledLogits() throws {
    let model = try ReadModel(shape) { x in try Scale(0.25)(MaxPool2d(kernelSize: 2)(x)) }
    #expect(model.kinds == ["MaxPool", "Mul"])
    let factor = try #require(model.nodes[1].input.last)
    #expect(try model.floats(factor) == [0.25])
  }

  @Test func batchNormThatNothingTakes() throws {
    let network = try Network(inputShape: shape, seed: 1) { x in
      try BatchNorm2d("norm", channels: 4, epsilon: 1e-3)(ReLU()(x))
    }
    var stream = RandomStream(seed: 1, "norms")
    network.scatterNorms(&stream)
    let model = try ReadModel(ONNXModel(network))
    let node = try model.node("norm")
    #expect(node.opType == "BatchNormalization" && node.float("epsilon") == 1e-3)
    let names = ["norm.weight", "norm.bias", "norm.running_mean", "norm.running_var"]
    #expect(node.input == ["relu"] + names)
    #expect(try model.floats(names[0]) == network.parameter(names[0]).values)
    #expect(try model.floats(names[1]) == network.parameter(names[1]).values)
    #expect(try model.floats(names[2]) == network.buffer(names[2]).values)
    #expect(try model.floats(names[3]) == network.buffer(names[3]).values)
  }

  @Test func groupNorm() throws {
    let model = try ReadModel(shape) { try GroupNorm("norm", groups: 2, channels: 4)($0) }
    #expect(model.kinds == ["Reshape", "InstanceNormalization", "Reshape", "Mul", "Add"])
    #expect(try model.integers(model.nodes[0].input[1]) == [0, 2, -1])
    #expect(model.nodes[1].float("epsilon") == 1e-5)
    #expect(try model.floats(model.nodes[1].input[1]) == [1, 1])
    #expect(try model.floats(model.nodes[1].input[2]) == [0, 0])
    #expect(try model.integers(model.nodes[2].input[1]) == [0, 4, 7, 6])
    #expect(model.nodes[3].input[1] == "norm.weight" && model.nodes[4].input[1] == "norm.bias")
    #expect(try model.constant("norm.weight").dims == [4, 1, 1])
    #expect(model.nodes[4].name == "norm")
  }

  @Test func activations() throws {
    func nodes(_ layer: any Layer) throws -> ReadModel { try ReadModel(shape) { try layer($0) } }
    #expect(try nodes(ReLU()).kinds == ["Relu"])
    #expect(try nodes(Sigmoid()).kinds == ["Sigmoid"])
    let clip = try nodes(ReLU6())
    #expect(clip.kinds == ["Clip"])
    #expect(try clip.nodes[0].input.dropFirst().map { try clip.floats($0) } == [[0], [6]])
    #expect(try clip.constant(clip.nodes[0].input[1]).dims == [])
    let clamp = try nodes(Clamp(low: -0.5, high: 2))
    #expect(try clamp.nodes[0].input.dropFirst().map { try clamp.floats($0) } == [[-0.5], [2]])
    let leaky = try nodes(LeakyReLU(slope: 0.1))
    #expect(leaky.kinds == ["LeakyRelu"] && leaky.nodes[0].float("alpha") == 0.1)
    let silu = try nodes(SiLU())
    #expect(silu.kinds == ["Sigmoid", "Mul"])
    #expect(silu.nodes[1].input == ["image", silu.nodes[0].output[0]])
    let gelu = try nodes(GELU())
    #expect(gelu.kinds == ["Div", "Erf", "Add", "Mul", "Mul"])
    #expect(try gelu.floats(gelu.nodes[0].input[1]) == [Float(2).squareRoot()])
    #expect(try gelu.floats(gelu.nodes[2].input[1]) == [1])
    #expect(gelu.nodes[3].input[0] == "image")
    #expect(try gelu.floats(gelu.nodes[4].input[1]) == [0.5])
  }

  /// Windows past the end are padding that does not count; floor mode has none.
  @Test(arguments: [
    (3, 2, 1, false, [1, 1, 1, 0], [4, 3]), (2, 2, 0, true, [0, 0, 1, 0], [4, 3]),
    (2, 2, 0, false, [0, 0, 0, 0], [3, 3]), (3, 3, 1, true, [1, 1, 1, 2], [3, 3]),
  ])
  func pooling(kernel: Int, stride: Int, padding: Int, ceilMode: Bool, pads: [Int], size: [Int]) throws {
    let average = try ReadModel(shape) {
      try AvgPool2d(kernelSize: kernel, stride: stride, padding: padding, ceilMode: ceilMode)($0)
    }
    let maximum = try ReadModel(shape) {
      try MaxPool2d(kernelSize: kernel, stride: stride, padding: padding, ceilMode: ceilMode)($0)
    }
    #expect(average.kinds == ["AveragePool"] && maximum.kinds == ["MaxPool"])
    #expect(average.nodes[0].int("count_include_pad") == 0)
    for model in [average, maximum] {
      #expect(model.nodes[0].ints("kernel_shape") == [Int64(kernel), Int64(kernel)])
      #expect(model.nodes[0].ints("strides") == [Int64(stride), Int64(stride)])
      #expect(model.nodes[0].ints("pads") == pads.map(Int64.init))
      #expect(
        model.proto.graph.output.map(ReadModel.description) == ["logits 1 [batch, 4, \(size[0]), \(size[1])]"]
      )
    }
  }

  @Test func upsampling() throws {
    let nearest = try ReadModel(shape) { try Upsample(scale: 2)($0) }
    #expect(nearest.kinds == ["Resize"])
    let node = nearest.nodes[0]
    #expect(node.input.count == 3 && node.input[1].isEmpty)
    #expect(try nearest.floats(node.input[2]) == [1, 1, 2, 2])
    #expect(node.string("mode") == "nearest" && node.string("nearest_mode") == "floor")
    #expect(node.string("coordinate_transformation_mode") == "asymmetric")
    let bilinear = try ReadModel(shape) { try Upsample(scale: 3, mode: .bilinear)($0) }
    #expect(try bilinear.floats(bilinear.nodes[0].input[2]) == [1, 1, 3, 3])
    #expect(bilinear.nodes[0].string("mode") == "linear")
    #expect(bilinear.nodes[0].string("coordinate_transformation_mode") == "half_pixel")
  }

  @Test func concatenationAndSum() throws {
    let model = try ReadModel(shape) { x in
      try ReLU()(concatenated([ReLU()(x), Sigmoid()(x)]) + concatenated([x, SiLU()(x)]))
    }
    let joins = model.nodes.filter { $0.opType == "Concat" }
    #expect(joins.map { $0.int("axis") } == [1, 1] && joins.map(\.input.count) == [2, 2])
    let sum = try #require(model.nodes.first { $0.opType == "Add" })
    #expect(sum.input == joins.map { $0.output[0] })
  }

  /// Several convolutions that read the same maps side by side share one concatenation.
  @Test func convolutionsOfJoinedMaps() throws {
    let model = try ReadModel(shape) { x in
      let joined = try concatenated([ReLU()(x), Sigmoid()(x)])
      return try Conv2d("a", inputChannels: 8, outputChannels: 2, kernelSize: 1)(joined)
        + Conv2d("b", inputChannels: 8, outputChannels: 2, kernelSize: 3, padding: 1)(joined)
    }
    #expect(model.kinds.filter { $0 == "Concat" }.count == 1)
    let (a, b) = (try model.node("a"), try model.node("b"))
    #expect(a.input[0] == b.input[0])
    #expect(try model.constant("a.weight").dims == [2, 8, 1, 1])
  }

  @Test func gate() throws {
    let model = try ReadModel(shape) { try SqueezeExcite("se", squeezedChannels: 2)($0) }
    let expected = ["GlobalAveragePool", "Flatten", "Gemm", "Relu", "Gemm", "Sigmoid", "Reshape", "Mul"]
    #expect(model.kinds == expected)
    #expect(try model.integers(model.nodes[6].input[1]) == [0, 4, 1, 1])
    #expect(model.nodes[7].input == ["image", model.nodes[6].output[0]])
    #expect(try model.node("se.fc2").opType == "Gemm")
  }

  /// The two sums of an octave convolution: upsampled and, where the map is odd, cropped.
  @Test func octaveConvolution() throws {
    let model = try ReadModel(shape) { x in
      let octave = try OctConv2d(
        "a", inputChannels: 4, outputChannels: 8, kernelSize: 3, padding: 1, alphaIn: 0, alphaOut: 0.5)(x)
      return try OctConv2d(
        "b", inputChannels: 8, outputChannels: 4, kernelSize: 3, padding: 1, alphaIn: 0.5, alphaOut: 0)(
          octave)
    }
    let slice = try #require(model.nodes.first { $0.opType == "Slice" })
    #expect(try slice.input.dropFirst().map { try model.integers($0) } == [[0, 0], [7, 6], [2, 3]])
    let resize = try #require(model.nodes.first { $0.opType == "Resize" })
    #expect(slice.input[0] == resize.output[0])
    let sum = try #require(model.nodes.last)
    #expect(sum.opType == "Add" && sum.input.contains(slice.output[0]))
    let convolutions = model.nodes.filter { $0.opType == "Conv" }.map(\.name)
    #expect(convolutions.count == 4)
    #expect(Set(convolutions) == ["a.conv_h2h", "a.conv_h2l", "b.conv_h2h", "b.conv_l2h"])
  }

  @Test func cropOfTransposedConvolution() throws {
    let model = try ReadModel(shape) { x in
      let octave = try OctConv2d(
        "a", inputChannels: 4, outputChannels: 4, kernelSize: 1, alphaIn: 0, alphaOut: 0.5)(x)
      return try OctConvTranspose2d(
        "b", inputChannels: 4, outputChannels: 2, kernelSize: 3, stride: 1, padding: 0, alphaIn: 0.5)(octave)
    }
    #expect(model.kinds.contains("Slice"))
  }

  /// It does nothing at inference.
  @Test func dropoutIsNoNode() throws {
    let model = try ReadModel(shape) { try ReLU()(Dropout(0.5)($0)) }
    #expect(model.kinds == ["Relu"] && model.nodes[0].input == ["image"])
    let last = try ReadModel(shape) { try Dropout(0.5)(ReLU()($0)) }
    #expect(last.kinds == ["Relu"] && last.nodes[0].output == ["logits"])
    let only = try ReadModel(shape) { try Dropout(0.5)($0) }
    #expect(only.kinds == ["Identity"] && only.nodes[0].output == ["logits"])
  }

  /// Of somebody's own: what it is to the passes is enough; what says nothing is an error that names the layer.
  @Test func ownOperations() throws {
    let model = try ReadModel(shape) {
      OctFeature(try $0.plain(for: "a test").applying(Own(role: .activation(.silu))))
    }
    #expect(model.kinds == ["Sigmoid", "Mul"])
    struct Named: Layer {
      let name = "mine"
      func forward(_ x: OctFeature) throws -> OctFeature {
        OctFeature(try x.plain(for: "a test").applying(Own(role: .opaque)))
      }
    }
    let network = try Network(inputShape: shape, seed: 1) { try Named()(ReLU()($0)) }
    #expect(throws: OctNetError.graph(layer: "mine", "the operation \"own\" has no form in ONNX")) {
      try ONNXModel(network)
    }
  }
}

private struct Own: Operation {
  let role: OperationRole
  var kind: String { "own" }
  var backwardReads: BackwardReads { .nothing }
  func outputShape(_ inputs: [MapShape]) -> MapShape { inputs[0] }
  func forward(_ context: ForwardContext) {}
  func backward(_ context: BackwardContext) {}
}
