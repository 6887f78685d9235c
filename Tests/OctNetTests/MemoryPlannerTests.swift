import Testing

import OctNet
@testable import OctNetCore

@Suite struct MemoryPlannerTests {
  typealias Request = MemoryPlanner.Request

  @Test func buffersThatLiveTogetherNeverOverlap() {
    var stream = RandomStream(seed: 7, "planner")
    let requests = (0..<200).map { _ in
      let first = stream.index(below: 50)
      return Request(bytes: stream.index(below: 5000), first: first, last: first + stream.index(below: 10))
    }
    let (offsets, arena) = MemoryPlanner.plan(requests)
    for a in requests.indices where requests[a].bytes > 0 {
      #expect(offsets[a].isMultiple(of: AlignedBuffer.cacheLine))
      #expect(offsets[a] + requests[a].bytes <= arena)
      for b in requests.indices where b < a && requests[b].bytes > 0 {
        let apartInTime = requests[a].last < requests[b].first || requests[b].last < requests[a].first
        let apartInSpace =
          offsets[a] + requests[a].bytes <= offsets[b] || offsets[b] + requests[b].bytes <= offsets[a]
        #expect(apartInTime || apartInSpace)
      }
    }
  }

  @Test func memoryIsReusedAfterTheLastRead() {
    let chain = (0..<10).map { Request(bytes: 640, first: $0, last: $0 + 1) }
    #expect(MemoryPlanner.plan(chain).arenaBytes == 2 * 640)
  }

  @Test func emptyRequestsTakeNoSpace() {
    #expect(MemoryPlanner.plan([Request(bytes: 0, first: 0, last: 3)]).arenaBytes == 0)
    #expect(MemoryPlanner.plan([]).arenaBytes == 0)
  }
}
