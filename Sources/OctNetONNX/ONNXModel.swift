import Foundation
import OctNetCheckpoint
import OctNetCore
import OctNetModels
import OctNetSupport

/// A network with its weights as an ONNX model (opset 17), for ONNX Runtime, OpenVINO and other programs.
///
/// ```swift
/// let network = try checkpoint.makeNetwork()
/// try ONNXModel(network).write(to: "model.onnx")
/// ```
///
/// Its input `image` is [batch, channels, height, width] with a free batch; height and width are those of the network. Outputs
/// bear the network's names, a network's only one that of `logits`; a first output of one pixel is [batch, channels], all
/// others are maps in the order of the input. Nodes and constants are named after the layers and parameters. The same network
/// gives the same bytes.
public struct ONNXModel: Sendable {
  /// What `image` holds.
  public enum Input: Equatable, Sendable {
    /// float32, normalised as in training.
    case normalized
    /// Bytes of pixels, 0 … 255; the normalisation is part of the model.
    case bytes(Normalization)
  }

  /// What becomes of batch norms.
  public enum Norms: String, CaseIterable, Sendable {
    /// They go into the weights of the convolutions in front of them wherever those are read by nothing else.
    case folded
    /// Every norm is a node, for tools that look for them.
    case kept
  }

  /// An output of the model.
  public struct Output: Equatable, Sendable {
    /// As runtimes ask for it.
    public let name: String
    /// Without the batch, which is in front: [channels] or [channels, height, width].
    public let shape: [Int]
  }

  /// The version of ONNX's operators that the model is written in.
  public static let opset = 17
  /// The input's name.
  public static let inputName = "image"

  /// The network's own, then those of the layers that were asked for.
  public let outputs: [Output]
  let proto: Onnx_ModelProto
  private let weightBytes: Int

  /// - Parameters:
  ///   - network: is read; its weights and running statistics become constants.
  ///   - input: what `image` holds.
  ///   - layers: dotted paths of layers, or of what is above them, whose maps become further outputs: `layer3`, `layer4.0`; an
  ///     octave feature is two, `layer3.high` and `layer3.low`.
  ///   - norms: what becomes of batch norms.
  ///   - metadata: strings that the file holds beside the network, such as those of `metadata(of:)`.
  /// - Throws: `OctNetError.graph`, naming the layer, for an operation that has no form in ONNX;
  ///   `OctNetError.configuration` for layers that the network has not, and a normalisation that does not fit its channels.
  public init(
    _ network: Network, input: Input = .normalized, layers: [String] = [], norms: Norms = .folded,
    metadata: [String: String] = [:]
  ) throws(OctNetError) {
    let graph = network.graph
    let published = try Self.published(graph, layers)
    var list = NodeList(reserved: [Self.inputName] + published.map(\.name))
    var image = Self.inputName
    if case .bytes(let normalization) = input {
      try normalization.validate(channels: network.inputShape.channels)
      image = list.normalization(image, mean: normalization.mean, std: normalization.std)
    }
    let folding = norms == .folded ? NormFolding(network, outputs: Set(published.map(\.value))) : nil
    var translation = try GraphTranslation(network, folding: folding, list: list, image: image)
    var outputs: [Output] = []
    // Tensors that cannot get another name.
    var taken: Set = [image]
    for (index, (name, value)) in published.enumerated() {
      let shape = graph.shape(of: value)
      let isVector = index == 0 && shape.pixels == 1
      let own = isVector ? translation.vector(value) : translation.map(value)
      translation.list.publish(own, as: name, isTaken: taken.contains(own))
      if taken.insert(own).inserted {
        translation.rename(own, to: name)
        taken.insert(name)
      }
      outputs.append(
        Output(name: name, shape: [shape.channels] + (isVector ? [] : [shape.height, shape.width])))
    }
    self.outputs = outputs
    weightBytes = translation.list.initializerBytes
    proto = Self.model(
      translation.list, image: network.inputShape, isBytes: input != .normalized, outputs, metadata)
  }

  /// What a checkpoint says of its network, under the keys that it has in the file of weights: `octnet.model`,
  /// `octnet.class_names`, `octnet.normalization`.
  public static func metadata(of checkpoint: Checkpoint) -> [String: String] {
    var result: [String: String] = [:]
    func add(_ key: String, _ value: (some Encodable)?) {
      if let value { result["octnet." + key] = try? StrictJSON.encode(value) }
    }
    add("model", checkpoint.model)
    add("class_names", checkpoint.classNames.isEmpty ? nil : checkpoint.classNames)
    add("normalization", checkpoint.normalization)
    return result
  }

  /// The bytes of the file.
  ///
  /// - Throws: `OctNetError.graph` for weights that one file cannot hold.
  public func serialized() throws(OctNetError) -> [UInt8] {
    do { return try proto.serializedBytes() } catch {
      throw .graph(
        layer: "", "its weights take \(numbered(weightBytes, "byte")), but an ONNX file holds less than 2 GiB"
      )
    }
  }

  /// - Throws: as `serialized`; `OctNetError.file` where the file cannot be written; one that was there stays as it was.
  public func write(to path: String) throws(OctNetError) {
    let bytes = try serialized()
    do {
      try AtomicFile.write(to: path) { try bytes.withUnsafeBytes($0.write) }
    } catch { throw OctNetError.wrapping(error, path: path) }
  }

  // MARK: Parts

  private static func published(
    _ graph: Graph, _ layers: [String]
  ) throws(OctNetError) -> [(name: String, value: ValueID)] {
    // What a network of one output calls it unless it was told otherwise.
    let isUnnamed = graph.outputs.count == 1 && graph.outputs[0].name == "output"
    var result = graph.outputs.map { (name: isUnnamed ? "logits" : $0.name, value: $0.value) }
    for layer in layers {
      for output in try graph.outputs(ofLayer: layer) {
        guard !result.contains(where: { $0.name == output.name }) else {
          throw .configuration(key: "outputs", "two outputs are called \(output.name)")
        }
        result.append(output)
      }
    }
    guard let taken = result.first(where: { $0.name == inputName }) else { return result }
    throw .configuration(key: "outputs", "\(taken.name) is the name of the input")
  }

  private static func model(
    _ list: NodeList, image: MapShape, isBytes: Bool, _ outputs: [Output], _ metadata: [String: String]
  ) -> Onnx_ModelProto {
    var graph = Onnx_GraphProto()
    graph.name = "OctNet"
    graph.node = list.nodes
    graph.initializer = list.initializers
    graph.input = [
      value(inputName, isBytes ? .uint8 : .float, [image.channels, image.height, image.width])
    ]
    graph.output = outputs.map { value($0.name, .float, $0.shape) }
    var operators = Onnx_OperatorSetIdProto()
    operators.domain = ""
    operators.version = Int64(opset)
    var model = Onnx_ModelProto()
    // The first version of the format that opset 17 came with.
    model.irVersion = 8
    model.opsetImport = [operators]
    model.producerName = "OctNet"
    model.graph = graph
    model.metadataProps = metadata.sorted { $0.key < $1.key }.map { key, value in
      var entry = Onnx_StringStringEntryProto()
      entry.key = key
      entry.value = value
      return entry
    }
    return model
  }

  /// A tensor with a batch in front.
  private static func value(
    _ name: String, _ type: Onnx_TensorProto.DataType, _ shape: [Int]
  ) -> Onnx_ValueInfoProto {
    var batch = Onnx_TensorShapeProto.Dimension()
    batch.dimParam = "batch"
    var tensor = Onnx_TypeProto.Tensor()
    tensor.elemType = Int32(type.rawValue)
    tensor.shape.dim =
      [batch]
      + shape.map { size in
        var dimension = Onnx_TensorShapeProto.Dimension()
        dimension.dimValue = Int64(size)
        return dimension
      }
    var result = Onnx_ValueInfoProto()
    result.name = name
    result.type.tensorType = tensor
    return result
  }
}
