import OctNetCore
import OctNetSupport

/// An ordinary layer and how its channels go to the two octaves.
struct LayerCut {
  let layer: NetworkLayer
  /// Among the ordinary network's layers.
  let place: Int
  /// How many groups read, or make, what it gives: each group gives the same number of channels to the low map.
  let groups: Int
  /// Labels of what the ordinary layer reads.
  let inputs: [ChannelLabel]
  let octave: NetworkLayer

  /// The ordinary outputs of the octave that `path` writes, in the order of its map.
  private func outputs(of path: LayerPath) -> [Int] {
    let size = layer.outputs / groups, high = octave.high / groups
    return (0..<groups).flatMap { group in
      (path.writesLow ? high..<size : 0..<high).map { group * size + $0 }
    }
  }

  /// Rows and columns of the path's weights in the ordinary layer's, and the labels of what the path gives.
  func slice(
    _ path: LayerPath, reading read: [ChannelLabel]
  ) throws(OctNetError) -> (rows: [Int], columns: [[Int]], written: [ChannelLabel]) {
    // A channel may be there more than once, in a concatenation of a map and what a gate makes of it: in the same order.
    var known = Dictionary(grouping: inputs.indices.reversed()) { inputs[$0] }
    let positions = read.compactMap { known[$0]?.popLast() }
    guard positions.count == read.count, positions.count == path.inputs else {
      throw .graph(layer: path.prefix, "reads channels that the ordinary layer does not read")
    }
    // One output for each input.
    if layer.isNorm || layer.isDepthwise { return (positions, [[0]], read) }

    let rows = outputs(of: path)
    guard rows.count == path.outputs else {
      throw .graph(
        layer: path.prefix,
        "\(numbered(groups, "group")) do not divide its \(numbered(path.outputs, "channel"))")
    }
    let written = rows.map { ChannelLabel(layer: place, channel: $0) }
    guard layer.groups > 1 else { return (rows, [positions], written) }
    let width = layer.inputs / layer.groups
    let columns = (0..<layer.groups).map { group in
      let size = positions.count / layer.groups
      return positions[group * size..<(group + 1) * size].map { $0 - group * width }
    }
    guard columns.allSatisfy({ $0.allSatisfy((0..<width).contains) }),
      case .convolution(layer.groups, _) = path.kind
    else { throw .graph(layer: path.prefix, "its groups are not those of the ordinary layer") }
    return (rows, columns, written)
  }
}
