import OctNetSupport

/// Gives buffers with known lifetimes a place in one arena.
///
/// Greedy by size (Pisarchyk and Lee 2020): the largest buffer first, each at the lowest offset where it overlaps no
/// buffer that lives at the same time.
struct MemoryPlanner {
  struct Request {
    let bytes: Int
    /// Steps in which the buffer holds data, both inclusive.
    var first, last: Int
  }

  /// - Returns: an offset for each request, and the size of the arena.
  static func plan(_ requests: [Request]) -> (offsets: [Int], arenaBytes: Int) {
    var offsets = Array(repeating: 0, count: requests.count)
    var arenaBytes = 0
    // Sorted by offset, so that the first gap that fits is the lowest.
    var placed: [(offset: Int, end: Int, first: Int, last: Int)] = []
    let order = requests.indices.sorted {
      (requests[$0].bytes, -$0) > (requests[$1].bytes, -$1)
    }
    for index in order where requests[index].bytes > 0 {
      let request = requests[index]
      let bytes =
        (request.bytes + AlignedBuffer.cacheLine - 1) / AlignedBuffer.cacheLine * AlignedBuffer.cacheLine
      var offset = 0
      for other in placed where other.first <= request.last && request.first <= other.last {
        if other.offset >= offset + bytes { break }
        offset = max(offset, other.end)
      }
      offsets[index] = offset
      let place = placed.firstIndex { $0.offset > offset } ?? placed.count
      placed.insert((offset, offset + bytes, request.first, request.last), at: place)
      arenaBytes = max(arenaBytes, offset + bytes)
    }
    return (offsets, arenaBytes)
  }
}
