import Foundation
import OctNetCore
import OctNetSupport

/// A network that serves callers on any number of tasks and threads: one thread of its own runs it, on the images of whoever
/// waits together.
///
/// ```swift
/// let model = try InferenceModel(checkpoint.makeNetwork(), batchSize: 16, threads: 2)
/// let service = try InferenceService(model, maximumDelay: .microseconds(500))
/// let logits = try await service.logits(images: image)  // from any task
/// await service.shutdown()
/// ```
///
/// OpenMP keeps a team of threads for each thread that computes; here that is always the same one, so that the process
/// has as many threads for one caller as for a thousand. What a caller gets are the bits that a session of its own would give:
/// images do not see each other.
public final class InferenceService: Sendable {
  /// Why a request was not served.
  public enum Failure: Error, Equatable, CustomStringConvertible {
    /// So many images wait already.
    case busy(waiting: Int)
    /// `shutdown` was called.
    case stopped

    public var description: String {
      switch self {
      case .busy(let waiting): "busy: \(numbered(waiting, "image")) waiting"
      case .stopped: "the service has been stopped"
      }
    }
  }

  private let worker: InferenceWorker

  /// - Parameters:
  ///   - model: its batch size limits the images of a pass.
  ///   - maximumDelay: how long the first of those who wait waits for others at most. 0 takes who is there.
  ///   - queueLimit: images that may wait; a request beyond it fails at once.
  /// - Throws: `OctNetError.configuration` where there is not enough memory for a session.
  public init(
    _ model: InferenceModel, maximumDelay: Duration = .microseconds(500), queueLimit: Int = 1024
  ) throws(OctNetError) {
    precondition(queueLimit > 0, "a queue of \(queueLimit)")
    worker = InferenceWorker(model, maximumDelay: maximumDelay.inSeconds, queueLimit: queueLimit)
    try worker.start()
  }

  deinit { worker.stop() }

  /// The first output, which are the logits of a classifier.
  ///
  /// - Parameter images: [count, height, width, channels], normalised, up to the model's batch size of them.
  /// - Returns: [count, …].
  /// - Throws: `OctNetError.configuration` for an array of another length, `Failure`, and `CancellationError` where the task was
  ///   cancelled while it waited.
  public func logits(images: [Float]) async throws -> [Float] {
    try await serve(images, outputs: 1)[0]
  }

  /// All outputs by their names.
  ///
  /// - Parameter images: [count, height, width, channels], normalised, up to the model's batch size of them.
  /// - Returns: [count, …] each.
  /// - Throws: as `logits`.
  public func outputs(images: [Float]) async throws -> [String: [Float]] {
    let names = worker.model.outputs.map(\.name)
    let found = try await serve(images, outputs: names.count)
    return Dictionary(uniqueKeysWithValues: zip(names, found))
  }

  /// Serves who waits, takes nobody else, and returns when the thread has ended.
  public func shutdown() async {
    worker.stop()
    await withCheckedContinuation { worker.whenEnded($0) }
  }

  private func serve(_ images: [Float], outputs: Int) async throws -> [[Float]] {
    let count = try worker.model.inputShape.checkedCount(
      ofNumbers: images.count, batchSize: worker.model.batchSize)
    let ticket = InferenceWorker.Ticket()
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        worker.enqueue(
          .init(ticket: ticket, images: images, count: count, outputs: outputs, continuation: continuation))
      }
    } onCancel: {
      worker.cancel(ticket)
    }
  }
}

/// The thread of a service and those who wait for it.
///
/// Unchecked: what changes is touched under `condition`; the session by the thread alone.
private final class InferenceWorker: @unchecked Sendable {
  /// Tells requests apart. Unchecked: touched under `condition`.
  final class Ticket: @unchecked Sendable { var isCancelled = false }

  struct Request {
    let ticket: Ticket
    let images: [Float]
    let count: Int
    /// So many of the outputs are wanted.
    let outputs: Int
    let continuation: CheckedContinuation<[[Float]], any Error>
  }

  let model: InferenceModel
  private let maximumDelay: Double
  private let queueLimit: Int
  private let condition = NSCondition()
  private var queue: [Request] = []
  private var waitingImages = 0
  /// When the pass of those who wait begins at the latest.
  private var deadline = ContinuousClock.now
  private var isStopped = false
  private var hasEnded = false
  private var endWaiters: [CheckedContinuation<Void, Never>] = []
  private var failure: OctNetError?
  private var isReady = false

  init(_ model: InferenceModel, maximumDelay: Double, queueLimit: Int) {
    self.model = model
    self.maximumDelay = maximumDelay
    self.queueLimit = queueLimit
  }

  /// Returns when the thread has its session.
  func start() throws(OctNetError) {
    let thread = Thread { [self] in
      do throws(OctNetError) {
        let session = try InferenceSession(model)
        condition.withLock {
          isReady = true
          condition.broadcast()
        }
        run(session)
      } catch {
        condition.withLock {
          failure = error
          isReady = true
          condition.broadcast()
        }
      }
      end()
    }
    thread.name = "OctNet inference"
    thread.start()
    let problem = condition.withLock { () -> OctNetError? in
      while !isReady { condition.wait() }
      return failure
    }
    if let problem { throw problem }
  }

  func stop() {
    condition.withLock {
      isStopped = true
      condition.broadcast()
    }
  }

  func whenEnded(_ continuation: CheckedContinuation<Void, Never>) {
    let isOver = condition.withLock {
      if !hasEnded { endWaiters.append(continuation) }
      return hasEnded
    }
    if isOver { continuation.resume() }
  }

  func enqueue(_ request: Request) {
    let problem = condition.withLock { () -> (any Error)? in
      if request.ticket.isCancelled { return CancellationError() }
      if isStopped { return InferenceService.Failure.stopped }
      guard waitingImages + request.count <= queueLimit || queue.isEmpty else {
        return InferenceService.Failure.busy(waiting: waitingImages)
      }
      if queue.isEmpty { deadline = .now + .seconds(maximumDelay) }
      queue.append(request)
      waitingImages += request.count
      // The thread has what to do from the first one on, and no reason to wait from a full batch on.
      if queue.count == 1 || waitingImages >= model.batchSize { condition.broadcast() }
      return nil
    }
    if let problem { request.continuation.resume(throwing: problem) }
  }

  func cancel(_ ticket: Ticket) {
    let request = condition.withLock { () -> Request? in
      // Where it has not come yet, it finds the mark; what is being computed is served.
      ticket.isCancelled = true
      guard let index = queue.firstIndex(where: { $0.ticket === ticket }) else { return nil }
      waitingImages -= queue[index].count
      return queue.remove(at: index)
    }
    request?.continuation.resume(throwing: CancellationError())
  }

  // MARK: The thread

  private func run(_ session: InferenceSession) {
    let size = model.inputShape.count
    let images = AlignedBuffer(byteCount: model.batchSize * size * MemoryLayout<Float>.stride)
    while let requests = next() {
      var filled = 0
      for request in requests {
        (images.floats + filled * size).update(from: request.images, count: request.images.count)
        filled += request.count
      }
      let pass = UnsafeBufferPointer(start: UnsafePointer(images.floats), count: filled * size)
      do {
        try session.withOutputs(images: pass) { outputs in
          var first = 0
          for request in requests {
            let results = (0..<request.outputs).map { index in
              let count = model.outputs[index].shape.count
              return Array(outputs[index][first * count..<(first + request.count) * count])
            }
            first += request.count
            request.continuation.resume(returning: results)
          }
        }
      } catch {
        // The lengths were checked when they came.
        for request in requests { request.continuation.resume(throwing: error) }
      }
    }
  }

  /// Waits for requests and for others beside them; nil when the service has been stopped and nobody waits.
  private func next() -> [Request]? {
    condition.withLock {
      while true {
        while queue.isEmpty && !isStopped { condition.wait() }
        while !queue.isEmpty && waitingImages < model.batchSize && !isStopped {
          // The condition waits by the wall clock, which somebody may set: by a short way of it each time.
          let left = (deadline - .now).inSeconds
          guard left > 0 else { break }
          _ = condition.wait(until: Date(timeIntervalSinceNow: min(left, 1)))
        }
        // Those who were there may have been cancelled.
        if !queue.isEmpty || isStopped { break }
      }
      var taken: [Request] = []
      var images = 0
      while let request = queue.first, images + request.count <= model.batchSize {
        images += request.count
        taken.append(queue.removeFirst())
      }
      waitingImages -= images
      // Who stays has waited long enough, and the deadline is not moved.
      return taken.isEmpty ? nil : taken
    }
  }

  private func end() {
    let waiters = condition.withLock {
      hasEnded = true
      defer { endWaiters = [] }
      return endWaiters
    }
    for waiter in waiters { waiter.resume() }
  }
}
