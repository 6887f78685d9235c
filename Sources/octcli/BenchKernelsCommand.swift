import ArgumentParser
import Foundation
import OctNet

struct BenchKernelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kernels",
    abstract: "Time the convolution kernels against the machine's peak.",
    discussion: """
      Measures the peak of the multiply–add units and the bandwidth of the memory, then every shape of a list of real networks' convolutions in \
      three passes. A shape is images, height and width, input channels, output channels, kernel size, and g with the groups. Times are \
      medians; GB/s count both maps and the weights once. Multiplications with padding count although they are skipped, so small maps can exceed the peak. The \
      environment variable OCTNET_MAX_ISA (portable, avx2, avx512) caps the instruction set; OCTNET_CACHE_SIZES (such as 32K,512K,16M) \
      stands for the caches that the system reports, by which kernels cut their work.

      Examples:
        octcli bench kernels
        octcli bench kernels --threads 1 --json
        OCTNET_MAX_ISA=avx2 octcli bench kernels
      """)

  @OptionGroup
  var threadOptions: ThreadOptions

  @Option(help: ArgumentHelp("Repetitions of which the median counts.", valueName: "n"))
  var repetitions = 9

  @Flag(help: "Print JSON: one object with the peak, the bandwidth and a list of shapes.")
  var json = false

  func validate() throws {
    try Bounds.check("--repetitions", repetitions, SettingBounds.repetitions)
  }

  func run() throws {
    let benchmark = KernelBenchmark(
      threads: threadOptions.count, repetitions: repetitions)
    try benchmark.validate()
    let machine = Machine.current
    let peak = benchmark.peak()
    let bandwidth = benchmark.bandwidth()
    var results: [KernelBenchmark.Result] = []
    if !json {
      try Terminal.print(
        String(
          format: "peak %.1f GFLOP/s, memory %.1f GB/s, %@, %@", peak, bandwidth,
          machine.instructionSet, counted(benchmark.threads, "thread")))
      try Terminal.print(
        "caches \(Self.size(machine.l1Bytes)), \(Self.size(machine.l2Bytes)) a core, \(Self.size(machine.l3Bytes)) shared"
      )
      try Terminal.print(
        Self.row(["shape"] + KernelBenchmark.Pass.allCases.map { "\($0.rawValue)  of peak" }))
    }
    try benchmark.run(peak: peak) { result in
      if json {
        results.append(result)
      } else {
        try Terminal.print(
          Self.row(
            [result.shape]
              + result.timings.map {
                String(
                  format: "%.3f ms %6.1f GB/s %6.1f GFLOP/s %4.0f%%", $0.milliseconds, $0.gigabytesPerSecond,
                  $0.gflops, 100 * $0.fractionOfPeak)
              }))
      }
    }
    if json {
      try Terminal.print(
        JSONOutput.text(
          Report(
            instructionSet: machine.instructionSet, machine: machine, threads: benchmark.threads, peak: peak,
            bandwidth: bandwidth, shapes: results)))
    }
  }

  /// "48 KiB", "2 MiB".
  private static func size(_ bytes: Int) -> String {
    bytes % (1 << 20) == 0 ? "\(bytes >> 20) MiB" : "\(bytes >> 10) KiB"
  }

  /// Printed one by one as they are measured, so the widths are fixed.
  private static func row(_ cells: [String]) -> String {
    cells.enumerated().map { column, cell in
      let space = String(repeating: " ", count: max(0, (column == 0 ? 22 : 43) - cell.count))
      return column == 0 ? cell + space : space + cell
    }.joined(separator: " ")
  }

  private struct Report: Encodable {
    let instructionSet: String
    let machine: Machine
    let threads: Int
    /// GFLOP/s.
    let peak: Double
    /// GB/s.
    let bandwidth: Double
    let shapes: [KernelBenchmark.Result]
  }
}
