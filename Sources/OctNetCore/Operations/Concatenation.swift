import CKernels
import OctNetSupport

/// The channels of several maps of one size side by side.
///
/// A copy, but not where convolutions read it: they sum over the maps themselves (`ConcatenatedLayout`), and where nothing
/// else reads it the map does not exist.
struct Concatenation: Operation {
  let shapes: [MapShape]

  var kind: String { "concat" }
  var backwardReads: BackwardReads { .nothing }

  /// - Throws: `OctNetError.graph` for maps of unlike heights and widths.
  func outputShape(_ inputs: [MapShape]) throws(OctNetError) -> MapShape {
    let first = inputs[0]
    guard inputs.allSatisfy({ $0.height == first.height && $0.width == first.width }) else {
      let found = inputs.map(\.description).joined(separator: ", ")
      throw .graph(layer: "", "concatenation needs maps of one height and width, found \(found)")
    }
    return MapShape(height: first.height, width: first.width, channels: inputs.reduce(0) { $0 + $1.channels })
  }

  private var channels: Int { shapes.reduce(0) { $0 + $1.channels } }

  func forward(_ c: ForwardContext) {
    var first = 0
    for (index, shape) in shapes.enumerated() {
      check(
        oct_copy_channels(
          c.batch * shape.pixels, shape.channels, c.input(index), shape.channels, c.output + first, channels,
          false, Int32(c.threads)))
      first += shape.channels
    }
  }

  func backward(_ c: BackwardContext) {
    var first = 0
    for (index, shape) in shapes.enumerated() {
      if let sink = c.inputGradient(index) {
        check(
          oct_copy_channels(
            c.batch * shape.pixels, shape.channels, c.outputGradient + first, channels, sink.pointer,
            shape.channels, sink.accumulate, Int32(c.threads)))
      }
      first += shape.channels
    }
  }
}

/// The weights of a convolution that sums over the parts of a concatenation: those of each part, one after the other.
struct ConcatenatedLayout: ParameterLayout {
  let parts: [ConvGeometry]

  var storedCount: Int { parts.reduce(0) { $0 + $1.storedCount } }

  /// Whether the kernels sum over so many maps at once.
  var isSupported: Bool {
    Convolution(concatenated: self, weight: ParameterID(index: 0), bias: nil).isSupported
  }

  /// Floats before each part.
  var offsets: [Int] {
    parts.indices.map { index in parts[..<index].reduce(0) { $0 + $1.storedCount } }
  }

  /// OIHW of the whole: an output channel has the taps of all parts' channels one after the other.
  private func forEachPart(
    _ body: (ConvGeometry, _ stored: Int, _ first: Int, _ row: Int, _ whole: Int) -> Void
  ) {
    func row(_ part: ConvGeometry) -> Int { part.weightShape.dropFirst().reduce(1, *) }
    let whole = parts.reduce(0) { $0 + row($1) }
    var first = 0
    for (part, offset) in zip(parts, offsets) {
      body(part, offset, first, row(part), whole)
      first += row(part)
    }
  }

  func pack(_ oihw: UnsafePointer<Float>, into weights: UnsafeMutablePointer<Float>) {
    forEachPart { part, stored, first, row, whole in
      let outputs = part.output.channels
      let slice = UnsafeMutablePointer<Float>.allocate(capacity: outputs * row)
      defer { slice.deallocate() }
      for output in 0..<outputs {
        (slice + output * row).update(from: oihw + output * whole + first, count: row)
      }
      part.pack(slice, into: weights + stored)
    }
  }

  func unpack(_ weights: UnsafePointer<Float>, into oihw: UnsafeMutablePointer<Float>) {
    forEachPart { part, stored, first, row, whole in
      let outputs = part.output.channels
      let slice = UnsafeMutablePointer<Float>.allocate(capacity: outputs * row)
      defer { slice.deallocate() }
      part.unpack(weights + stored, into: slice)
      for output in 0..<outputs {
        (oihw + output * whole + first).update(from: slice + output * row, count: row)
      }
    }
  }
}

extension SymbolicMap {
  /// The maps that this one is a concatenation of, and those that they are of; itself where it is none.
  var concatenatedParts: [SymbolicMap] {
    guard let node = builder.graph.nodes.last(where: { $0.output == id }), node.operation is Concatenation
    else {
      return [self]
    }
    return node.inputs.flatMap { SymbolicMap(builder: builder, id: $0).concatenatedParts }
  }
}

/// The channels of several features side by side, of both octaves: [h, w, c₁], [h, w, c₂], … → [h, w, c₁ + c₂ + …].
///
/// A convolution without groups that reads it takes the maps as they are, up to four of them, without a copy.
///
/// A feature that lacks an octave adds no channels to it.
///
/// - Throws: `OctNetError.graph` for features of unlike sizes.
public func concatenated(_ features: [OctFeature]) throws -> OctFeature {
  guard let first = features.first else { preconditionFailure("a concatenation of nothing") }
  guard features.count > 1 else { return first }
  precondition(features.allSatisfy { $0.builder === first.builder }, "maps of different networks do not meet")
  func joined(_ part: (OctFeature) -> SymbolicMap?) throws -> SymbolicMap? {
    let maps = features.compactMap(part)
    guard maps.count > 1 else { return maps.first }
    return try first.builder.record(Concatenation(shapes: maps.map(\.shape)), maps)
  }
  guard features.allSatisfy({ $0.height == first.height && $0.width == first.width }) else {
    let found = features.map { "\($0.height)×\($0.width)" }.joined(separator: ", ")
    throw first.builder.error("concatenation needs features of one height and width, found \(found)")
  }
  return OctFeature(
    high: try joined(\.high), low: try joined(\.low), height: first.height, width: first.width,
    builder: first.builder)
}
