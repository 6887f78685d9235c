import ArgumentParser

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Measure how fast this machine is.",
    subcommands: [
      BenchKernelsCommand.self, BenchTrainCommand.self, BenchInferCommand.self, BenchDataCommand.self,
      BenchScaleCommand.self,
    ])
}
