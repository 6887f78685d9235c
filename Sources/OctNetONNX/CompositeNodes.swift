import OctNetCore

/// Operations that are several nodes, or one with more to say.
extension NodeList {
  mutating func activation(_ activation: Activation, _ name: String, _ x: String) -> String {
    switch activation {
    case .relu: return add("Relu", name, [x])
    case .clamp(let low, let high): return add("Clip", name, [x, scalar(low), scalar(high)])
    case .leakyReLU(let slope): return add("LeakyRelu", name, [x], [.float("alpha", slope)])
    case .sigmoid: return add("Sigmoid", name, [x])
    case .silu:
      let gate = add("Sigmoid", name + "/sigmoid", [x])
      return add("Mul", name, [x, gate])
    case .gelu:
      // x · (1 + erf(x / √2)) · ½, in the order in which PyTorch writes it and runtimes look for it.
      let argument = add("Div", name + "/div", [x, scalar(Float(2).squareRoot())])
      let error = add("Erf", name + "/erf", [argument])
      let sum = add("Add", name + "/add", [error, scalar(1)])
      let product = add("Mul", name + "/mul", [x, sum])
      return add("Mul", name, [product, scalar(0.5)])
    }
  }

  /// Opset 17 has no group norm, but that of instances: a group is an instance's channel.
  mutating func groupNorm(
    _ name: String, _ x: String, shape: MapShape, groups: Int, epsilon: Float,
    scale: (name: String, values: [Float]), shift: (name: String, values: [Float])
  ) -> String {
    let channels = [shape.channels, 1, 1]
    let parts = add("Reshape", name + "/groups", [x, integers([0, groups, -1])])
    let ones = numbers(Array(repeating: 1, count: groups), shape: [groups])
    let zeros = numbers(Array(repeating: 0, count: groups), shape: [groups])
    let normal = add(
      "InstanceNormalization", name + "/normal", [parts, ones, zeros], [.float("epsilon", epsilon)])
    let map = add(
      "Reshape", name + "/map", [normal, integers([0, shape.channels, shape.height, shape.width])])
    let scaled = add("Mul", name + "/scaled", [map, constant(scale.name, shape: channels, scale.values)])
    return add("Add", name, [scaled, constant(shift.name, shape: channels, shift.values)])
  }

  mutating func upsampling(_ name: String, _ x: String, scale: Int, isBilinear: Bool) -> String {
    let scales = numbers([1, 1, Float(scale), Float(scale)], shape: [4])
    let attributes: [Onnx_AttributeProto] =
      isBilinear
      ? [.string("mode", "linear"), .string("coordinate_transformation_mode", "half_pixel")]
      : [
        .string("mode", "nearest"), .string("coordinate_transformation_mode", "asymmetric"),
        .string("nearest_mode", "floor"),
      ]
    return add("Resize", name, [x, "", scales], attributes)
  }

  mutating func crop(_ name: String, _ x: String, to shape: MapShape) -> String {
    add(
      "Slice", name, [x, integers([0, 0]), integers([shape.height, shape.width]), integers([2, 3])])
  }

  /// Bytes of images as the network reads them: (byte / 255 − mean) / std, in the order of `Normalization`, to the bit.
  mutating func normalization(_ image: String, mean: [Float], std: [Float]) -> String {
    let shape = [mean.count, 1, 1]
    let float = add(
      "Cast", "normalization/cast", [image], [.int("to", Onnx_TensorProto.DataType.float.rawValue)])
    let unit = add("Div", "normalization/unit", [float, scalar(255)])
    let centred = add(
      "Sub", "normalization/centred", [unit, constant("normalization.mean", shape: shape, mean)])
    return add("Div", "normalization", [centred, constant("normalization.std", shape: shape, std)])
  }
}
