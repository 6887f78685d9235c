import OctNet
@testable import OctNetTraining
@testable import OctNetSupport
@testable import OctNetCore
@testable import OctNetBenchmark

/// A map that comes from a parameter, so that a test can give a layer two input maps and read their
/// gradients. The parameter holds the whole batch, [n, h, w, c].
struct ParameterSource: Operation {
  let parameter: ParameterID
  let shape: MapShape

  var kind: String { "source" }
  func outputShape(_ inputs: [MapShape]) -> MapShape { shape }
  var parameters: [ParameterID] { [parameter] }
  var backwardReads: BackwardReads { .nothing }

  func forward(_ c: ForwardContext) {
    c.output.update(from: c.value(parameter), count: c.batch * shape.count)
  }

  func backward(_ c: BackwardContext) {
    c.gradient(parameter).update(from: c.outputGradient, count: c.batch * shape.count)
  }

  static func add(_ name: String, _ shape: MapShape, batch: Int, to builder: GraphBuilder) throws
    -> SymbolicMap
  {
    let id = try builder.addParameter(name, .weight, shape: [batch * shape.count], .constant(0))
    return try builder.record(ParameterSource(parameter: id, shape: shape), [])
  }
}

/// Several maps side by side, because a network has one output: each image's maps one after the other.
struct Concatenation: Operation {
  let counts: [Int]

  var kind: String { "concatenate" }
  func outputShape(_ inputs: [MapShape]) -> MapShape {
    MapShape(height: 1, width: 1, channels: counts.reduce(0, +))
  }
  var backwardReads: BackwardReads { .nothing }

  /// Calls `body` with (map, offset in the map, offset in the output, count) for every image.
  private func forEachPiece(_ batch: Int, _ body: (Int, Int, Int, Int) -> Void) {
    let total = counts.reduce(0, +)
    for image in 0..<batch {
      var offset = image * total
      for (map, count) in counts.enumerated() {
        body(map, image * count, offset, count)
        offset += count
      }
    }
  }

  func forward(_ c: ForwardContext) {
    forEachPiece(c.batch) { map, from, to, count in
      (c.output + to).update(from: c.input(map) + from, count: count)
    }
  }

  func backward(_ c: BackwardContext) {
    forEachPiece(c.batch) { map, from, to, count in
      guard let sink = c.inputGradient(map) else { return }
      for index in 0..<count {
        let gradient = c.outputGradient[to + index]
        sink.pointer[from + index] = sink.accumulate ? sink.pointer[from + index] + gradient : gradient
      }
    }
  }

  static func join(_ maps: [SymbolicMap], in builder: GraphBuilder) throws -> SymbolicMap {
    let counts = maps.map(\.shape.count)
    return try builder.record(Concatenation(counts: counts), maps)
  }
}
