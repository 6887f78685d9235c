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
    #expect(report.shapes.map(\.shape).last == "100,1,512,512,3")
    #expect(report.shapes.count == 15)
    for shape in report.shapes {
      #expect(shape.timings.map(\.pass) == ["forward", "backward-data", "backward-weights"])
      let numbers = shape.shape.split(separator: ",").compactMap { Double($0) }
      let (n, size, ic, oc, k) = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4])
      let operations = 2 * n * size * size * ic * oc * k * k
      for timing in shape.timings {
        #expect(abs(timing.gflops * timing.milliseconds * 1e6 / operations - 1) < 1e-9)
        #expect(abs(timing.fractionOfPeak - timing.gflops / report.peak) < 1e-9)
      }
    }
  }
}
