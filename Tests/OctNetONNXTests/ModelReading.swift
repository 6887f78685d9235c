import SwiftProtobuf
import Testing

import OctNet
@testable import OctNetONNX

/// Models as another program reads them: from their bytes.
struct ReadModel {
  let proto: Onnx_ModelProto

  init(_ model: ONNXModel) throws {
    proto = try Onnx_ModelProto(serializedBytes: model.serialized())
  }

  init(
    _ shape: MapShape, norms: ONNXModel.Norms = .folded, _ body: (OctFeature) throws -> OctFeature
  ) throws {
    try self.init(ONNXModel(Network(inputShape: shape, seed: 1, body: body), norms: norms))
  }

  var nodes: [Onnx_NodeProto] { proto.graph.node }
  var kinds: [String] { nodes.map(\.opType) }

  func node(_ name: String) throws -> Onnx_NodeProto {
    try #require(nodes.first { $0.name == name }, "\(nodes.map(\.name))")
  }

  func constant(_ name: String) throws -> Onnx_TensorProto {
    try #require(proto.graph.initializer.first { $0.name == name }, "\(name)")
  }

  /// The numbers of a float32 constant.
  func floats(_ name: String) throws -> [Float] {
    let tensor = try constant(name)
    #expect(tensor.dataType == 1)
    return tensor.rawData.withUnsafeBytes { bytes in
      (0..<bytes.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
  }

  /// The numbers of an int64 constant.
  func integers(_ name: String) throws -> [Int64] {
    let tensor = try constant(name)
    #expect(tensor.dataType == 7)
    return tensor.rawData.withUnsafeBytes { bytes in
      (0..<bytes.count / 8).map { bytes.loadUnaligned(fromByteOffset: 8 * $0, as: Int64.self) }
    }
  }

  /// Name, element type and shape as a text.
  static func description(_ value: Onnx_ValueInfoProto) -> String {
    let dimensions = value.type.tensorType.shape.dim.map { dimension in
      if case .dimParam(let name) = dimension.value { return name }
      return "\(dimension.dimValue)"
    }
    return "\(value.name) \(value.type.tensorType.elemType) [\(dimensions.joined(separator: ", "))]"
  }
}

extension Onnx_NodeProto {
  func ints(_ name: String) -> [Int64]? { attribute.first { $0.name == name && $0.type == .ints }?.ints }
  func int(_ name: String) -> Int64? { attribute.first { $0.name == name && $0.type == .int }?.i }
  func float(_ name: String) -> Float? { attribute.first { $0.name == name && $0.type == .float }?.f }
  func string(_ name: String) -> String? {
    attribute.first { $0.name == name && $0.type == .string }.map { String(decoding: $0.s, as: UTF8.self) }
  }
}
