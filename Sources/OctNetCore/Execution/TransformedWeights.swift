import CKernels
import OctNetSupport

/// The 3×3 weights of a graph as Winograd's algorithm reads them, for passes that repeat with the same parameters.
///
/// A copy: it follows the parameters only when `update` is called.
final class TransformedWeights {
  private struct Entry {
    let geometry: ConvGeometry
    let weight: ParameterID
    let offset: Int
  }

  private let entries: [Entry]
  private let buffer: AlignedBuffer

  /// Those convolutions of the graph that the kernels compute in this way in passes of so many images.
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
    let lane = MemoryPlanner.alignment / MemoryLayout<Float>.stride
    var entries: [Entry] = []
    var count = 0
    for sum in takers(in: graph, images: images) {
      for source in sum.sources {
        entries.append(Entry(geometry: source.geometry, weight: source.weight, offset: count))
        count += (source.geometry.transformedCount(images: images) + lane - 1) / lane * lane
      }
    }
    return (entries, count)
  }

  private static func takers(in graph: Graph, images: Int) -> [ConvolutionSum] {
    graph.nodes.compactMap { $0.operation as? ConvolutionSum }
      .filter { $0.takesTransformedWeights(images: images) }
  }

  /// Parameters that nothing reads in their own form.
  static func replaced(in graph: Graph, images: Int) -> Set<ParameterID> {
    var readers: [ParameterID: Int] = [:]
    for node in graph.nodes {
      for parameter in node.operation.parameters { readers[parameter, default: 0] += 1 }
    }
    var result: Set<ParameterID> = []
    for sum in takers(in: graph, images: images) {
      result.formUnion(sum.sources.map(\.weight).filter { readers[$0] == 1 })
    }
    return result
  }

  /// Where each parameter's transformed values are.
  var pointers: [ParameterID: UnsafePointer<Float>] {
    Dictionary(
      entries.map { ($0.weight, UnsafePointer(buffer.floats + $0.offset)) },
      uniquingKeysWith: { first, _ in first })
  }

  /// Transforms the current values of all parameters.
  ///
  /// - Parameter done: called after each one.
  func update(from memory: ParameterMemory, threads: Int, done: (ParameterID) -> Void = { _ in }) {
    for entry in entries {
      entry.geometry.transform(
        memory.value(entry.weight), into: buffer.floats + entry.offset, threads: threads)
      done(entry.weight)
    }
  }
}
