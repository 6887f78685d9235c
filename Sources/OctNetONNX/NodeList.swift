import Foundation
import OctNetCore
import OctNetSupport

/// The nodes and constants of an ONNX graph while it is written; every tensor has a name of its own.
struct NodeList {
  private(set) var nodes: [Onnx_NodeProto] = []
  private(set) var initializers: [Onnx_TensorProto] = []
  /// Bytes of all initializers.
  private(set) var initializerBytes = 0
  private var names: Set<String>
  /// Small constants that many nodes read.
  private var shared: [String: String] = [:]

  /// - Parameter reserved: names of inputs and outputs, which nothing else gets.
  init(reserved: [String]) { names = Set(reserved) }

  // MARK: Names

  /// `name`, or that with the first free number.
  mutating func unique(_ name: String) -> String {
    if names.insert(name).inserted { return name }
    var number = 1
    while !names.insert("\(name)_\(number)").inserted { number += 1 }
    return "\(name)_\(number)"
  }

  // MARK: Nodes

  /// Adds a node whose one output bears its name.
  /// - Returns: the output's name.
  mutating func add(
    _ kind: String, _ name: String, _ inputs: [String], _ attributes: [Onnx_AttributeProto] = []
  ) -> String {
    var node = Onnx_NodeProto()
    node.opType = kind
    node.name = unique(name)
    node.input = inputs
    node.output = [node.name]
    node.attribute = attributes
    nodes.append(node)
    return node.name
  }

  /// Gives a tensor its name as an output of the graph; one that has such a name already is copied.
  mutating func publish(_ tensor: String, as output: String, isTaken: Bool) {
    if isTaken || tensor == output {
      var copy = Onnx_NodeProto()
      copy.opType = "Identity"
      copy.name = unique(output + "/copy")
      copy.input = [tensor]
      copy.output = [output]
      nodes.append(copy)
      return
    }
    for index in nodes.indices {
      if nodes[index].output == [tensor] { nodes[index].output = [output] }
      if nodes[index].input.contains(tensor) {
        nodes[index].input = nodes[index].input.map { $0 == tensor ? output : $0 }
      }
    }
  }

  // MARK: Constants

  /// Adds float32 numbers.
  /// - Returns: the constant's name.
  mutating func constant(_ name: String, shape: [Int], _ values: [Float]) -> String {
    precondition(values.count == shape.reduce(1, *))
    let littleEndian = values.map(\.bitPattern.littleEndian)
    return constant(name, shape, .float, littleEndian.withUnsafeBytes { Data($0) })
  }

  /// Integers, such as a shape; equal ones are one constant.
  mutating func integers(_ values: [Int]) -> String {
    let key = "constant/" + values.map(String.init).joined(separator: "_")
    if let known = shared[key] { return known }
    let littleEndian = values.map { Int64($0).littleEndian }
    let name = constant(key, [values.count], .int64, littleEndian.withUnsafeBytes { Data($0) })
    shared[key] = name
    return name
  }

  /// Floats that are read as they are, such as the scales of an upsampling; equal ones of equal shape are one constant.
  mutating func numbers(_ values: [Float], shape: [Int]) -> String {
    let key =
      "constant/" + values.map { "\($0)" }.joined(separator: "_") + (shape.isEmpty ? "" : "_list")
    if let known = shared[key] { return known }
    let name = constant(key, shape: shape, values)
    shared[key] = name
    return name
  }

  /// A single float.
  mutating func scalar(_ value: Float) -> String { numbers([value], shape: []) }

  private mutating func constant(
    _ name: String, _ shape: [Int], _ type: Onnx_TensorProto.DataType, _ bytes: Data
  ) -> String {
    var tensor = Onnx_TensorProto()
    tensor.name = unique(name)
    tensor.dims = shape.map(Int64.init)
    tensor.dataType = Int32(type.rawValue)
    tensor.rawData = bytes
    initializers.append(tensor)
    initializerBytes += bytes.count
    return tensor.name
  }
}

/// Attributes of nodes.
extension Onnx_AttributeProto {
  private init(_ name: String, _ type: AttributeType) {
    self.init()
    self.name = name
    self.type = type
  }

  static func int(_ name: String, _ value: Int) -> Self {
    var result = Self(name, .int)
    result.i = Int64(value)
    return result
  }

  static func ints(_ name: String, _ values: [Int]) -> Self {
    var result = Self(name, .ints)
    result.ints = values.map(Int64.init)
    return result
  }

  static func float(_ name: String, _ value: Float) -> Self {
    var result = Self(name, .float)
    result.f = value
    return result
  }

  static func string(_ name: String, _ value: String) -> Self {
    var result = Self(name, .string)
    result.s = Data(value.utf8)
    return result
  }
}
