import Foundation
import Testing

struct BenchTests {
  struct Report: Decodable {
    struct Shape: Decodable {
      struct Timing: Decodable { let pass: String, milliseconds, gflops, fractionOfPeak: Double }
      let shape: String
      let timings: [Timing]
    }
    let instructionSet: String
    let threads: Int
    let peak: Double
    let shapes: [Shape]
  }

  /// Alone, fed, and what a batch costs; α is the network's that learns.
  @Test func dataTellsOfBatchesAndSteps() throws {
    struct Batches: Decodable {
      let images: Int
      let peakRssBytes: [Int]
    }
    struct Steps: Decodable { let msAlone, msFed, msPreparation: Double }
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let data = ["bench", "data", "synthetic", "--batch-size", "8", "--batches", "6", "--threads", "1"]
    let batches = try runner.run(data + ["--augment", "crop,flip", "--json"])
    #expect(batches.status == 0, "\(batches.errors)")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let found = try decoder.decode(Batches.self, from: Data(batches.output.utf8))
    #expect(found.images == 48 && found.peakRssBytes.count == 4)
    let fed = try runner.run(data + ["--steps", "--alpha", "0.5", "--json"])
    #expect(fed.status == 0, "\(fed.errors)")
    let steps = try decoder.decode(Steps.self, from: Data(fed.output.utf8))
    #expect(steps.msAlone > steps.msPreparation && steps.msFed > 0 && steps.msPreparation > 0)
    let wrong = try runner.run(data + ["--alpha", "0.5"])
    #expect(wrong.status == 64 && wrong.errors.contains("--alpha belongs to --steps"))
  }

  /// Speed is counted from the first batch on, and steps from the fifth: data that have no more are an error.
  @Test func dataWithTooFewBatchesAreAnError() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let data = ["bench", "data", "synthetic", "--batch-size", "8", "--threads", "1", "--limit-train"]
    let one = try runner.run(data + ["8"])
    #expect(one.errorMessage == "data: expected 2 or more batches, found one of 8 images", "\(one)")
    // The fifth batch is not full.
    let four = try runner.run(data + ["39", "--steps"])
    #expect(four.errorMessage == "data: expected 5 or more full batches of 8 images, found 4", "\(four)")
    #expect(try runner.run(data + ["10"]).status == 0)
    #expect(try runner.run(data + ["40", "--steps", "--batches", "5"]).status == 0)
  }

  /// Figures are the machine's; that they fit together is ours.
  @Test func kernelsReportEveryShapeInEveryPass() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let outcome = try runner.run("bench", "kernels", "--repetitions", "1", "--threads", "2", "--json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    #expect(report.threads == 2)
    #expect(["avx512", "avx2", "portable"].contains(report.instructionSet))
    #expect(report.shapes.map(\.shape).first == "16,56,64,64,3")
    #expect(report.shapes.map(\.shape).last == "16,14,512,512,3,g512")
    #expect(report.shapes.count == 33)
    if let cap = ProcessInfo.processInfo.environment["OCTNET_MAX_ISA"] {
      #expect(report.instructionSet == cap)
    }
    for shape in report.shapes {
      #expect(shape.timings.map(\.pass) == ["forward", "backward-data", "backward-weights"])
      let parts = shape.shape.split(separator: ",")
      let numbers = parts.compactMap { Double($0) }
      let groups = parts.count == 6 ? try #require(Double(parts[5].dropFirst())) : 1
      let (n, size, ic, oc, k) = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4])
      let operations = 2 * n * size * size * ic / groups * oc * k * k
      for timing in shape.timings {
        #expect(abs(timing.gflops * timing.milliseconds * 1e6 / operations - 1) < 1e-9)
        #expect(abs(timing.fractionOfPeak - timing.gflops / report.peak) < 1e-9)
      }
    }
  }

  struct NetworkReport: Decodable {
    struct Row: Decodable {
      let operation, part, shapes: String, calls: Int, ms: Double, share: Double
    }
    let msMedian, msMinimum, imagesPerSecond, gflops, fractionOfPeak, peakGflops, threadsUsed: Double
    let peakRssBytes, repetitions, threads, batchSize: Int
    let profile: [Row]?
  }

  @Test(arguments: ["train", "infer"])
  func networksReportFiguresThatFitTogether(work: String) throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    let network = [
      "--model", "resnet20", "--alpha", "0.25", "--image-size", "32", "--classes", "10", "--json",
    ]
    let outcome = try runner.run(
      ["bench", work] + network + ["--batch-size", "3", "--repetitions", "3", "--threads", "2", "--profile"])
    #expect(outcome.status == 0, "\(outcome.errors)")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let report = try decoder.decode(NetworkReport.self, from: Data(outcome.output.utf8))
    #expect(report.repetitions == 3 && report.threads == 2 && report.batchSize == 3)
    #expect(report.msMinimum <= report.msMedian)
    #expect(report.threadsUsed >= 1 && report.threadsUsed <= 2)
    #expect(abs(report.imagesPerSecond * report.msMedian / 3000 - 1) < 1e-9)
    #expect(abs(report.fractionOfPeak - report.gflops / report.peakGflops) < 1e-9)
    #expect(report.peakRssBytes > 1 << 20)

    // The multiplications are those of the summary, three times for training.
    struct Summary: Decodable { let macs: Int }
    let summary = try runner.run(["summary"] + network)
    let macs = try JSONDecoder().decode(Summary.self, from: Data(summary.output.utf8)).macs
    let operations = 2 * Double(macs) * 3 * (work == "train" ? 3 : 1)
    #expect(abs(report.gflops * report.msMedian * 1e6 / operations - 1) < 1e-9)

    let rows = try #require(report.profile)
    #expect(abs(rows.map(\.share).reduce(0, +) - 1) < 1e-9)
    #expect(rows.map(\.ms).reduce(0, +) <= 3 * report.msMedian * 1.5)
    let parts = Set(rows.map(\.part))
    #expect(
      parts
        == (work == "train"
          ? ["forward", "backward", "backward-data", "backward-weights", "update"] : ["forward"]))
    #expect(rows.allSatisfy { $0.shapes.isEmpty })
    let byShape = try runner.run(
      ["bench", work] + network + ["--batch-size", "1", "--repetitions", "1", "--profile-shapes"])
    #expect(byShape.status == 0)
    let shapes = try #require(
      try decoder.decode(NetworkReport.self, from: Data(byShape.output.utf8)).profile)
    #expect(shapes.count > rows.count)
    // An image of 32×32×3 becomes 16 channels, all at full resolution in the stem.
    #expect(shapes.contains { $0.part == "forward" && $0.shapes == "32×32×3→32×32×16" })
    // Inference normalises in the convolutions: no norm is left on its own.
    #expect(rows.contains { $0.operation.hasPrefix("batch_norm") } == (work == "train"))
  }

  @Test func refusesWrongFigures() throws {
    let runner = try CommandRunner()
    defer { runner.removeScratch() }
    for flags in [["--batch-size", "0"], ["--threads", "0"], ["--repetitions", "0"], ["--alpha", "2"]] {
      for work in ["train", "infer"] {
        #expect(try runner.run(["bench", work] + flags).status == 64, "\(work) \(flags)")
      }
    }
  }
}
