import OctNetCore
import OctNetSupport

/// How the weights of an ordinary network (α = 0) become those of the octave network of the same layers, and the way back.
///
/// Each kernel W[out, in, kh, kw] is cut into W_HH, W_LH, W_HL and W_LL by the octave of its outputs and inputs, each norm
/// into two; no number changes. Where a map is constant, pooling and upsampling change nothing, so W_HH x_H + W_LH x_L is
/// the high part of what W gives, and W_LL x_L + W_HL x_H the low part: the scale of activations stays. It is the detail in
/// the low channels that is lost.
///
/// The two networks are walked node by node. A layer with several paths stands for the one ordinary layer of its channels;
/// a 1×1 convolution (and its norm) that only the octave network has, such as the shortcut at which channels are divided
/// first, becomes the identity. Which ordinary channels a map has follows from the layers that made it, so that
/// concatenations (DenseNet) are taken apart; where groups read a map (ResNeXt), each group gives its share to the low map,
/// so that grouped kernels are cut without loss, too.
///
/// Where ε of the norms differs (DenseNet's is 1e-5 at α = 0 and 1e-4 elsewhere), γ makes up for it:
/// γ √((var + ε_octave) / (var + ε_ordinary)).
public struct OctaveSlicing: Sendable {
  /// Layers of the octave network that are the identity.
  public private(set) var identities: [String] = []
  /// Weights of the ordinary network that no path of the octave one has, because a path is switched off.
  public var leftOut: Int { ordinaryCount - slices.reduce(0) { $0 + $1.count } }

  private var slices: [WeightSlice] = []
  /// Biases that are added to others: paths into one map have one each, where the ordinary layer has one.
  private var addedBiases: [(octave: String, to: String)] = []
  /// What identities are made of.
  private var constants: StateDictionary = []
  /// For each octave norm: keys up to the last dot, and ε.
  private var norms: [(octave: String, ordinary: String, epsilons: (octave: Float, ordinary: Float))] = []
  private let ordinarySlots, octaveSlots: [StateFitting.Slot]
  private var ordinaryCount: Int {
    ordinarySlots.reduce(0) { $0 + ($1.isCounter ? 0 : $1.shape.reduce(1, *)) }
  }

  /// - Throws: `OctNetError.graph`, naming the layer, for networks that are not the same but for their octaves.
  public init(ordinary: Graph, octave: Graph) throws(OctNetError) {
    ordinarySlots = StateFitting.slots(of: ordinary)
    octaveSlots = StateFitting.slots(of: octave)
    let layers = try NetworkLayer.all(of: ordinary)
    let (inputs, groups) = try ChannelTrace.ordinary(ordinary, layers)
    let octaveLayers = try NetworkLayer.all(of: octave)
    let partners = try Self.partners(of: octaveLayers, among: layers)
    var places: [Int: (layer: Int, path: LayerPath)] = [:]
    for (place, layer) in octaveLayers.enumerated() {
      for path in layer.paths { places[path.node] = (place, path) }
    }
    let slotsOfLayers = Dictionary(grouping: octaveSlots) { Self.prefix($0.name) }
    let shapes = Dictionary(
      ordinarySlots.map { ($0.name, $0.shape) }, uniquingKeysWith: { first, _ in first })
    var trace = ChannelTrace(octave)
    for node in octave.nodes.indices {
      guard let (place, path) = places[node] else {
        try trace.pass(node)
        continue
      }
      let read = trace.inputs(of: node)
      let slots = slotsOfLayers[path.prefix] ?? []
      guard let partner = partners[place] else {
        let kept = addIdentity(path, of: octaveLayers[place], slots, read)
        trace.set(kept, of: node)
        continue
      }
      let cut = LayerCut(
        layer: layers[partner], place: partner, groups: groups[partner], inputs: inputs[partner],
        octave: octaveLayers[place])
      let (rows, columns, written) = try cut.slice(path, reading: read)
      trace.set(written, of: node)
      add(path, of: layers[partner], slots, shapes, rows: rows, columns: columns)
    }
  }

  /// Up to the last dot.
  private static func prefix(_ key: String) -> String {
    key.lastIndex(of: ".").map { String(key[...$0]) } ?? ""
  }

  /// The ordinary layer of each octave one, by their order; nil for an identity.
  private static func partners(
    of octave: [NetworkLayer], among ordinary: [NetworkLayer]
  ) throws(OctNetError) -> [Int?] {
    var partners: [Int?] = []
    var next = 0
    for layer in octave {
      if next < ordinary.count, layer.isOctave(of: ordinary[next]) {
        partners.append(next)
        next += 1
      } else if layer.canBeIdentity {
        partners.append(nil)
      } else {
        throw .graph(layer: layer.name, "the ordinary network has no such layer at this place")
      }
    }
    guard next == ordinary.count else {
      throw .graph(layer: ordinary[next].name, "the octave network has no such layer")
    }
    return partners
  }

  private mutating func add(
    _ path: LayerPath, of layer: NetworkLayer, _ slots: [StateFitting.Slot], _ shapes: [String: [Int]],
    rows: [Int], columns: [[Int]]
  ) {
    let prefix = layer.paths[0].prefix
    for slot in slots where !slot.isCounter {
      let name = prefix + slot.name.dropFirst(path.prefix.count)
      guard let shape = shapes[name] else { continue }
      if case .convolution = path.kind, slot.shape.count == 1,
        let first = slices.first(where: { $0.ordinary == name && $0.rows == rows })
      {
        addedBiases.append((slot.name, first.octave))
        continue
      }
      slices.append(
        WeightSlice(
          octave: slot.name, ordinary: name, octaveShape: slot.shape, ordinaryShape: shape, rows: rows,
          columns: slot.shape.count > 1 ? columns : [[0]]))
    }
    if case .batchNorm(let epsilon) = path.kind, case .batchNorm(let other) = layer.paths[0].kind {
      norms.append((path.prefix, prefix, (epsilon, other)))
    }
  }

  /// Weights that give what `path` reads, and the labels of that.
  private mutating func addIdentity(
    _ path: LayerPath, of layer: NetworkLayer, _ slots: [StateFitting.Slot], _ read: [ChannelLabel]
  ) -> [ChannelLabel] {
    if !identities.contains(layer.name) { identities.append(layer.name) }
    if case .batchNorm(let epsilon) = path.kind {
      for slot in slots where !slot.isCounter {
        let isScale = slot.name.hasSuffix(".weight"), isVariance = slot.name.hasSuffix(".running_var")
        // γ / √(1 + ε) is 1.
        let value: Float = isScale ? (1 + epsilon).squareRoot() : isVariance ? 1 : 0
        constants.append(
          (
            slot.name,
            .tensor(Tensor(shape: slot.shape, values: Array(repeating: value, count: slot.shape[0])))
          ))
      }
      return read
    }
    let first = path.writesLow ? layer.high : 0
    for slot in slots where slot.shape.count == 4 {
      var weight = Tensor(zeros: slot.shape)
      for row in 0..<slot.shape[0] { weight.values[row * slot.shape[1] + first + row] = 1 }
      constants.append((slot.name, .tensor(weight)))
    }
    return Array(read[first..<first + path.outputs])
  }
}

// MARK: Weights

extension OctaveSlicing {
  /// The octave network's weights and running statistics; its counters are the ordinary network's.
  ///
  /// - Throws: `OctNetError.stateDictionary` for a key that is not there or of another shape.
  public func sliced(_ ordinary: StateDictionary) throws(OctNetError) -> StateDictionary {
    let given = try Self.checked(ordinary, ordinarySlots)
    var made = Dictionary(constants.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
    for slice in slices {
      guard case .tensor(let tensor)? = given[slice.ordinary] else { continue }
      made[slice.octave] = .tensor(slice.taken(from: tensor))
    }
    for norm in norms {
      made[norm.octave + "num_batches_tracked"] = given[norm.ordinary + "num_batches_tracked"]
      Self.rescale(&made, norm.octave, from: norm.epsilons.ordinary, to: norm.epsilons.octave)
    }
    // What nothing reads, where a path is switched off, has weights all the same; any would do. A second bias of a map is 0.
    for slot in octaveSlots where !slot.isCounter && made[slot.name] == nil {
      made[slot.name] = .tensor(Tensor(zeros: slot.shape))
    }
    return Self.ordered(made, octaveSlots)
  }

  /// The ordinary network's weights: the exact inverse of `sliced`.
  ///
  /// - Throws: `OctNetError.stateDictionary` for a key that is not there or of another shape; `OctNetError.graph` where a
  ///   path is switched off, or where a layer that only the octave network has is no longer the identity.
  public func joined(_ octave: StateDictionary) throws(OctNetError) -> StateDictionary {
    let given = try Self.checked(octave, octaveSlots)
    guard leftOut == 0 else {
      throw .graph(
        layer: "",
        "an octave network without some of its paths has no weights for the ordinary one in their place")
    }
    for (name, value) in constants where given[name] != value {
      throw .graph(
        layer: name, "was trained, and the ordinary network has no such layer: there is no exact way back")
    }
    var made: [String: StateValue] = [:]
    for slot in ordinarySlots {
      made[slot.name] = slot.isCounter ? .counter(0) : .tensor(Tensor(zeros: slot.shape))
    }
    var values = given
    for norm in norms {
      Self.rescale(&values, norm.octave, from: norm.epsilons.octave, to: norm.epsilons.ordinary)
      let counter = norm.ordinary + "num_batches_tracked"
      if case .counter(let count)? = given[norm.octave + "num_batches_tracked"],
        case .counter(let other)? = made[counter]
      {
        made[counter] = .counter(max(count, other))
      }
    }
    for (octave, first) in addedBiases {
      guard case .tensor(let bias)? = values[octave], case .tensor(var sum)? = values[first] else { continue }
      for index in sum.values.indices { sum.values[index] += bias.values[index] }
      values[first] = .tensor(sum)
    }
    for slice in slices {
      guard case .tensor(let part)? = values[slice.octave],
        case .tensor(var tensor)? = made.removeValue(forKey: slice.ordinary)
      else { continue }
      slice.put(part, into: &tensor)
      made[slice.ordinary] = .tensor(tensor)
    }
    return Self.ordered(made, ordinarySlots)
  }

  /// γ of a norm with another ε that gives the same numbers.
  private static func rescale(
    _ state: inout [String: StateValue], _ prefix: String, from old: Float, to new: Float
  ) {
    guard old != new, case .tensor(var scale)? = state[prefix + "weight"],
      case .tensor(let variance)? = state[prefix + "running_var"]
    else { return }
    for (channel, variance) in variance.values.enumerated() {
      let ratio = (Double(variance) + Double(new)) / (Double(variance) + Double(old))
      scale.values[channel] = Float(Double(scale.values[channel]) * ratio.squareRoot())
    }
    state[prefix + "weight"] = .tensor(scale)
  }

  private static func checked(
    _ state: StateDictionary, _ slots: [StateFitting.Slot]
  ) throws(OctNetError) -> [String: StateValue] {
    if let mismatch = StateFitting(state, slots: slots).mismatch() { throw .stateDictionary(mismatch) }
    return Dictionary(state.map { ($0.name, $0.value) }, uniquingKeysWith: { first, _ in first })
  }

  private static func ordered(_ state: [String: StateValue], _ slots: [StateFitting.Slot]) -> StateDictionary
  {
    slots.map { ($0.name, state[$0.name] ?? (.counter(0))) }
  }
}
