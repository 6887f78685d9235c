import OctNetCore
import OctNetTraining

/// When backward comes to which parameter.
package struct GradientOrder: Equatable, Sendable {
  /// Neighbouring parameters.
  package struct Part: Equatable, Sendable {
    /// Floats of the gradient.
    package var range: Range<Int>
    /// Share of backward after which they are final.
    package var ready: Double

    package init(range: Range<Int>, ready: Double) {
      self.range = range
      self.ready = ready
    }
  }

  /// A part of the gradient that is exchanged at once.
  struct Bucket: Equatable {
    var bytes: Double
    /// Share of backward after which it is final.
    var ready: Double
    var isLast = false
  }

  /// In the order of their places.
  package let parts: [Part]
  /// Floats in all, gaps included.
  package let count: Int

  package init(parts: [Part], count: Int) {
    self.parts = parts
    self.count = count
  }

  package var bytes: Double { Double(count * MemoryLayout<Float>.stride) }

  /// In the order in which they leave: from the end on, the last of them as large as what is left.
  func buckets(of bytes: Int) -> [Bucket] {
    let size = max(1, bytes / MemoryLayout<Float>.stride)
    var buckets = stride(from: count, to: 0, by: -size).map { end in
      let range = max(0, end - size)..<end
      return Bucket(
        bytes: Double(range.count * MemoryLayout<Float>.stride),
        ready: parts.filter { $0.range.overlaps(range) }.map(\.ready).max() ?? 0)
    }
    // A bucket does not overtake the one before it.
    for index in buckets.indices.dropFirst() {
      buckets[index].ready = max(buckets[index].ready, buckets[index - 1].ready)
    }
    if !buckets.isEmpty { buckets[buckets.count - 1].isLast = true }
    return buckets
  }

  /// By a measured step.
  package init(_ trace: StepTrace, count: Int) {
    self.init(
      parts: trace.gradients.map { Part(range: $0.range, ready: min(1, $0.seconds / trace.backward)) }
        .sorted { $0.range.lowerBound < $1.range.lowerBound }, count: count)
  }

  /// As if backward took as long as it multiplies.
  package init(estimating graph: Graph) {
    let ranges = ParameterStore.ranges(of: graph)
    let graph = graph.fused(for: .trainingForward)
    let all = Double(graph.nodes.map(\.operation.macs).reduce(0, +))
    var done = 0.0
    var ready = Array(repeating: 1.0, count: ranges.count)
    for node in graph.nodes.reversed() {
      done += Double(node.operation.macs)
      for parameter in node.operation.parameters { ready[parameter.index] = all > 0 ? done / all : 1 }
    }
    self.init(
      parts: zip(ranges, ready).map { Part(range: $0, ready: $1) }, count: ParameterStore.count(of: graph))
  }
}
