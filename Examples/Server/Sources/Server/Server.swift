import ArgumentParser
import Foundation
import Hummingbird
import OctNetInference

@main struct Server: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Classifies images over HTTP: POST an image file to /classify.",
    discussion: "Ends on SIGTERM and SIGINT when the requests that it has are answered.")

  @Argument(help: "A checkpoint that octcli train wrote.") var checkpoint: String
  @Option(help: "Address to listen on.") var host = "127.0.0.1"
  @Option(help: "Port to listen on.") var port = 8080
  @Option(help: "Images computed together at most.") var batchSize = 16
  @Option(help: "Microseconds that the first of a batch waits for others at most.") var delay = 500
  @Option(help: "Images that may wait before requests are refused.") var queue = 256
  @Option(help: "Bytes of an image at most.") var maximumBytes = 8 << 20
  @Option(help: "Threads of the network.") var threads = ProcessInfo.processInfo.activeProcessorCount

  func validate() throws {
    for (name, value) in [
      ("--batch-size", batchSize), ("--queue", queue), ("--maximum-bytes", maximumBytes),
      ("--threads", threads),
    ] where value < 1 {
      throw ValidationError("\(name): found \(value), expected 1 or more")
    }
    guard (0...65535).contains(port) else {
      throw ValidationError("--port: found \(port), expected 0 ... 65535")
    }
    guard delay >= 0 else { throw ValidationError("--delay: found \(delay), expected 0 or more") }
  }

  func run() async throws {
    let classifier = try Classifier(
      checkpoint: checkpoint, batchSize: batchSize, threads: threads, delay: .microseconds(delay),
      queueLimit: queue)
    let limit = maximumBytes
    let router = Router()
    router.get("health") { _, _ in "ok\n" }
    router.post("classify") { request, _ -> Answer in
      // Beyond the limit Hummingbird answers 413 and reads no further.
      let body = try await request.body.collect(upTo: limit)
      guard body.readableBytes > 0 else {
        throw HTTPError(.badRequest, message: "empty body, expected an image file")
      }
      let top = request.uri.queryParameters["top"].map { Int($0) } ?? 5
      guard let top, (1...1000).contains(top) else {
        throw HTTPError(.badRequest, message: "top is 1 ... 1000")
      }
      do {
        return Answer(classes: try await classifier.classify(Array(body.readableBytesView), top: top))
      } catch let error as OctNetError {
        throw HTTPError(.unprocessableContent, message: "\(error)")
      } catch InferenceService.Failure.busy(let waiting) {
        throw HTTPError(
          .serviceUnavailable, headers: [.retryAfter: "1"],
          message: "\(waiting) images are waiting, try later")
      }
    }
    let app = Application(
      router: router, configuration: .init(address: .hostname(host, port: port), serverName: "octnet"))
    try await app.runService()
    await classifier.shutdown()
  }
}

/// The body of an answer.
struct Answer: ResponseCodable, Sendable {
  let classes: [Classifier.Score]
}
