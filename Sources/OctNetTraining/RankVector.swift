import OctNetSupport

/// Neighbouring slices of a vector, one for each rank; those of the last ranks may be shorter, or empty.
public struct RankSlices: Equatable, Sendable {
  /// Of the vector.
  public let count: Int
  /// Of every slice that is whole.
  public let each: Int

  /// As equal as whole cache lines can be.
  package init(count: Int, ranks: Int) {
    let line = AlignedBuffer.cacheLine / MemoryLayout<Float>.stride
    self.count = count
    each = max(1, ((count + ranks - 1) / ranks + line - 1) / line) * line
  }

  /// - Parameter rank: from 0.
  public func slice(of rank: Int) -> Range<Int> {
    min(count, rank * each)..<min(count, (rank + 1) * each)
  }
}

/// A vector in memory that is exchanged by slices.
public struct RankVector {
  /// Where it begins.
  public let start: UnsafeMutableRawPointer
  /// Of its numbers.
  public let slices: RankSlices
  /// Bytes of a number.
  public let size: Int

  /// - Parameters:
  ///   - start: where it begins; only read where it is sent.
  ///   - slices: of its numbers.
  ///   - size: bytes of a number.
  package init(_ start: UnsafeMutableRawPointer, _ slices: RankSlices, size: Int) {
    self.start = start
    self.slices = slices
    self.size = size
  }

  package init(_ floats: UnsafeMutablePointer<Float>, _ slices: RankSlices) {
    self.init(UnsafeMutableRawPointer(floats), slices, size: MemoryLayout<Float>.stride)
  }

  /// A slice's bytes in it.
  /// - Parameter rank: from 0.
  public func bytes(of rank: Int) -> Range<Int> {
    let slice = slices.slice(of: rank)
    return slice.lowerBound * size..<slice.upperBound * size
  }

  /// Bytes from where one rank's slices of some vectors arrive to where the next one's do: whole cache lines.
  /// - Parameters:
  ///   - vectors: that are sent at once.
  ///   - rank: that they are sent to, from 0.
  public static func stride(_ vectors: [RankVector], to rank: Int) -> Int {
    let bytes = vectors.reduce(0) { $0 + $1.bytes(of: rank).count }
    return (bytes + AlignedBuffer.cacheLine - 1) / AlignedBuffer.cacheLine * AlignedBuffer.cacheLine
  }
}
