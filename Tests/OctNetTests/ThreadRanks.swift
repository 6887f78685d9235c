import Foundation

import OctNet
@testable import OctNetTraining

/// Ranks that are threads of one process: what training on several does, without MPI.
final class ThreadRanks: RankExchange {
  let rank: Int
  let ranks: Int
  private let room: Room

  private init(rank: Int, room: Room) {
    self.rank = rank
    self.room = room
    ranks = room.ranks
  }

  /// Runs `body` on so many ranks and waits for all.
  /// - Returns: what each returned, or threw.
  static func run<Value: Sendable>(
    _ ranks: Int, _ body: @escaping @Sendable (ThreadRanks) throws -> Value
  ) -> [Result<Value, any Error>] {
    let room = Room(ranks: ranks)
    let results = Results<Value>()
    let done = DispatchSemaphore(value: 0)
    for rank in 0..<ranks {
      let thread = Thread {
        let result = Result { try body(ThreadRanks(rank: rank, room: room)) }
        if case .failure(let error) = result { room.leave(rank, error) }
        results.enter(result, of: rank)
        done.signal()
      }
      thread.stackSize = 16 << 20
      thread.start()
    }
    for _ in 0..<ranks { done.wait() }
    return results.all
  }

  /// Unchecked: everything is touched under `lock`.
  private final class Results<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var found: [Int: Result<Value, any Error>] = [:]

    func enter(_ result: Result<Value, any Error>, of rank: Int) { lock.withLock { found[rank] = result } }

    var all: [Result<Value, any Error>] {
      lock.withLock { found.sorted { $0.key < $1.key }.map(\.value) }
    }
  }

  /// Where all ranks meet. Unchecked: everything is touched under `condition`.
  private final class Room: @unchecked Sendable {
    let ranks: Int
    private let condition = NSCondition()
    private var given: [Int: [UInt8]] = [:]
    private var all: [[UInt8]] = []
    private var rounds = 0
    /// What ranks gave for calls that only begin, by kind and number.
    private var deposits: [Deposit: [Int: [UInt8]]] = [:]
    private var collected: [Deposit: Int] = [:]

    /// What ranks threw that will not come any more.
    private var left: [String] = []

    init(ranks: Int) { self.ranks = ranks }

    func leave(_ rank: Int, _ error: any Error) {
      condition.withLock {
        left.append("rank \(rank) threw \(error)")
        condition.broadcast()
      }
    }

    /// Under `condition`: until something has changed.
    private func wait() {
      precondition(left.isEmpty, "a rank does not come: \(left)")
      precondition(condition.wait(until: Date(timeIntervalSinceNow: 300)), "a rank did not come")
    }

    /// What every rank gives, in order. A next round begins only when all have come back from this one.
    func meet(_ rank: Int, _ bytes: [UInt8]) -> [[UInt8]] {
      condition.withLock {
        given[rank] = bytes
        let round = rounds
        if given.count == ranks {
          all = (0..<ranks).compactMap { given[$0] }
          given = [:]
          rounds += 1
          condition.broadcast()
        }
        while rounds == round { wait() }
        return all
      }
    }

    func give(_ bytes: [UInt8], by rank: Int, for deposit: Deposit) {
      condition.withLock {
        deposits[deposit, default: [:]][rank] = bytes
        condition.broadcast()
      }
    }

    /// What all ranks gave, once they have; each takes it once.
    func take(_ deposit: Deposit, waits: Bool) -> [[UInt8]]? {
      condition.withLock {
        while waits, deposits[deposit]?.count != ranks { wait() }
        guard let given = deposits[deposit], given.count == ranks else { return nil }
        collected[deposit, default: 0] += 1
        if collected[deposit] == ranks { (deposits[deposit], collected[deposit]) = (nil, nil) }
        return (0..<ranks).compactMap { given[$0] }
      }
    }
  }

  /// A call that only begins, of all ranks.
  private struct Deposit: Hashable {
    enum Kind { case allToAll, allGather }
    var kind: Kind
    var number: Int
  }

  private final class Pending: PendingExchange {
    private let room: Room
    private let deposit: Deposit
    private var arrive: (([[UInt8]]) -> Void)?

    init(_ room: Room, _ deposit: Deposit, _ arrive: @escaping ([[UInt8]]) -> Void) {
      (self.room, self.deposit, self.arrive) = (room, deposit, arrive)
    }

    private func take(waits: Bool) -> Bool {
      guard let arrive else { return true }
      guard let all = room.take(deposit, waits: waits) else { return false }
      arrive(all)
      self.arrive = nil
      return true
    }

    func isDone() -> Bool { take(waits: false) }
    func finish() { _ = take(waits: true) }
  }

  private var begun: [Deposit.Kind: Int] = [:]

  private func begin(
    _ kind: Deposit.Kind, _ bytes: [UInt8], _ arrive: @escaping ([[UInt8]]) -> Void
  ) -> any PendingExchange {
    let deposit = Deposit(kind: kind, number: begun[kind, default: 0])
    begun[kind, default: 0] += 1
    sentBytes += bytes.count
    room.give(bytes, by: rank, for: deposit)
    return Pending(room, deposit, arrive)
  }

  /// Of all calls that begin; those of an all-to-all count what this rank keeps, too.
  private(set) var sentBytes = 0
  /// Calls that began.
  var calls: Int { begun.values.reduce(0, +) }

  private func meet(_ bytes: UnsafeRawBufferPointer) -> [[UInt8]] { room.meet(rank, Array(bytes)) }

  private func meet<Number>(_ numbers: UnsafePointer<Number>, _ count: Int) -> [[UInt8]] {
    meet(UnsafeRawBufferPointer(UnsafeBufferPointer(start: numbers, count: count)))
  }

  func beginAllToAll(_ send: [RankVector], _ receive: UnsafeMutableRawPointer) -> any PendingExchange {
    let whole = send.map { $0.slices.count * $0.size }
    let bytes = zip(send, whole).flatMap { UnsafeRawBufferPointer(start: $0.start, count: $1) }
    let (own, stride) = (send.map { $0.bytes(of: rank) }, RankVector.stride(send, to: rank))
    return begin(.allToAll, bytes) { all in
      for (other, bytes) in all.enumerated() {
        var (start, place) = (0, receive + other * stride)
        for (slice, count) in zip(own, whole) {
          place.copyMemory(
            from: Array(bytes[start + slice.lowerBound..<start + slice.upperBound]), byteCount: slice.count)
          start += count
          place += slice.count
        }
      }
    }
  }

  func beginAllGather(_ vectors: [RankVector]) -> any PendingExchange {
    let bytes = vectors.flatMap {
      UnsafeRawBufferPointer(start: $0.start, count: $0.slices.count * $0.size)[$0.bytes(of: rank)]
    }
    return begin(.allGather, bytes) { all in
      for (other, bytes) in all.enumerated() {
        var start = 0
        for vector in vectors {
          let slice = vector.bytes(of: other)
          (vector.start + slice.lowerBound).copyMemory(
            from: Array(bytes[start..<start + slice.count]), byteCount: slice.count)
          start += slice.count
        }
        precondition(start == bytes.count)
      }
    }
  }

  func allGather(_ send: UnsafePointer<Float>, _ receive: UnsafeMutablePointer<Float>, each: Int) {
    let size = each * MemoryLayout<Float>.stride
    for (other, bytes) in meet(send, each).enumerated() {
      UnsafeMutableRawPointer(receive + other * each).copyMemory(from: bytes, byteCount: size)
    }
  }

  func allGather(_ send: [Double]) -> [Double] {
    let all = send.withUnsafeBytes { meet($0) }
    return all.flatMap { bytes in bytes.withUnsafeBytes { Array($0.bindMemory(to: Double.self)) } }
  }

  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, from root: Int) {
    let all = meet(UnsafeRawBufferPointer(bytes))
    bytes.copyBytes(from: all[root].prefix(bytes.count))
  }

  func largest(_ value: Int32) -> Int32 {
    allGather([Double(value)]).max().map { Int32($0) } ?? value
  }
}
