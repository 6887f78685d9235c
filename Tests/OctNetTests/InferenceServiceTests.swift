import Foundation
import OctNet
import Testing

/// Many callers of one network. One after the other, since threads are counted.
@Suite(.serialized) struct InferenceServiceTests {
  private static let classes = 7

  private static func model(batchSize: Int, threads: Int = 2) throws -> InferenceModel {
    let model = ModelConfiguration(
      name: "resnet20", alpha: 0.25, stem: .cifar, classes: classes, inputHeight: 13, inputWidth: 16)
    return try InferenceModel(model.makeNetwork(seed: 3), batchSize: batchSize, threads: threads)
  }

  private static func image(_ model: InferenceModel, _ number: Int) -> [Float] {
    var stream = RandomStream(seed: 1, "image", number)
    return (0..<model.inputShape.count).map { _ in stream.normal() }
  }

  /// Of this process, by the name that OpenMP's threads have from the one that began their team.
  private static func threadCount(_ name: String) -> Int {
    let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task")) ?? []
    return tasks.count { task in
      let found = (try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)) ?? ""
      return found.trimmingCharacters(in: .newlines) == name.prefix(15)
    }
  }

  /// kB in memory.
  private static func residentMemory() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
    return line?.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }.first ?? 0
  }

  /// What 64 callers get at once is what each would get alone, whoever is in the same pass.
  @Test(arguments: [0, 500, 20_000]) func callersGetTheirOwnBits(microseconds: Int) async throws {
    let model = try Self.model(batchSize: 5)
    let session = try InferenceSession(model)
    let expected = try (0..<64).map { try session.logits(images: Self.image(model, $0)) }
    let service = try InferenceService(model, maximumDelay: .microseconds(microseconds))
    try await withThrowingTaskGroup(of: (Int, [Float]).self) { group in
      for number in 0..<64 {
        group.addTask { (number, try await service.logits(images: Self.image(model, number))) }
      }
      for try await (number, logits) in group { #expect(logits == expected[number]) }
    }
    // Several images at a time, and all outputs.
    let pair = Self.image(model, 4) + Self.image(model, 5)
    #expect(try await service.logits(images: pair) == expected[4] + expected[5])
    #expect(try await service.outputs(images: Self.image(model, 6)) == ["output": expected[6]])
    await service.shutdown()
    await #expect(throws: InferenceService.Failure.stopped) {
      try await service.logits(images: Self.image(model, 0))
    }
  }

  @Test func lengthsAreChecked() async throws {
    let model = try Self.model(batchSize: 2)
    let service = try InferenceService(model)
    for count in [0, 1, 2] {
      let images = Array(repeating: Self.image(model, 0), count: 3).joined().dropFirst(count * 624 + 1)
      await #expect(throws: OctNetError.self) { try await service.logits(images: Array(images)) }
    }
    await #expect(throws: OctNetError.self) { try await service.logits(images: []) }
    await service.shutdown()
  }

  /// Who is cancelled while waiting is told at once, and the others are served.
  @Test func waitingCallersMayGiveUp() async throws {
    let model = try Self.model(batchSize: 100)
    let service = try InferenceService(model, maximumDelay: .seconds(600))
    let waiting = Task { try await service.logits(images: Self.image(model, 1)) }
    let staying = Task { try await service.logits(images: Self.image(model, 2)) }
    waiting.cancel()
    await #expect(throws: CancellationError.self) { try await waiting.value }
    // Those who wait when it ends are served.
    async let end: Void = service.shutdown()
    let served = await staying.result
    await end
    switch served {
    case .success(let logits):
      #expect(try logits == InferenceSession(model).logits(images: Self.image(model, 2)))
    case .failure(let error): #expect(error as? InferenceService.Failure == .stopped)
    }
  }

  @Test func aFullQueueIsToldAtOnce() async throws {
    let model = try Self.model(batchSize: 100)
    let service = try InferenceService(model, maximumDelay: .seconds(600), queueLimit: 3)
    let tasks = (0..<8).map { number in
      Task { try await service.logits(images: Self.image(model, number)) }
    }
    // Three wait for ten minutes; the other five do not.
    let busy = await withTaskGroup(of: Bool.self) { group in
      for task in tasks {
        group.addTask {
          if case .failure(let error) = await task.result {
            return error as? InferenceService.Failure == .busy(waiting: 3)
          }
          return false
        }
      }
      var refused = 0
      while refused < 5, let isRefused = await group.next() { refused += isRefused ? 1 : 0 }
      await service.shutdown()
      var served = 0
      for await isRefused in group { served += isRefused ? 0 : 1 }
      return (refused, served)
    }
    #expect(busy == (5, 3))
  }

  /// OpenMP's team is that of the service's thread: 64 callers start no thread more.
  @Test func threadsDoNotGrowWithCallers() async throws {
    let model = try Self.model(batchSize: 4)
    let service = try InferenceService(model)
    _ = try await service.logits(images: Self.image(model, 0))
    func burst() async throws {
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<64 {
          group.addTask { _ = try await service.logits(images: Self.image(model, number)) }
        }
        try await group.waitForAll()
      }
    }
    try await burst()
    let before = Self.threadCount("OctNet inference")
    for _ in 0..<10 { try await burst() }
    #expect(Self.threadCount("OctNet inference") == before)
    await service.shutdown()
  }

  /// Sessions on a hundred threads, made and dropped: OpenMP's threads go from one to the next, and the memory back.
  @Test func sessionsComeAndGo() throws {
    let model = try InferenceModel(
      ModelConfiguration(name: "resnet20", alpha: 0.25, stem: .cifar, inputHeight: 128, inputWidth: 128)
        .makeNetwork(seed: 3), batchSize: 8, threads: 2)
    let images = (0..<8).flatMap { _ in Self.image(model, 0) }
    let arena = try InferenceSession(model).arenaBytes
    #expect(arena > 20 << 20)
    final class Outcome: @unchecked Sendable {
      var logits: [Float]?
      weak var session: InferenceSession?
    }
    func call() -> Outcome {
      let outcome = Outcome()
      let done = DispatchSemaphore(value: 0)
      let thread = Thread {
        if let session = try? InferenceSession(model) {
          outcome.logits = try? session.logits(images: images)
          outcome.session = session
        }
        done.signal()
      }
      thread.name = "OctNet caller"
      thread.start()
      done.wait()
      return outcome
    }
    let first = call()
    let memory = Self.residentMemory()
    var largest = 0
    for _ in 0..<100 {
      let outcome = call()
      #expect(outcome.logits != nil && outcome.logits == first.logits)
      #expect(outcome.session == nil)
      largest = max(largest, Self.threadCount("OctNet caller"))
    }
    // A caller that ends while the next one begins, and one thread beside each.
    #expect(largest <= 4)
    #expect(Self.residentMemory() - memory < 50 * arena >> 10)
  }
}
