import OctNetSupport

/// The parameters of a graph in the forms that its operations ask for (`Operation.preparations`), for passes that repeat
/// with the same parameters.
///
/// A copy: it follows the parameters only when `update` is called.
final class PreparedWeights {
  private struct Entry {
    let preparation: WeightPreparation
    let offset: Int
  }

  private let entries: [Entry]
  private let buffer: AlignedBuffer

  /// What the operations of the graph ask for in passes of so many images.
  init(graph: Graph, images: Int) {
    let (entries, count) = Self.layout(graph: graph, images: images)
    self.entries = entries
    buffer = AlignedBuffer(byteCount: count * MemoryLayout<Float>.stride)
  }

  /// What they take.
  static func bytes(graph: Graph, images: Int) -> Int {
    layout(graph: graph, images: images).count * MemoryLayout<Float>.stride
  }

  private static func layout(graph: Graph, images: Int) -> (entries: [Entry], count: Int) {
    let line = AlignedBuffer.cacheLine / MemoryLayout<Float>.stride
    var entries: [Entry] = []
    var count = 0
    for preparation in graph.nodes.flatMap({ $0.operation.preparations(images: images) }) {
      entries.append(Entry(preparation: preparation, offset: count))
      count += (preparation.count + line - 1) / line * line
    }
    return (entries, count)
  }

  /// Parameters that nothing reads in their own form.
  static func replaced(in graph: Graph, images: Int) -> Set<ParameterID> {
    var readers: [ParameterID: Int] = [:]
    for node in graph.nodes {
      for parameter in node.operation.parameters { readers[parameter, default: 0] += 1 }
    }
    let prepared = graph.nodes.flatMap { $0.operation.preparations(images: images).map(\.parameter) }
    return Set(prepared.filter { readers[$0] == 1 })
  }

  /// Where the other form of each parameter is.
  var pointers: [ParameterID: UnsafePointer<Float>] {
    Dictionary(
      entries.map { ($0.preparation.parameter, UnsafePointer(buffer.floats + $0.offset)) },
      uniquingKeysWith: { first, _ in first })
  }

  /// Makes the forms anew from the current values of all parameters.
  ///
  /// - Parameter done: called after each one.
  func update(from memory: ParameterMemory, threads: Int, done: (ParameterID) -> Void = { _ in }) {
    for entry in entries {
      let parameter = entry.preparation.parameter
      entry.preparation.prepare(memory.value(parameter), buffer.floats + entry.offset, threads)
      done(parameter)
    }
  }
}
